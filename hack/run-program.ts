// Owns running a program to its end: what it wrote, and its exit code.
// Does not own which program, nor processes that go on (child.ts).
import { spawn } from "node:child_process";

/** What a program gave. */
export interface ProgramResult {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code; 0 is success. */
  readonly code: number;
}

/** Where a program runs. */
export interface ProgramOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Its standard input; empty by default. */
  readonly input?: string;
}

/** Runs a command line to its end; its failure is a code, not an exception. Throws when it cannot be started. */
export function runProgram(
  [program = "", ...args]: readonly string[],
  { env, cwd, input = "" }: ProgramOptions,
): Promise<ProgramResult> {
  const child = spawn(program, args, { env, cwd, stdio: "pipe" });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => undefined).end(input);
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve({ stdout, stderr, code: code ?? 1 }));
  });
}
