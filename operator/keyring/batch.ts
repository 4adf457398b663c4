// Gathers single requests into batches: whatever is asked while a call runs goes into the next one.
// Knows nothing of what is asked, but how large it is and whose work waits for it.
import { ZoppError } from "../../crds/errors.js";
import { presentLane } from "../kube/limiter.js";
import { type Clock, type Lane, systemClock } from "../kube/queue.js";

/** The most that goes into one call. */
const MAX_ITEMS = 64;
const MAX_BYTES = 2 * 1024 * 1024;
/** Calls at once: one is worked on while the next is on its way. */
const MAX_CALLS = 2;
/**
 * While there is much to do, calls are at least this far apart, less where a person's change waits: every call costs the
 * keyring a durable write, which is shared by all that is in it, and both processes work faster on many than on one. A
 * single change after a pause is sent at once. A first sync took a tenth less CPU with 200 ms than with 100, and no less
 * with 300; about 28 bundles share a call then.
 */
const BUSY_GAP_MS: Readonly<Record<Lane, number>> = { urgent: 100, background: 200 };

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly bytes: number;
  readonly lane: Lane;
  readonly signal: AbortSignal | undefined;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** A batcher over one call that takes items and gives as many answers, in the same order. */
export class Batcher<Item, Answer> {
  readonly #call: (items: Item[]) => Promise<readonly Answer[]>;
  readonly #clock: Clock;
  readonly #waiting: Waiting<Item, Answer>[] = [];
  #calls = 0;
  /** When the last call with more than one item was made. */
  #busyAt = Number.NEGATIVE_INFINITY;
  #putOff: (() => void) | undefined;

  constructor(call: (items: Item[]) => Promise<readonly Answer[]>, clock: Clock = systemClock) {
    this.#call = call;
    this.#clock = clock;
  }

  /** The answer to one item of `bytes` bytes. Rejects as the call does; throws KeyringUnavailable when nobody waits for it by then. */
  add(item: Item, bytes: number, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, lane: presentLane(), signal, resolve, reject });
      // items of one turn of the event loop go together
      setImmediate(() => this.#send());
    });
  }

  #send(): void {
    while (this.#calls < MAX_CALLS && this.#waiting.length > 0) {
      const earlyMs = this.#busyAt + this.#gapMs() - this.#clock.now();
      if (earlyMs > 0 && this.#waiting.length < MAX_ITEMS) return this.#sendLater(earlyMs);
      const batch = this.#take();
      if (batch.length > 1) this.#busyAt = this.#clock.now();
      if (batch.length > 0) void this.#run(batch);
    }
  }

  #gapMs(): number {
    return BUSY_GAP_MS[this.#waiting.some(({ lane }) => lane === "urgent") ? "urgent" : "background"];
  }

  /** Somebody whose work is more urgent may have come since it was last put off. */
  #sendLater(delayMs: number): void {
    this.#putOff?.();
    this.#putOff = this.#clock.after(delayMs, () => this.#send());
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
