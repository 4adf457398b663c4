// Limits for callers: so many calls at once for each, so many a second for strangers together.
// What a caller in excess is told is always Overloaded.
import { ZoppError } from "../../crds/errors.js";

/** A bucket of tokens that refills evenly. */
export class Rate {
  readonly #perSecond: number;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  /** `perSecond` is also how many may come at once; `now` gives milliseconds. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#now = now;
    this.#tokens = perSecond;
    this.#at = now();
  }

  /** Takes one; false when there is none. */
  take(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** So many calls at once per caller. */
export class Quota {
  readonly #atOnce: number;
  readonly #running = new Map<string, number>();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Runs a call within the caller's quota. Throws Overloaded when it is used up. */
  async within<T>(caller: string, call: () => Promise<T>): Promise<T> {
    const running = this.#running.get(caller) ?? 0;
    if (running >= this.#atOnce)
      throw new ZoppError("Overloaded", `${caller} has ${running} calls running, which is the limit`);
    this.#running.set(caller, running + 1);
    try {
      return await call();
    } finally {
      const left = (this.#running.get(caller) ?? 1) - 1;
      if (left === 0) this.#running.delete(caller);
      else this.#running.set(caller, left);
    }
  }
}
