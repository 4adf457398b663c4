// The command line itself: help, usage, formats, exit codes, and the real program in a process of its own.
// What commands do is tested beside them.
import { execFile, spawn } from "node:child_process";
import * as fs from "node:fs";
import { fileURLToPath } from "node:url";
import t from "tap";
import { parse } from "yaml";
import { ERRORS } from "../crds/errors.js";
import { VERSION } from "../crds/version.js";
import { loadCommand } from "./load.js";
import { Workbench } from "./run.case.js";
import { COMMANDS, GLOBAL_OPTIONS, GROUPS } from "./table.js";

const MAIN = fileURLToPath(new URL("main.js", import.meta.url));

/** More than the system keeps for a reader that has not come yet. */
const PIPE_BYTES = 512 * 1024;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program in a process of its own, as alice, with what it reads from stdin. */
function program(bench: Workbench, words: readonly string[], stdin = "", limits = ""): Promise<Ended> {
  const env = { ...bench.environmentOf("alice"), PATH: process.env["PATH"] ?? "" };
  const [command, args] =
    limits === ""
      ? [process.execPath, [MAIN, ...words]]
      : ["sh", ["-c", `${limits}; exec "$@"`, "sh", process.execPath, MAIN, ...words]];
  return new Promise((done) => {
    const child = execFile(command, args, { cwd: bench.checkout, env }, (_error, stdout, stderr) =>
      done({ code: child.exitCode, stdout, stderr }),
    );
    child.stdin?.end(stdin);
  });
}

t.test("every command says in its help what it is for, with examples, and loads", async (t) => {
  const bench = new Workbench(t);
  for (const { name, summary } of COMMANDS) {
    const ran = await bench.must([...name.split(" "), "--help"]);
    t.match(ran.out.replaceAll(/\s+/g, " "), summary.replaceAll(/\s+/g, " "), name);
    t.match(ran.out, `Examples:\n  `, name);
    t.match(ran.out, "--store", name);
    t.type((await loadCommand(name)).run, "function", name);
  }
  const help = (await bench.must(["--help"])).out.replaceAll(/\s+/g, " ");
  for (const { name } of COMMANDS) {
    const [verb = "", sub] = name.split(" ");
    if (sub !== undefined) t.match(help, `${verb} ${GROUPS[verb]}`);
  }
  t.match((await bench.must(["--version"])).out, VERSION);
});

/** The command lines of `zopp` in a text, as words. */
function commandLines(text: string): string[][] {
  return [...text.matchAll(/(?<![-\w./])zopp ([^|<>)`]+)/g)].map(([, words = ""]) => words.trim().split(/\s+/));
}

t.test("every example and every next step names a command that there is, with options that it has", async (t) => {
  const steps = Object.values(ERRORS).flatMap(({ next }) => next.match(/`zopp [^`]+`/g) ?? []);
  const texts = [...COMMANDS.flatMap(({ examples }) => examples), ...steps];
  for (const text of texts) {
    for (const words of commandLines(text)) {
      const line = words.join(" ");
      const spec = COMMANDS.find(({ name }) => `${line} `.startsWith(`${name} `));
      if (spec === undefined) throw new Error(`no command: ${text}`);
      const known = new Set([...GLOBAL_OPTIONS, ...spec.options].flatMap(({ flags }) => flags.match(/-[-\w]+/g) ?? []));
      const end = words.indexOf("--");
      const given = words.slice(0, end < 0 ? undefined : end).filter((word) => /^--?[a-z]/i.test(word));
      t.same(
        given.filter((flag) => !known.has(flag)),
        [],
        text,
      );
    }
  }
});

t.test("a wrong command line is a usage error: code, next step, exit 2, nothing on stdout", async (t) => {
  const bench = new Workbench(t);
  const wrong = [
    ["frobnicate"],
    ["set"],
    ["set", "api"],
    ["get", "a", "b", "c"],
    ["list", "--colour"],
    ["list", "-o", "xml"],
    ["grant", "bob"],
    ["cluster", "remove"],
  ];
  for (const words of wrong) {
    const ran = await bench.run(words);
    t.equal(ran.code, 2, words.join(" "));
    t.match(ran.err, /^error: Usage: .+\nnext: .+\n$/, words.join(" "));
    t.equal(ran.out, "");
  }
  for (const words of [[], ["cluster"]]) {
    const ran = await bench.run(words);
    t.equal(ran.code, 2);
    t.match(ran.err, "Usage: zopp");
  }
});

t.test("surplus words are counted, not repeated: one may be a value", async (t) => {
  const bench = new Workbench(t);
  for (const value of ["hidden-canary", "hidden-canary\r\nmore", "hidden\ncanary"]) {
    const ran = await bench.run(["get", "api", "TOKEN", value]);
    t.equal(ran.code, 2);
    t.match(ran.err, "too many arguments for 'get'. Expected 2 arguments but got 3");
    t.notMatch(ran.out + ran.err, /hidden|canary/, JSON.stringify(value));
  }
});

t.test("what stands behind an option's = is not repeated, whatever is in it: it may be a value", async (t) => {
  const bench = new Workbench(t);
  for (const value of ["hidden-canary", "hidden\ncanary", "it's-hidden-canary", "hidden=canary\r\nmore"]) {
    const ran = await bench.run(["set", "api", "TOKEN", `--valeu=${value}`]);
    t.equal(ran.code, 2);
    t.match(ran.err, "unknown option '--valeu'\n");
    t.notMatch(ran.out + ran.err, /hidden|canary/, JSON.stringify(value));
  }
});

t.test("an environment that nothing in the store names is an error to list, not an empty list", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  t.match(await bench.run(["list", "-e", "shop/nope"]), { code: 4, err: /UnknownEnvironment: .*shop\/nope/ });
  t.match(await bench.run(["list", "-e", "shop/dev"]), { code: 0, out: /no bundles/ });
});

t.test("a store in which nothing is yet lists as empty", async (t) => {
  const bench = new Workbench(t);
  t.match(await bench.run(["list", "--store", "."]), { code: 0, out: /no bundles/ });
  t.match(await bench.run(["list", "--store", ".", "-n", "shop-dev"]), { code: 0, out: /no bundles/ });
});

t.test("errors are JSON where JSON was asked for", async (t) => {
  const bench = new Workbench(t);
  for (const words of [
    ["list", "-o", "json"],
    ["frobnicate", "--output=json"],
    ["list", "--nope", "-ojson"],
  ]) {
    const { error } = JSON.parse((await bench.run(words)).err) as {
      error: { code: string; message: string; next: string };
    };
    t.match(error, { code: "Usage", message: /./, next: /./ });
  }
});

t.test("each format prints what it promises", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.match(JSON.parse((await bench.must(["list", "-o", "json"])).out), {
    bundles: [{ bundle: "shop-dev/api", keys: 1 }],
  });
  t.match((await bench.must(["list", "-o", "yaml"])).out, /^bundles:\n- bundle: shop-dev\/api\n/);
  t.equal((await bench.must(["list", "-o", "name"])).out, "zoppsecret/shop-dev/api\n");
  t.match(
    (await bench.must(["list"])).out,
    /^BUNDLE +ENVIRONMENT +KEYS +TARGET\nshop-dev\/api +acme\/shop\/dev +1 +api\n$/,
  );
});

t.test("what others wrote cannot steer the terminal", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "K"], { stdin: "v" });
  bench.write(
    "zopp/shop-dev/api.yaml",
    bench.read("zopp/shop-dev/api.yaml").replace("  environment: acme", '  "\\u001b[2Jx": 1\n  environment: acme'),
  );
  for (const words of [["verify"], ["list"], ["status"]]) {
    const ran = await bench.run(words);
    t.notMatch(ran.out + ran.err, "\u001b", words.join(" "));
  }
});

const STEERING = ["\u001b[2J", "\u007f", "\u009b2J", "\u061c", "\u200e", "\u202e", "\u2066", "\u2069"];

t.test("JSON and YAML hold what could steer the terminal as escapes that read as what it was", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const texts = [...STEERING, STEERING.join(" - \n: "), "plain"];
  for (const [at, text] of texts.entries()) await bench.must(["set", "api", `K${at}`], { stdin: text });
  const keys = texts.map((text) => `  ${JSON.stringify(text)}: 1\n`);
  bench.write(
    "zopp/x.yaml",
    `apiVersion: zopp.dev/v1alpha1\nkind: ZoppSecret\nmetadata: {name: x, namespace: y}\nspec:\n${keys.join("")}`,
  );
  for (const words of [["get", "api"], ["verify"], ["get", "x"]]) {
    for (const format of ["json", "yaml"]) {
      const { out, err } = await bench.run([...words, "-o", format]);
      for (const char of STEERING) t.notOk((out + err).includes(char), `${words.join(" ")} -o ${format}`);
      if (words[1] !== "api") continue;
      const { entries } = (format === "json" ? JSON.parse(out) : parse(out)) as { entries: object };
      t.strictSame(entries, Object.fromEntries(texts.map((value, at) => [`K${at}`, { value }])));
    }
  }
});

t.test("completion scripts are of each shell's language and know every command", async (t) => {
  const bench = new Workbench(t);
  for (const shell of ["bash", "zsh", "fish"]) {
    const { out } = await bench.must(["completion", shell]);
    for (const { name } of COMMANDS) for (const word of name.split(" ")) t.match(out, word, `${shell}: ${name}`);
  }
  t.equal((await bench.run(["completion", "tcsh"])).code, 2);
});

t.test("the program itself: a value goes in by a pipe and comes out by a pipe", async (t) => {
  const bench = new Workbench(t);
  const started = await program(bench, ["init", "acme/shop/dev", "--recovery-file", "recovery.txt"]);
  t.equal(started.code, 0, started.stderr);
  const set = await program(bench, ["set", "api", "K"], "through a pipe");
  t.equal(set.code, 0, set.stderr);
  t.equal((await program(bench, ["get", "api", "K"])).stdout, "through a pipe");
  t.equal((await program(bench, ["verify"])).code, 0);
  const refused = await program(bench, ["get", "api", "MISSING"]);
  t.equal(refused.code, 4);
  t.match(refused.stderr, "error: NotFound: ");
});

t.test("the program leaves a file as it is when the disk takes no more", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "K"], { stdin: "v" });
  const file = "zopp/shop-dev/api.yaml";
  const before = bench.read(file);
  // files may grow to 512 bytes only, as on a disk that is nearly full
  const ran = await program(bench, ["set", "api", "K"], "other", "ulimit -f 1; trap '' XFSZ");
  t.equal(ran.code, 1);
  t.match(ran.stderr, "error: FileUnwritable: ");
  t.equal(bench.read(file), before);
  t.same(fs.readdirSync(bench.path("zopp/shop-dev")), ["api.yaml"]);
});

t.test("Ctrl-C while a value is awaited changes nothing and says so", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "K"], { stdin: "v" });
  const before = bench.read("zopp/shop-dev/api.yaml");
  const env = { ...bench.environmentOf("alice"), PATH: process.env["PATH"] ?? "" };
  const child = spawn(process.execPath, [MAIN, "set", "api", "K"], {
    cwd: bench.checkout,
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  // more than a pipe holds: once it is gone, the program is reading
  await new Promise((done) => child.stdin.write("x".repeat(PIPE_BYTES), done));
  child.kill("SIGINT");
  const code = await new Promise((done) => child.once("close", done));
  t.equal(code, 130);
  t.match(stderr, "error: Interrupted: ");
  t.equal(bench.read("zopp/shop-dev/api.yaml"), before);
  t.same(fs.readdirSync(bench.path("zopp/shop-dev")), ["api.yaml"]);
});
