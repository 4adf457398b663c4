// Owns the life of what `up` leaves running: kept by a process of its own until a signal, refused twice, cleared after a crash.
// Does not own what is started, nor what is written down of it.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { eventually } from "./eventually.js";
import { type Kind, type LeftRunning, Shelf } from "./left-running.js";

const START_MS = 300_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The name where none is given. */
export const DEFAULT_NAME = "default";

/** Something running, and what is written down of it. */
export interface Started<T extends LeftRunning> {
  readonly left: Omit<T, "pid">;
  stop(): Promise<void>;
}

/** What a keeper must know of its kind. */
export interface KeeperOptions<T extends LeftRunning> {
  readonly kind: Kind;
  /** The command as a person types it. */
  readonly main: string;
  /** Says that it is up, how to reach it, and how to end it. */
  tell(left: T, howToEnd: string): void;
  /** Removes what else a crashed one left, once its programs have ended. */
  clear?(left: T): Promise<void>;
}

/** `up` and `down` for one kind. */
export class Keeper<T extends LeftRunning> {
  readonly shelf: Shelf<T>;
  readonly #options: KeeperOptions<T>;

  constructor(options: KeeperOptions<T>) {
    this.shelf = new Shelf(options.kind);
    this.#options = options;
  }

  #ending(name: string): string {
    return `${this.#options.main} down${name === DEFAULT_NAME ? "" : ` --name ${name}`}`;
  }

  #clear(name: string, left: T): Promise<void> {
    return this.shelf.clear(name, left, async () => this.#options.clear?.(left));
  }

  /** Refuses a name that is up, and clears away what a crashed one left. */
  async makeRoom(name: string): Promise<void> {
    const before = this.shelf.find(name);
    if (before === undefined) return;
    if (this.shelf.isKept(before))
      throw new Error(`${name} is already up, in ${before.folder}: ${this.#ending(name)} ends it`);
    await this.#clear(name, before);
  }

  /** Keeps what `start` starts until a signal. */
  async stay(name: string, start: () => Promise<Started<T>>): Promise<number> {
    const signal = anySignal();
    const started = await start();
    const left = { ...started.left, pid: process.pid } as T;
    try {
      this.shelf.leave(name, left);
    } catch (error) {
      await started.stop();
      throw new Error(`another \`up\` of the name ${name} was faster`, { cause: error });
    }
    this.#options.tell(left, `Ctrl-C here, or ${this.#ending(name)} elsewhere, ends it`);
    await signal;
    await started.stop();
    this.shelf.forget(name);
    return 0;
  }

  /** Starts a process of its own session that stays (`up --foreground`), and returns once that one is up. */
  async leaveRunning(name: string, more: readonly string[]): Promise<number> {
    const log = openSync(this.shelf.logFile(name), "w", 0o600);
    const args = [process.argv[1] ?? "", "up", "--foreground", "--name", name, ...more];
    const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log] });
    closeSync(log);
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    let interrupted = 0;
    for (const signal of SIGNALS) {
      process.once(signal, () => {
        interrupted = constants.signals[signal];
        child.kill("SIGTERM");
      });
    }
    const found = () => [this.shelf.find(name)].find((left) => left?.pid === child.pid);
    const isDecided = () => hasEnded() || (interrupted === 0 && found() !== undefined);
    await eventually(isDecided, { timeoutMs: START_MS, message: `${name} is up` }).finally(() => child.unref());
    const left = found();
    if (interrupted !== 0) return 128 + interrupted;
    if (left === undefined) throw new Error(readFileSync(this.shelf.logFile(name), "utf8").trimEnd());
    this.#options.tell(left, `${this.#ending(name)} ends it`);
    return 0;
  }

  /** Ends the one of that name, or removes what a crashed one left. Nothing to end is no error. */
  async down(name: string): Promise<number> {
    const left = this.shelf.find(name);
    if (left === undefined) console.error(`${name} is not up`);
    else if (this.shelf.isKept(left)) await this.shelf.end(name, left);
    else {
      await this.#clear(name, left);
      console.error(`${name} had crashed: what it left is removed`);
    }
    return 0;
  }
}

function anySignal(): Promise<void> {
  return new Promise((resolve) => {
    // A pending signal handler alone does not keep the process; a timer does.
    const timer = setInterval(() => undefined, 1_000_000);
    for (const signal of SIGNALS) process.once(signal, () => resolve(clearInterval(timer)));
  });
}
