import { spawn } from "node:child_process";
import { once } from "node:events";
import t from "tap";

const PROCESSES = 6;
const EACH = 60;

const SCRIPT = `
  const { freePort } = await import(${JSON.stringify(new URL("processes.js", import.meta.url).href)});
  const ports = [];
  for (let n = 0; n < ${EACH}; n += 1) ports.push(await freePort());
  console.log(JSON.stringify(ports));
  await new Promise((resolve) => process.stdin.once("end", resolve).resume());
`;

t.test("no two processes are given the same port, though nobody listens there yet", async (t) => {
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT], { stdio: ["pipe", "pipe", "inherit"] }),
  );
  const said = await Promise.all(children.map(async ({ stdout }) => String((await once(stdout, "data"))[0])));
  const ports = said.flatMap((line) => JSON.parse(line) as number[]);
  t.equal(ports.length, PROCESSES * EACH);
  t.equal(new Set(ports).size, ports.length);
  for (const child of children) child.stdin.end();
  const codes = await Promise.all(children.map(async (child) => child.exitCode ?? (await once(child, "exit"))[0]));
  t.ok(codes.every((code) => code === 0));
});
