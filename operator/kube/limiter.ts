// How many requests may be on their way to the API server at once: more as long as it answers well, half as many when it refuses
// one in three, or is slow. People's changes go before what is only looked at again.
import { AsyncLocalStorage } from "node:async_hooks";
import { type Clock, type Lane, systemClock } from "./queue.js";

/** Where work is told its lane. */
export const laneOfWork = new AsyncLocalStorage<Lane>();

/** The lane of the work that asks; whoever asks outside of one goes with people's changes. */
export function presentLane(): Lane {
  return laneOfWork.getStore() ?? "urgent";
}

/** How a limiter is made. */
export interface LimiterOptions {
  /** Never more requests at once than this; it begins here. */
  readonly most: number;
  readonly clock?: Clock;
  /** Told of each new limit. */
  readonly limited?: ((limit: number) => void) | undefined;
}

/** What became of a request. `retryAfterMs`: how long the API server asked to wait. */
export interface Answered {
  readonly status: number;
  readonly retryAfterMs?: number | undefined;
  /** Only an answer that should have been quick tells by its slowness. */
  readonly isQuick: boolean;
}

/** A request on its way; `end` must be called once: with undefined when nothing was answered, which says nothing of load. */
export interface Pass {
  end(answered: Answered | undefined): void;
}

/** One of them is always kept for people's changes. */
const LEAST = 2;
/** Kubernetes' own goal for a call about one object. */
const SLOW_MS = 1000;
const DEFAULT_PAUSE_MS = 1000;
const TOO_MUCH: ReadonlySet<number> = new Set([429, 503]);
/** Priority and fairness refuses some in ordinary peaks: who was refused waits, and only more than this share of the last ones slow all down. */
const REFUSED = 1 / 3;
/** About as many answers are the last ones. */
const LAST = 32;

type Waiter = () => void;

/** Lets requests of one process go out. Lives as long as its transport. */
export class Limiter {
  readonly #options: LimiterOptions;
  readonly #clock: Clock;
  readonly #waiting: Record<Lane, Set<Waiter>> = { urgent: new Set(), background: new Set() };
  #limit: number;
  #inFlight = 0;
  /** The share of the last answers that were refusals; later ones count more. */
  #refused = 0;
  /** What went out before says nothing about the limit since. */
  #halvedAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: LimiterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limit = options.most;
    options.limited?.(this.#limit);
  }

  /** Waits until a request may go out. Throws the reason of `signal` when it aborts before. */
  async enter(signal?: AbortSignal | null): Promise<Pass> {
    const lane = presentLane();
    if (!this.#isOpen(lane)) await this.#wait(lane, signal);
    else this.#inFlight += 1;
    const sentAt = this.#clock.now();
    return {
      end: (answered) => {
        this.#inFlight -= 1;
        if (answered !== undefined) this.#learn(answered, sentAt);
        this.#release();
      },
    };
  }

  #wait(lane: Lane, signal: AbortSignal | null | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting[lane].delete(go);
        reject(signal?.reason);
      };
      const go = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      if (signal?.aborted) return reject(signal.reason);
      this.#waiting[lane].add(go);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  #isOpen(lane: Lane): boolean {
    const limit = Math.floor(this.#limit) - (lane === "background" ? 1 : 0);
    return this.#inFlight < limit && this.#clock.now() >= this.#pausedUntil;
  }

  #release(): void {
    for (const lane of ["urgent", "background"] as const) {
      for (const go of this.#waiting[lane]) {
        if (!this.#isOpen(lane)) break;
        this.#waiting[lane].delete(go);
        this.#inFlight += 1;
        go();
      }
    }
  }

  #learn({ status, retryAfterMs, isQuick }: Answered, sentAt: number): void {
    const now = this.#clock.now();
    const isRefused = TOO_MUCH.has(status);
    this.#refused += (Number(isRefused) - this.#refused) / LAST;
    if (sentAt < this.#halvedAt) return;
    const tooMuch = isRefused && this.#refused > REFUSED;
    const isSlow = isQuick && now - sentAt >= SLOW_MS;
    if (!tooMuch && !isSlow) return isRefused ? undefined : this.#set(this.#limit + 1 / this.#limit);
    this.#halvedAt = now;
    // as few as can be, and still too many
    if (tooMuch && this.#limit === LEAST) this.#pause(retryAfterMs ?? DEFAULT_PAUSE_MS);
    this.#set(this.#limit / 2);
  }

  #set(limit: number): void {
    const next = Math.min(this.#options.most, Math.max(LEAST, limit));
    if (Math.floor(next) !== Math.floor(this.#limit)) this.#options.limited?.(Math.floor(next));
    this.#limit = next;
  }

  #pause(forMs: number): void {
    this.#pausedUntil = this.#clock.now() + forMs;
    this.#clock.after(forMs, () => this.#wake());
  }

  /** A timer may fire a little before its time: then the pause is not over yet, and nobody else would end it. */
  #wake(): void {
    const leftMs = this.#pausedUntil - this.#clock.now();
    if (leftMs > 0) this.#clock.after(Math.ceil(leftMs), () => this.#wake());
    else this.#release();
  }
}
