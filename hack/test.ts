// Owns running every test file under tap, saying how it went, and the last line: `N passed, N failed`.
// Does not own compiling: it runs what lies in dist/, for the sources that exist now.
import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";
import { packageRoot } from "./package-root.js";
import { type Counts, lineOf, newTally, type Tally } from "./test.tally.js";

const SOURCES = ["crds", "operator", "cli", "hack", "examples"];

/** How a source's name ends: a test; one that takes a minute or runs other people's programs; one that needs the images. */
type Kind = "test" | "slow" | "e2e";

/** What runs, by the first argument. */
const KINDS: Readonly<Record<string, readonly Kind[]>> = {
  "--slow": ["slow"],
  "--e2e": ["e2e"],
  "--no-e2e": ["test", "slow"],
  "--all": ["test", "slow", "e2e"],
};
const SLOW = "--timeout=1800";
/** tap's flags. In a real cluster each has the whole machine. */
const FLAGS: Readonly<Record<Kind, readonly string[]>> = { test: [], slow: [SLOW], e2e: [SLOW, "--jobs=1"] };

/** Test files by their sources, since dist/ may still hold output of sources that are gone. */
function sourcesOf(root: string, kind: Kind): string[] {
  return globSync(
    SOURCES.map((folder) => `${folder}/**/*.${kind}.{ts,tsx}`),
    { cwd: root },
  ).toSorted();
}

/** Runs tap over compiled files and tells the tally each line; gives tap's exit code, non-zero after a signal. */
async function runTap(root: string, args: readonly string[], tally: Tally): Promise<number> {
  const tap = join(root, "node_modules", "tap", "dist", "esm", "run.mjs");
  const child = spawn(process.execPath, [tap, "run", "--reporter=tap", "--no-color", ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("SIGTERM", () => child.kill("SIGTERM"));
  const ended = new Promise<number>((done, reject) => {
    child.once("error", reject).once("close", (code) => done(code ?? 1));
  });
  for await (const line of createInterface({ input: child.stdout })) tally.read(line);
  return ended;
}

/** Runs the compiled files of these sources, and says how each went. */
async function run(root: string, sources: readonly string[], flags: readonly string[] = FLAGS.test): Promise<Counts> {
  const output = relative(root, resolve(import.meta.dirname, ".."));
  const compiled = (source: string) => join(output, source.replace(/\.tsx?$/, ".js"));
  const missing = sources.filter((source) => !existsSync(join(root, compiled(source))));
  const files = sources.filter((source) => !missing.includes(source)).map(compiled);
  const tally = newTally({
    files,
    sourceOf: (file) => relative(output, file).replace(/\.js$/, ".ts"),
    write: console.log,
  });
  const code = files.length === 0 ? 1 : await runTap(root, [...flags, ...files], tally);
  for (const source of missing) console.log(`FAIL ${source} (not compiled)`);
  return tally.total({ exitCode: code, failedBefore: missing.length });
}

async function main(args: readonly string[]): Promise<number> {
  const root = packageRoot();
  const kinds = KINDS[args[0] ?? ""];
  const wanted = args.map((file) => relative(root, resolve(file)));
  const runs: Counts[] = [];
  if (kinds === undefined && wanted.length > 0) runs.push(await run(root, wanted));
  else for (const kind of kinds ?? ["test" as const]) runs.push(await run(root, sourcesOf(root, kind), FLAGS[kind]));
  console.log(lineOf(runs));
  return runs.every(({ failed }) => failed === 0) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
