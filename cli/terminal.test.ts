// A person at a real terminal: `script` (util-linux) gives the program one. What is typed hidden never appears on it.
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { Workbench } from "./run.case.js";

const MAIN = join(import.meta.dirname, "main.js");
const PROGRAM = `"${process.execPath}" "${MAIN}"`;
const SECRET = "hidden-canary-4711";
const ROUNDS = 8;

function hasScript(): boolean {
  try {
    return /util-linux/.test(execFileSync("script", ["--version"], { encoding: "utf8" }));
  } catch {
    return false;
  }
}

/** What is typed or done the moment that a question appears; `shown` is all that the terminal showed until then. */
type Answer = readonly [question: string, answer: string | ((shown: string) => void)];

/** Runs the program on a terminal of its own. */
function atTerminal(
  bench: Workbench,
  words: string,
  answers: readonly Answer[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly shown: string }> {
  return shellAtTerminal(bench, `${PROGRAM} ${words}`, answers, env);
}

/** Runs a shell's line on a terminal of its own. */
function shellAtTerminal(
  bench: Workbench,
  line: string,
  answers: readonly Answer[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const child = spawn("script", ["-qec", line, "/dev/null"], {
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
      if (typeof next[1] === "string") child.stdin.write(next[1]);
      else next[1](shown);
    }
  });
  return new Promise((done) => child.once("close", (code) => done({ code, shown })));
}

const needsScript = hasScript() ? {} : { skip: "script of util-linux is not here" };

t.test("what is typed at hidden questions is taken, and never shown", needsScript, async (t) => {
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
});

t.test("Ctrl-C at a question changes nothing", needsScript, async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "TOKEN"], { stdin: "before" });
  const { code, shown } = await atTerminal(bench, "set api TOKEN", [["value of TOKEN: ", "half\u0003"]]);
  t.not(code, 0);
  t.match(shown, "Interrupted");
  t.notMatch(shown, "half");
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "before");
});

t.test("several lines pasted at a question are refused, not cut to the first", needsScript, async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "TOKEN"], { stdin: "before" });
  const { code, shown } = await atTerminal(bench, "set api TOKEN", [
    ["value of TOKEN: ", `${SECRET}\rsecond ${SECRET}\r`],
  ]);
  t.equal(code, 2, shown);
  t.match(shown, "--from-file");
  t.notMatch(shown, "canary");
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "before");
});

t.test("an error is red on a terminal, unless NO_COLOR or TERM say otherwise", needsScript, async (t) => {
  const bench = new Workbench(t);
  const error = async (env: Readonly<Record<string, string>>) =>
    (await atTerminal(bench, "get api", [], { TERM: "xterm", ...env })).shown;
  for (const red of [{}, { NO_COLOR: "" }]) t.match(await error(red), "\u001b[31merror:\u001b[0m Usage: ");
  for (const plain of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
    const shown = await error(plain);
    t.match(shown, "error: Usage: ");
    t.notMatch(shown, "\u001b");
  }
});

/** How a person, or whoever else may, ends the program while it asks. */
const ENDS: readonly (readonly [string, Answer[1]])[] = [
  ["Ctrl-C", "\u0003"],
  ...(["SIGINT", "SIGTERM", "SIGHUP"] as const).map(
    (signal) => [signal, (shown: string) => process.kill(Number(/pid=(\d+)/.exec(shown)?.[1]), signal)] as const,
  ),
];

for (const [how, end] of ENDS) {
  for (const streams of ["", "</dev/null >/dev/null 2>&1"]) {
    const where = streams === "" ? "" : " of a program without another stream on the terminal";
    t.test(
      `${how} at the question for a passphrase${where} gives the terminal back as it was`,
      needsScript,
      async (t) => {
        const bench = new Workbench(t);
        await bench.init();
        await bench.must(["set", "api", "TOKEN"], { stdin: "v" });
        const program = `sh -c 'echo pid=$$; exec ${PROGRAM} get api ${streams}'`;
        const line = `stty -g | sed s/^/before=/; ${program}; stty -g | sed s/^/after=/`;
        const { shown } = await shellAtTerminal(bench, line, [["passphrase of your identity: ", end]], {
          ZOPP_PASSPHRASE_FILE: "",
        });
        const settings = (moment: string): string | undefined => new RegExp(`${moment}=(\\S+)`).exec(shown)?.[1];
        t.ok(settings("before"), shown);
        t.equal(settings("after"), settings("before"), shown);
        t.match(shown, "passphrase of your identity", "it was asked");
        t.match(shown, streams === "" ? "Interrupted" : /./);
      },
    );
  }
}
