// A process of zopp under test: started, its log kept, asked for its health, ended by its own id.
// Knows nothing of what the process does.
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** How a process is started. */
export interface ChildOptions {
  /** Name for messages. */
  readonly name: string;
  /** Path of the compiled entry point. */
  readonly main: string;
  readonly args: readonly string[];
  /** Added to a copy of our environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  /** What runs `main`. Default: the Node that we run on. */
  readonly node?: readonly [program: string, ...args: string[]];
}

/**
 * What a long-running process is started with, as in the images: V8 and malloc keep less of what they have freed. Without
 * it resident memory is about twice as large after a first sync, for the same live data.
 */
export const RUNTIME = {
  NODE_OPTIONS: "--max-semi-space-size=16 --max-old-space-size=256",
  MALLOC_ARENA_MAX: "1",
  MALLOC_TRIM_THRESHOLD_: "131072",
} as const;

/**
 * Begins a shell's text, so that it runs programs as a person does: under tap every child would load all of tap's.
 */
export const PLAIN_NODE = "unset NODE_OPTIONS\n";

/** The last lines of a log that a failure shows. */
const TAIL = 30;
const EXIT_MS = 30_000;

/** One running process. Live until `stop()`. */
export class Child {
  readonly name: string;
  /** Everything the process wrote, by line. */
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  readonly #exited: Promise<number | null>;

  constructor({ name, main, args, env = {}, nodeArgs = [], node = [process.execPath] }: ChildOptions) {
    this.name = name;
    const [program, ...before] = node;
    this.#process = spawn(program, [...before, ...nodeArgs, main, ...args], {
      env: { ...process.env, ...RUNTIME, ...env, NODE_OPTIONS: `${RUNTIME.NODE_OPTIONS} ${env["NODE_OPTIONS"] ?? ""}` },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#exited = new Promise((resolve) => this.#process.once("exit", (code) => resolve(code)));
    for (const stream of [this.#process.stdout, this.#process.stderr]) this.#keep(stream);
    children.add(this);
    void this.#exited.then(() => children.delete(this));
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Ends the process and resolves with its exit code (null: it was killed). SIGKILL follows after 30 s. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.running) this.#process.kill(signal);
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), EXIT_MS);
    const code = await this.#exited;
    clearTimeout(timer);
    return code;
  }

  /** Resolves with the exit code once the process has ended by itself. */
  stopped(): Promise<number | null> {
    return this.#exited;
  }

  /** Fails with the end of the log when the process has ended. */
  refuseDead(): void {
    if (!this.running) throw new Error(`${this.name} has ended:\n${this.lines.slice(-TAIL).join("\n")}`);
  }

  /** Waits until a probe on loopback answers 200; a process that ended meanwhile is an error with its log. */
  async healthy(port: number, path = "/readyz", timeoutMs = 120_000): Promise<void> {
    let last = "no answer";
    const until = Date.now() + timeoutMs;
    while (Date.now() < until) {
      this.refuseDead();
      try {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`);
        if (answer.ok) return;
        last = await answer.text();
      } catch {
        // it does not listen yet
      }
      await sleep(20);
    }
    throw new Error(`${this.name} ${path} says after ${timeoutMs} ms: ${last}\n${this.lines.slice(-TAIL).join("\n")}`);
  }

  #keep(stream: NodeJS.ReadableStream | null): void {
    let rest = "";
    stream?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
    });
    stream?.once("end", () => rest !== "" && this.lines.push(rest));
  }
}

/** When a process of zopp said something for the last time, by its log, in milliseconds since the epoch; NaN = never. */
export function saidAt({ lines }: { readonly lines: readonly string[] }, what: string): number {
  const line = lines.findLast((said) => said.includes(`"msg":"${what}"`));
  return Date.parse(JSON.parse(line ?? "{}").time);
}

const children = new Set<Child>();
process.once("exit", () => {
  for (const child of children) process.kill(child.pid, "SIGKILL");
});
