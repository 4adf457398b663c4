// A process that is started again whenever it ends, as kubelet does, but without waiting longer each time.
// Does not know what it runs.
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./child.js";

const PAUSE_MS = 300;

/** One process after the other. Live until `stop()`. */
export class KeptAlive {
  readonly name: string;
  /** When one ended, in milliseconds since the epoch. */
  readonly ends: number[] = [];
  readonly #start: () => Promise<Child>;
  /** Those before the present one. */
  readonly #ended: Child[] = [];
  #child: Child;
  #isOver = false;
  readonly #keeping: Promise<void>;

  private constructor(name: string, start: () => Promise<Child>, first: Child) {
    this.name = name;
    this.#start = start;
    this.#child = first;
    this.#keeping = this.#keep();
  }

  static async begin(name: string, start: () => Promise<Child>): Promise<KeptAlive> {
    return new KeptAlive(name, start, await start());
  }

  /** The one that runs, or ended a moment ago. */
  get child(): Child {
    return this.#child;
  }

  /** All that they wrote. */
  get lines(): readonly string[] {
    return [...this.#ended, this.#child].flatMap(({ lines }) => lines);
  }

  /** A signal to the one that runs. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child.running) process.kill(this.#child.pid, signal);
  }

  /** Ends it for good; gives its exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#isOver = true;
    this.signal("SIGCONT");
    const code = await this.#child.stop(signal);
    await this.#keeping;
    return code;
  }

  async #keep(): Promise<void> {
    for (;;) {
      await this.#child.stopped();
      // what it wrote last may still be on its way
      await sleep(PAUSE_MS);
      if (this.#isOver) return;
      this.ends.push(Date.now());
      const next = await this.#start();
      this.#ended.push(this.#child);
      this.#child = next;
      if (this.#isOver) await this.#child.stop();
    }
  }
}
