// A work queue of keys with two lanes: what people change overtakes what is only looked at again.
// Holds no objects and knows no Kubernetes; each key is worked on by one worker at a time.

import { type BackoffLimits, backoffMs } from "./backoff.js";
import type { QueueHooks } from "./observe.js";

/** `urgent` for people's changes; `background` for first lists, resyncs and waiting. */
export type Lane = "urgent" | "background";

const LANES: readonly Lane[] = ["urgent", "background"];

/** Time, as the queue sees it: milliseconds that only grow, and timers that can be taken back. */
export interface Clock {
  now(): number;
  after(delayMs: number, run: () => void): () => void;
}

/** The process's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** How a queue is made. */
export interface QueueOptions {
  readonly name: string;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly hooks?: QueueHooks | undefined;
  /** Delays of failing keys (default 5 ms doubling to 5 minutes). */
  readonly backoff?: BackoffLimits;
}

interface Active {
  readonly lane: Lane;
  readonly startedAt: number;
}

interface Delayed {
  readonly at: number;
  readonly lane: Lane;
  readonly cancel: () => void;
}

/** setTimeout fires at once for anything longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Keys waiting, being worked on, and to come back to. Live until `shutdown()`. */
export class Queue {
  readonly name: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #hooks: QueueHooks | undefined;
  readonly #backoff: BackoffLimits;
  /** Waiting keys in order, with the time they came; a Map folds duplicates. */
  readonly #ready: Record<Lane, Map<string, number>> = { urgent: new Map(), background: new Map() };
  readonly #active = new Map<string, Active>();
  /** Added while active: worked on once more when done. */
  readonly #again = new Map<string, Lane>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  #waiters: { readonly lanes: readonly Lane[]; readonly resolve: (key: string | null) => void }[] = [];
  #drained: (() => void)[] = [];
  #closed = false;

  constructor(options: QueueOptions) {
    this.name = options.name;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#hooks = options.hooks;
    this.#backoff = options.backoff ?? { firstMs: 5, capMs: 300_000 };
  }

  /** Adds a key now. One that waits already only moves up; one being worked on comes again; a delayed one is due. */
  add(key: string, lane: Lane = "urgent"): void {
    if (this.#closed) return;
    this.#undelay(key);
    if (this.#active.has(key)) {
      if (lane === "urgent" || !this.#again.has(key)) this.#again.set(key, lane);
      return;
    }
    this.#push(key, lane);
  }

  /** Adds a key later. Of two times the earlier counts; a key that waits already is left as it is. */
  addAfter(key: string, delayMs: number, lane: Lane = "background"): void {
    if (this.#closed || this.#waits(key) || this.#again.has(key)) return;
    if (delayMs <= 0) {
      this.add(key, lane);
      return;
    }
    const at = this.#clock.now() + Math.min(delayMs, LONGEST_TIMER_MS);
    const other = this.#delayed.get(key);
    if (other !== undefined && other.at <= at) return;
    other?.cancel();
    const cancel = this.#clock.after(at - this.#clock.now(), () => this.add(key, lane));
    this.#delayed.set(key, { at, lane, cancel });
  }

  /** Adds a key that failed, in the lane it was in, after its backoff but not before `atLeastMs`. Gives the delay. */
  addRateLimited(key: string, atLeastMs = 0): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const delayMs = Math.max(backoffMs(failures, this.#backoff, this.#random), atLeastMs);
    this.#hooks?.retried?.(this.name);
    this.addAfter(key, delayMs, this.#active.get(key)?.lane ?? "background");
    return delayMs;
  }

  /** Forgets the failures of a key, once it succeeded or will not be tried again. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often a key failed since it was last forgotten. */
  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /**
   * Waits for a key of these lanes to work on, the first lane before the second; null = shut down. Every key taken must be given
   * back with {@link done}.
   */
  get(lanes: readonly Lane[] = LANES): Promise<string | null> {
    if (this.#closed) return Promise.resolve(null);
    const key = this.#take(lanes);
    if (key !== null) return Promise.resolve(key);
    return new Promise((resolve) => this.#waiters.push({ lanes, resolve }));
  }

  /** The lane of a key that is being worked on. */
  laneOf(key: string): Lane | undefined {
    return this.#active.get(key)?.lane;
  }

  /** Gives a key back. */
  done(key: string): void {
    const active = this.#active.get(key);
    if (active === undefined) throw new TypeError(`queue ${this.name}: ${key} is not being worked on`);
    this.#active.delete(key);
    this.#hooks?.finished?.(this.name, (this.#clock.now() - active.startedAt) / 1000);
    const lane = this.#again.get(key);
    this.#again.delete(key);
    if (lane !== undefined && !this.#closed) this.#push(key, lane);
    if (this.#active.size > 0) return;
    for (const drained of this.#drained.splice(0)) drained();
  }

  /** Refuses new keys and drops waiting ones; resolves when no key is being worked on. */
  shutdown(): Promise<void> {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    for (const map of [this.#delayed, this.#again, this.#ready.urgent, this.#ready.background]) map.clear();
    for (const { resolve } of this.#waiters.splice(0)) resolve(null);
    if (this.#active.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** How many keys wait. */
  get depth(): number {
    return this.#ready.urgent.size + this.#ready.background.size;
  }

  /** How many keys are being worked on. */
  get activeCount(): number {
    return this.#active.size;
  }

  /** Age of the key that waits longest; 0 = none waits. */
  get oldestWaitingMs(): number {
    const firsts = [first(this.#ready.urgent), first(this.#ready.background)].filter((at) => at !== undefined);
    return firsts.length === 0 ? 0 : this.#clock.now() - Math.min(...firsts);
  }

  /** The key that is being worked on longest and for how long; null = none. For liveness. */
  get longestActive(): { readonly key: string; readonly forMs: number } | null {
    // keys enter #active in order of time
    for (const [key, { startedAt }] of this.#active) return { key, forMs: this.#clock.now() - startedAt };
    return null;
  }

  #waits(key: string): boolean {
    return this.#ready.urgent.has(key) || this.#ready.background.has(key);
  }

  #push(key: string, lane: Lane): void {
    if (this.#ready.urgent.has(key)) return;
    const since = this.#ready.background.get(key);
    if (since !== undefined) {
      if (lane === "background") return;
      this.#ready.background.delete(key);
    } else {
      this.#hooks?.added?.(this.name);
    }
    this.#ready[lane].set(key, since ?? this.#clock.now());
    const at = this.#waiters.findIndex(({ lanes }) => lanes.includes(lane));
    for (const { lanes, resolve } of at < 0 ? [] : this.#waiters.splice(at, 1)) resolve(this.#take(lanes));
  }

  #take(lanes: readonly Lane[]): string | null {
    for (const lane of lanes) {
      for (const [key, since] of this.#ready[lane]) {
        const now = this.#clock.now();
        this.#ready[lane].delete(key);
        this.#active.set(key, { lane, startedAt: now });
        this.#hooks?.started?.(this.name, (now - since) / 1000);
        return key;
      }
    }
    return null;
  }

  #undelay(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }
}

/** The smallest time in a lane is its first, but for keys that moved up from the other lane: near enough for an age. */
function first(lane: ReadonlyMap<string, number>): number | undefined {
  for (const since of lane.values()) return since;
  return undefined;
}
