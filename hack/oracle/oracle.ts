// Owns building and asking the oracle, the program in Go beside this file.
// Does not own what it is asked: oracle.test.ts.
import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { packageRoot } from "../package-root.js";

/** The running oracle. Its answers are objects; bytes are base64, and `error` says why there is no answer. */
export interface Oracle {
  /** Asks one question; answers come in the order of the questions. */
  ask(request: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  /** Ends the process and removes the program. */
  close(): Promise<void>;
}

/** Why the oracle cannot run here, or null: it needs Go 1.26, and its module once from the cache or the network. */
export function whyNoOracle(): string | null {
  const cwd = join(packageRoot(), "hack", "oracle");
  const version = spawnSync("go", ["env", "GOVERSION"], { cwd, encoding: "utf8" });
  if (version.status !== 0) return "no usable Go 1.26: the independent check of the format is not run";
  const download = spawnSync("go", ["mod", "download"], { cwd, encoding: "utf8" });
  return download.status === 0
    ? null
    : "golang.org/x/crypto and golang.org/x/mod are not to be had: the independent check is not run";
}

/** Builds the oracle (10 s the first time) and starts it. Throws when it does not compile. */
export function startOracle(): Oracle {
  const folder = mkdtempSync(join(tmpdir(), "zopp-oracle-"));
  const program = join(folder, "oracle");
  const cwd = join(packageRoot(), "hack", "oracle");
  execFileSync("go", ["build", "-trimpath", "-o", program, "."], { cwd, stdio: ["ignore", "inherit", "inherit"] });
  return conversation(spawn(program, { stdio: ["pipe", "pipe", "pipe"] }), folder);
}

function conversation(child: ChildProcessWithoutNullStreams, folder: string): Oracle {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, "close");
  child.stderr.resume();
  return {
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error("the oracle ended without an answer");
      return JSON.parse(value) as Record<string, unknown>;
    },
    async close() {
      child.stdin.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
