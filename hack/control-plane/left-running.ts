// Owns what is known of the control planes that `up` left running: one file a name, outside any checkout, and their end.
// Does not own starting them.
import { spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { eventually } from "../eventually.js";

/** A control plane that somebody else can use and end. */
export interface LeftRunning {
  /** The process that keeps it: a SIGTERM there ends it in good order. */
  readonly pid: number;
  /** Its programs. */
  readonly pids: readonly number[];
  readonly folder: string;
  readonly url: string;
  readonly kubeconfig: string;
  /** A folder with kubectl. */
  readonly bin: string;
}

/** The end of a file beside those of the names: what the keeping process wrote. */
const LOG = ".log";

function file(name: string, suffix = ".json"): string {
  const state = process.env["XDG_STATE_HOME"] || join(process.env["HOME"] || homedir(), ".local", "state");
  const folder = join(state, "zopp", "control-plane");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return join(folder, `${name}${suffix}`);
}

/** Where the process that keeps the control plane of that name writes. */
export function logFile(name: string): string {
  return file(name, LOG);
}

/** Writes down a control plane under a name. Throws EEXIST when there is one of that name. */
export function leave(name: string, left: LeftRunning): void {
  // Whole or not at all: others read it while it is written.
  const draft = file(name, `.${process.pid}`);
  writeFileSync(draft, JSON.stringify(left), { mode: 0o600 });
  try {
    linkSync(draft, file(name));
  } finally {
    rmSync(draft);
  }
}

/** What was written down under a name, whether it still runs or not. */
export function find(name: string): LeftRunning | undefined {
  const path = file(name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as LeftRunning) : undefined;
}

/** Forgets a name; its log goes too. */
export function forget(name: string): void {
  rmSync(file(name), { force: true });
  rmSync(logFile(name), { force: true });
}

/** Whether the process that keeps it is alive. */
export function isKept({ pid }: LeftRunning): boolean {
  return /control-plane.main\.js up\b/.test(commandLine(pid));
}

/** Ends one that is kept; resolves when nothing is left of it. */
export async function end(name: string, { pid }: LeftRunning): Promise<void> {
  process.kill(pid, "SIGTERM");
  await eventually(() => find(name)?.pid !== pid, {
    timeoutMs: 30_000,
    message: `the control plane ${name} has ended`,
  });
}

/** Clears away what is left of one whose keeper died, even where its watchdog died with it. */
export async function clear(name: string, { pids, folder }: LeftRunning): Promise<void> {
  // After a restart of the machine the ids may be of others, whose command lines do not name the folder.
  const isOurs = (pid: number) => commandLine(pid).includes(folder);
  for (const pid of pids.filter(isOurs)) process.kill(pid, "SIGKILL");
  await eventually(() => !pids.some(isOurs), { message: `the programs of the control plane ${name} have ended` });
  rmSync(folder, { recursive: true, force: true });
  forget(name);
}

/** The command line of a process; empty where there is none. */
function commandLine(pid: number): string {
  // Small Linux images lack ps, and other systems lack /proc.
  if (existsSync("/proc/self/cmdline")) {
    const path = `/proc/${pid}/cmdline`;
    return existsSync(path) ? readFileSync(path, "utf8").replaceAll("\0", " ") : "";
  }
  return spawnSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8" }).stdout ?? "";
}
