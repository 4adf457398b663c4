// A person at a real terminal: `script` (util-linux) gives the program one. What is typed hidden never appears on it.
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { Workbench } from "./run.case.js";

const MAIN = join(import.meta.dirname, "main.js");
const SECRET = "hidden-canary-4711";
const ROUNDS = 8;

function hasScript(): boolean {
  try {
    return /util-linux/.test(execFileSync("script", ["--version"], { encoding: "utf8" }));
  } catch {
    return false;
  }
}

/** Runs the program on a terminal of its own; each answer is typed the moment that its question appears. */
function atTerminal(
  bench: Workbench,
  words: string,
  answers: readonly (readonly [string, string])[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const child = spawn("script", ["-qec", `"${process.execPath}" "${MAIN}" ${words}`, "/dev/null"], {
    cwd: bench.checkout,
    env: { ...bench.environmentOf("alice"), PATH: process.env["PATH"], ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const left = [...answers];
  let shown = "";
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString("utf8");
    const [next] = left;
    if (next !== undefined && shown.includes(next[0])) {
      left.shift();
      child.stdin.write(next[1]);
    }
  });
  return new Promise((done) => child.once("close", (code) => done({ code, shown })));
}

const needsScript = hasScript() ? {} : { skip: "script of util-linux is not here" };

t.test(
  "what is typed at hidden questions is taken, and never shown",
  { timeout: 120_000, ...needsScript },
  async (t) => {
    const bench = new Workbench(t);
    await bench.init();
    for (let round = 0; round < ROUNDS; round += 1) {
      const answers = [
        ["passphrase of your identity: ", "correct horse\r"],
        ["value of TOKEN: ", `${SECRET}x\u007f\r`],
      ] as const;
      const { code, shown } = await atTerminal(bench, "set api TOKEN", answers, { ZOPP_PASSPHRASE_FILE: "" });
      t.equal(code, 0, shown);
      t.notMatch(shown, "canary");
      t.notMatch(shown, "horse");
    }
    t.equal((await bench.must(["get", "api", "TOKEN"])).out, SECRET, "backspace takes a character back");
  },
);

t.test("Ctrl-C at a question changes nothing", { timeout: 60_000, ...needsScript }, async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "TOKEN"], { stdin: "before" });
  const { code, shown } = await atTerminal(bench, "set api TOKEN", [["value of TOKEN: ", "half\u0003"]]);
  t.not(code, 0);
  t.match(shown, "Interrupted");
  t.notMatch(shown, "half");
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "before");
});
