// Owns running every test file under tap, saying how it went, and the last line: `N passed, N failed`.
// Does not own compiling: it runs what lies in dist/, for the sources that exist now.
import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";
import { packageRoot } from "./package-root.js";
import { newTally, type Tally } from "./test.tally.js";

const SOURCES = ["crds", "operator", "cli", "hack", "examples"];

/** Test files by their sources, since dist/ may still hold output of sources that are gone. */
function testFiles(root: string, wanted: readonly string[]): string[] {
  if (wanted.length > 0) return wanted.map((file) => relative(root, resolve(file)));
  return globSync(
    SOURCES.map((folder) => `${folder}/**/*.test.{ts,tsx}`),
    { cwd: root },
  ).toSorted();
}

/** Runs tap over compiled files and tells the tally each line; gives tap's exit code, non-zero after a signal. */
async function runTap(root: string, files: readonly string[], tally: Tally): Promise<number> {
  const tap = join(root, "node_modules", "tap", "dist", "esm", "run.mjs");
  const child = spawn(process.execPath, [tap, "run", "--reporter=tap", "--no-color", ...files], {
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

async function main(): Promise<number> {
  const root = packageRoot();
  const output = relative(root, resolve(import.meta.dirname, ".."));
  const sources = testFiles(root, process.argv.slice(2));
  const compiled = (source: string) => join(output, source.replace(/\.tsx?$/, ".js"));
  const missing = sources.filter((source) => !existsSync(join(root, compiled(source))));
  const files = sources.filter((source) => !missing.includes(source)).map(compiled);
  const tally = newTally({
    files,
    sourceOf: (file) => relative(output, file).replace(/\.js$/, ".ts"),
    write: console.log,
  });
  const code = files.length === 0 ? 1 : await runTap(root, files, tally);
  for (const source of missing) console.log(`FAIL ${source} (not compiled)`);
  const { line, failed } = tally.total({ exitCode: code, failedBefore: missing.length });
  console.log(line);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
