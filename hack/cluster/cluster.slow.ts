import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { hierarchies } from "./cgroups.js";
import { obstacle, startCluster } from "./cluster.js";
import { inside } from "./inside.js";

const skip = obstacle() ?? false;

t.test("a start that fails shows what the program that ended wrote, and leaves nothing", { skip }, async (t) => {
  const temporary = t.testdir();
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = temporary;
  t.teardown(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  });
  let folder = "";
  const seen = setInterval(() => (folder ||= readdirSync(temporary).find((name) => name.includes("cluster")) ?? ""), 5);
  t.teardown(() => clearInterval(seen));
  const more = { "kube-scheduler": ["--no-such-flag"] };
  await t.rejects(
    startCluster({ more, log: () => undefined }),
    /kube-scheduler ended; it wrote:\n.*unknown flag: --no-such-flag/s,
  );
  t.strictSame(readdirSync(temporary), []);
  t.not(folder, "");
  t.notOk(hierarchies().some((one) => existsSync(join(one.folder, folder))));
});

t.test("a program that was stopped meanwhile does not hold up the end", { skip }, async (t) => {
  const cluster = await startCluster({ log: () => undefined });
  const [program = "", ...args] = inside(cluster.place, ["pkill", "-STOP", "kube-scheduler"]);
  execFileSync(program, args);
  await t.resolves(cluster.stop());
});
