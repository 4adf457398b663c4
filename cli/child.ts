// Runs another program in the foreground, with this process' own streams, until it ends.
// What is in its environment is the caller's business.
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { ZoppError } from "../crds/errors.js";
import { controllingTerminal } from "./input.js";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
/** What a terminal sends to everybody in the foreground, this process and the program. */
const FROM_TERMINAL: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);
/** What a shell says of a program that a signal ended. */
const SIGNAL_EXIT = 128;

/** How a program is started. */
export interface ChildOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The environment that another program gets: this process' own, without the token that it reads by. */
export function environmentForOthers({ ZOPP_TOKEN: _, ...env }: Readonly<NodeJS.ProcessEnv>): NodeJS.ProcessEnv {
  return env;
}

/**
 * Runs a program to its end; gives its exit code, or 128 and the number of the signal that ended it. Signals go to the
 * program, which decides what becomes of them. Throws NotFound when it cannot be started.
 */
export async function runInForeground(
  [command = "", ...args]: readonly string[],
  { cwd, env }: ChildOptions,
): Promise<number> {
  let child: ChildProcess | undefined;
  // also where stdin is a pipe
  const hasTerminal = controllingTerminal() !== undefined;
  const forward = (signal: NodeJS.Signals): void => {
    if (!(FROM_TERMINAL.has(signal) && hasTerminal)) child?.kill(signal);
  };
  // never a moment without a listener: the signal would end this process, and leave the program behind
  const before = FORWARDED.map((signal) => [signal, process.listeners(signal) as NodeJS.SignalsListener[]] as const);
  for (const signal of FORWARDED) process.on(signal, forward);
  for (const [signal, listeners] of before) for (const listener of listeners) process.off(signal, listener);
  try {
    return await new Promise<number>((resolve, reject) => {
      child = spawn(command, args, { cwd, env, stdio: "inherit" });
      child.once("error", (cause) => reject(new ZoppError("NotFound", `cannot start ${command}`, { cause })));
      child.once("exit", (code, signal) =>
        resolve(code ?? SIGNAL_EXIT + (signal === null ? 0 : constants.signals[signal])),
      );
    });
  } finally {
    for (const [signal, listeners] of before) for (const listener of listeners) process.on(signal, listener);
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}
