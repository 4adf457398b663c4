// Gathers single requests into batches: whatever is asked while a call runs goes into the next one.
// Knows nothing of what is asked, but how large it is.
import { ZoppError } from "../../crds/errors.js";

/** The most that goes into one call. */
const MAX_ITEMS = 64;
const MAX_BYTES = 2 * 1024 * 1024;
/** Calls at once: one is worked on while the next is on its way. */
const MAX_CALLS = 2;
/**
 * While there is much to do, calls are at least this far apart: every call costs the keyring a durable write, which is
 * shared by all that is in it. A single change after a pause is sent at once. By reckoning, 16 share one at 160 bundles a
 * second, and 3 % of all writes are the log's; with 60 ms it was 5 %.
 */
const BUSY_GAP_MS = 100;

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly bytes: number;
  readonly signal: AbortSignal | undefined;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** A batcher over one call that takes items and gives as many answers, in the same order. */
export class Batcher<Item, Answer> {
  readonly #call: (items: Item[]) => Promise<readonly Answer[]>;
  readonly #waiting: Waiting<Item, Answer>[] = [];
  #calls = 0;
  /** When the next call may be made; only in the future after a call with more than one item. */
  #notBefore = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(call: (items: Item[]) => Promise<readonly Answer[]>) {
    this.#call = call;
  }

  /** The answer to one item of `bytes` bytes. Rejects as the call does; throws KeyringUnavailable when nobody waits for it by then. */
  add(item: Item, bytes: number, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, signal, resolve, reject });
      // items of one turn of the event loop go together
      setImmediate(() => this.#send());
    });
  }

  #send(): void {
    while (this.#calls < MAX_CALLS && this.#waiting.length > 0) {
      const earlyMs = this.#notBefore - performance.now();
      if (earlyMs > 0 && this.#waiting.length < MAX_ITEMS) return this.#sendLater(earlyMs);
      const batch = this.#take();
      if (batch.length > 1) this.#notBefore = performance.now() + BUSY_GAP_MS;
      if (batch.length > 0) void this.#run(batch);
    }
  }

  #sendLater(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#send();
    }, delayMs);
  }

  #take(): Waiting<Item, Answer>[] {
    const batch: Waiting<Item, Answer>[] = [];
    let bytes = 0;
    for (let next = this.#waiting[0]; next !== undefined && batch.length < MAX_ITEMS; next = this.#waiting[0]) {
      if (batch.length > 0 && bytes + next.bytes > MAX_BYTES) break;
      this.#waiting.shift();
      if (next.signal?.aborted === true) {
        next.reject(new ZoppError("KeyringUnavailable", "the call was aborted before it was sent"));
      } else {
        bytes += next.bytes;
        batch.push(next);
      }
    }
    return batch;
  }

  async #run(batch: readonly Waiting<Item, Answer>[]): Promise<void> {
    this.#calls += 1;
    try {
      const answers = await this.#call(batch.map(({ item }) => item));
      for (const [at, { resolve, reject }] of batch.entries()) {
        const answer = answers[at];
        if (answer === undefined) reject(new TypeError("a batch was answered with too few answers"));
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#calls -= 1;
      this.#send();
    }
  }
}
