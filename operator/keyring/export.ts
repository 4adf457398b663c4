// The export of a log: each stored record as one JSON line on stdout, and a checkpoint at most once a second.
// Whatever collects the pod's output has the records then: only after that may the cluster forget them.
import type { Writable } from "node:stream";

const BETWEEN_MS = 1_000;

/** The lines of one log on their way out. */
export class Export {
  readonly #out: Writable;
  readonly #checkpoint: () => string;
  #last = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(out: Writable, checkpoint: () => string) {
    this.#out = out;
    this.#checkpoint = checkpoint;
  }

  /** Writes records out as they are hashed, byte for byte, and the checkpoint that holds them now or soon. */
  lines(lines: readonly string[]): void {
    this.#out.write(lines.map((line) => `{"audit":${line}}\n`).join(""));
    const waitMs = this.#last + BETWEEN_MS - performance.now();
    if (waitMs <= 0) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), waitMs);
  }

  /** Writes the checkpoint of what is stored. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#last = performance.now();
    this.#out.write(`${JSON.stringify({ checkpoint: this.#checkpoint() })}\n`);
  }
}
