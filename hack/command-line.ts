// Owns what the command lines of control plane and cluster share: flags, refusals with the usage, running a command.
// Does not own what any command does.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { type ParseArgsConfig, parseArgs } from "node:util";

/** Thrown for a command line that says nothing to do. */
export class Misuse extends Error {}

const NAME = /^[a-z0-9][a-z0-9-]{0,40}$/;

/** The value of `--name`, checked. */
export function checkName(name: string): string {
  if (!NAME.test(name)) throw new Misuse(`--name ${name}: a name is lower-case letters, digits and hyphens`);
  return name;
}

/** Flags and positional arguments of a command. */
export function readFlags<const T extends ParseArgsConfig>(config: T) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new Misuse((error as Error).message);
  }
}

/** What stands before `--` and after it. Throws where nothing stands after it. */
export function splitCommand(args: readonly string[]): { own: string[]; command: string; rest: string[] } {
  const at = args.indexOf("--");
  const [command, ...rest] = at < 0 ? [] : args.slice(at + 1);
  if (command === undefined) throw new Misuse("exec needs `-- CMD`");
  return { own: args.slice(0, at), command, rest };
}

/**
 * Runs a command on our own terminal and gives its exit code. Signals are the command's to answer: a terminal sends it
 * Ctrl-C itself, SIGTERM is passed on.
 *
 * @param target who gets the SIGTERM, of the process that was started; that one itself unless said otherwise.
 */
export async function runCommand(
  [command = "", ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  target: (pid: number) => readonly number[] = (pid) => [pid],
): Promise<number> {
  const child = spawn(command, args, { env, stdio: "inherit" });
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => {
    for (const pid of target(child.pid ?? 0)) process.kill(pid, "SIGTERM");
  });
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new Error(`${command} cannot be run: ${cause.message}`, { cause })));
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** The commands by name, each of which gives an exit code. */
export type Commands = Readonly<Record<string, (args: readonly string[]) => Promise<number>>>;

/** Runs the command that the arguments name: help on `--help`, usage and code 2 on misuse, the message and code 1 on failure. */
export async function runCommands(commands: Commands, usage: string, args: readonly string[]): Promise<number> {
  const [name = "", ...rest] = args;
  const own = args.slice(0, args.includes("--") ? args.indexOf("--") : args.length);
  if (own.some((arg) => arg === "--help" || arg === "-h")) {
    console.log(usage);
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  try {
    if (command === undefined) throw new Misuse(name === "" ? "no command is given" : `${name} is no command`);
    return await command(rest);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof Misuse) console.error(`\n${usage}`);
    return error instanceof Misuse ? 2 : 1;
  }
}
