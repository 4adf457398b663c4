// Limits for callers: so many calls at once for each, so many a second for strangers together.
// What a caller in excess is told is always Overloaded.
import { ZoppError } from "../../crds/errors.js";

/** A bucket of tokens that refills evenly. */
export class Rate {
  readonly #perSecond: number;
  readonly #atOnce: number;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  /** `now` gives milliseconds; `atOnce` is how many may come at once. */
  constructor(perSecond: number, now: () => number = () => performance.now(), atOnce = perSecond) {
    this.#perSecond = perSecond;
    this.#atOnce = atOnce;
    this.#now = now;
    this.#tokens = atOnce;
    this.#at = now();
  }

  /** Whether there is none. */
  get used(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(this.#atOnce, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    return this.#tokens < 1;
  }

  /** Takes one; false when there is none. */
  take(): boolean {
    if (this.used) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** A rate for each of many: the one that came last is remembered longest. */
export class KeyedRates {
  readonly #make: () => Rate;
  readonly #remembered: number;
  readonly #rates = new Map<string, Rate>();

  /** `make` gives each its own; so many are remembered. */
  constructor(make: () => Rate, remembered: number) {
    this.#make = make;
    this.#remembered = remembered;
  }

  of(name: string): Rate {
    const rate = this.#rates.get(name) ?? this.#make();
    this.#rates.delete(name);
    this.#rates.set(name, rate);
    const [oldest] = this.#rates.keys();
    if (oldest !== undefined && this.#rates.size > this.#remembered) this.#rates.delete(oldest);
    return rate;
  }
}

/** So many at once per caller. */
export class Quota {
  readonly #atOnce: number;
  readonly #what: string;
  readonly #running = new Map<string, number>();

  /** `what` is counted, in words. */
  constructor(atOnce: number, what: string) {
    this.#atOnce = atOnce;
    this.#what = what;
  }

  /** Takes one for a caller; gives what frees it, to be called once. Throws Overloaded when all are taken. */
  take(caller: string): () => void {
    const running = this.#running.get(caller) ?? 0;
    if (running >= this.#atOnce)
      throw new ZoppError("Overloaded", `${caller} has ${running} ${this.#what} running, which is the limit`);
    this.#running.set(caller, running + 1);
    return () => {
      const left = (this.#running.get(caller) ?? 1) - 1;
      if (left === 0) this.#running.delete(caller);
      else this.#running.set(caller, left);
    };
  }
}
