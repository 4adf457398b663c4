// Chance that can be had again: the same seed gives the same choices.

/** A stream of choices (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number below `count`. */
  below(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count);
  }

  /** True in so many of a hundred cases. */
  percent(share: number): boolean {
    return this.below(100) < share;
  }

  /** One of a list, which must not be empty. */
  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new TypeError("nothing to choose from");
    return found;
  }

  /** Those of a list that chance keeps. */
  some<T>(list: readonly T[]): readonly T[] {
    return list.filter(() => this.percent(50));
  }

  /** One of a table of weights. */
  weighted<T>(table: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.below(table.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of table) {
      left -= weight;
      if (left < 0) return value;
    }
    throw new TypeError("no weights");
  }
}
