// Owns what is known of what `up` left running (control planes, clusters): one file a name, outside any checkout.
// Does not own starting or ending it in good order.
import { spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.js";

/** What of something left running lets somebody else end it. */
export interface LeftRunning {
  /** The process that keeps it: a SIGTERM there ends it in good order. */
  readonly pid: number;
  /** Its programs. */
  readonly pids: readonly number[];
  readonly folder: string;
}

/** Whose compiled `main.js` keeps it: the folder below `hack/`. */
export type Kind = "control-plane" | "cluster";

/** The end of a file beside those of the names: what the keeping process wrote. */
const LOG = ".log";

/** What of one kind was left running, by name. */
export class Shelf<T extends LeftRunning> {
  readonly kind: Kind;

  constructor(kind: Kind) {
    this.kind = kind;
  }

  #file(name: string, suffix = ".json"): string {
    const state = process.env["XDG_STATE_HOME"] || join(process.env["HOME"] || homedir(), ".local", "state");
    const folder = join(state, "zopp", this.kind);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return join(folder, `${name}${suffix}`);
  }

  /** Where the process that keeps the one of that name writes. */
  logFile(name: string): string {
    return this.#file(name, LOG);
  }

  /** Writes one down under a name. Throws EEXIST when there is one of that name. */
  leave(name: string, left: T): void {
    // Whole or not at all: others read it while it is written.
    const draft = this.#file(name, `.${process.pid}`);
    writeFileSync(draft, JSON.stringify(left), { mode: 0o600 });
    try {
      linkSync(draft, this.#file(name));
    } finally {
      rmSync(draft);
    }
  }

  /** What was written down under a name, whether it still runs or not. */
  find(name: string): T | undefined {
    const path = this.#file(name);
    return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as T) : undefined;
  }

  /** Forgets a name; its log goes too. */
  forget(name: string): void {
    rmSync(this.#file(name), { force: true });
    rmSync(this.logFile(name), { force: true });
  }

  /** Whether the process that keeps it is alive. */
  isKept({ pid }: T): boolean {
    return commandLine(pid).includes(`${join("hack", this.kind, "main.js")} up `);
  }

  /** Ends one that is kept; resolves when nothing is left of it. */
  async end(name: string, { pid }: T): Promise<void> {
    process.kill(pid, "SIGTERM");
    await eventually(() => this.find(name)?.pid !== pid, { timeoutMs: 30_000, message: `${name} has ended` });
  }

  /**
   * Clears away what is left of one whose keeper died, even where its watchdog died with it.
   *
   * @param afterwards what else must go once the programs have ended, before the folder does.
   */
  async clear(name: string, { pids, folder }: T, afterwards: () => Promise<void>): Promise<void> {
    // After a restart of the machine the ids may be of others, whose command lines do not name the folder.
    const isOurs = (pid: number) => commandLine(pid).includes(folder);
    for (const pid of pids.filter(isOurs)) process.kill(pid, "SIGKILL");
    await eventually(() => !pids.some(isOurs), { message: `the programs of ${name} have ended` });
    await afterwards();
    rmSync(folder, { recursive: true, force: true });
    this.forget(name);
  }
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
