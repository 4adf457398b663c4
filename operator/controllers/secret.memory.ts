// What the process remembers of bundles between two thoughts and may forget at a restart without harm.
// Nothing here is a fact about the cluster: those are in informers and in status.

const DAY_MS = 24 * 3600_000;
/** Of thousands of bundles some would be due as the process starts, and a restart opens nothing. */
const FIRST_RETRY_MS = 10 * 60_000;

/** Demands, names that are taken, looks at foreign Secrets and daily retries. Lives as long as the process. */
export class BundleMemory {
  readonly #now: () => number;
  readonly #random: () => number;
  /** What people asked for, until it is met: true when the attempt that runs meets it, having begun afterwards. */
  readonly #demands = new Map<string, boolean>();
  readonly #foreignAt = new Map<string, number>();
  readonly #retryAt = new Map<string, number>();
  readonly #changedAt = new Map<string, number>();
  readonly #tryingSince = new Map<string, number>();
  readonly #nameTaken = new Set<string>();
  readonly #speaksAt = new Map<string, number>();

  /** `now` gives milliseconds that only grow, `random` numbers from 0 to below 1. */
  constructor(now: () => number, random: () => number = Math.random) {
    this.#now = now;
    this.#random = random;
  }

  /** A person asked for this bundle to be opened and written again. */
  demand(key: string): void {
    this.#demands.set(key, false);
  }

  /** True when a person asked. Stays so until an attempt that began afterwards is {@link settled}. */
  isDemanded(key: string): boolean {
    return this.#demands.has(key);
  }

  /**
   * Milliseconds until a bundle that is refused is tried once more whatever the reason is: at a random moment of each day, but not
   * soon after a start. One that is ready is not: each opening is a record, and records are kept.
   */
  retryInMs(key: string): number {
    let at = this.#retryAt.get(key);
    if (at === undefined) {
      at = this.#now() + FIRST_RETRY_MS + this.#random() * (DAY_MS - FIRST_RETRY_MS);
      this.#retryAt.set(key, at);
    }
    return at - this.#now();
  }

  /** The bundle was opened, or refused for good: demands from before the attempt are met, the next retry is another day's. */
  settled(key: string): void {
    if (this.retryInMs(key) <= 0) this.#retryAt.set(key, this.#now() + (0.5 + this.#random()) * DAY_MS);
    if (this.#demands.get(key) === true) this.#demands.delete(key);
    this.#changedAt.delete(key);
    this.#tryingSince.delete(key);
  }

  /** The bundle is about to be brought to where it should be; the first attempt counts until it is settled. */
  trying(key: string): void {
    if (this.#demands.has(key)) this.#demands.set(key, true);
    if (!this.#tryingSince.has(key)) this.#tryingSince.set(key, this.#now());
  }

  /** How long opening and writing have been tried in vain. */
  tryingForMs(key: string): number {
    return this.#now() - (this.#tryingSince.get(key) ?? this.#now());
  }

  /** A change of the bundle was seen; the first one counts until it is settled. */
  changed(key: string): void {
    if (!this.#changedAt.has(key)) this.#changedAt.set(key, this.#now());
  }

  /** Seconds since the change that is being worked on was seen. */
  waitedSeconds(key: string): number | undefined {
    const at = this.#changedAt.get(key);
    return at === undefined ? undefined : (this.#now() - at) / 1000;
  }

  /** Creating the target failed: something stands under its name. It stays so until somebody has {@link looked}. */
  nameTaken(key: string): void {
    this.#nameTaken.add(key);
  }

  /** True when the target must be looked at before it is written. */
  isNameTaken(key: string): boolean {
    return this.#nameTaken.has(key);
  }

  /** The bundle's target was just looked up: `foreign` = it is somebody else's. */
  looked(key: string, foreign: boolean): void {
    this.#nameTaken.delete(key);
    if (foreign) this.#foreignAt.set(key, this.#now());
    else this.#foreignAt.delete(key);
  }

  /** How long ago the target was found to be somebody else's. */
  foreignSinceMs(key: string): number | undefined {
    const at = this.#foreignAt.get(key);
    return at === undefined ? undefined : this.#now() - at;
  }

  /** The moment of the wall clock at which something new is to be said of a value's end; undefined = never. */
  speaksAt(key: string, at: number | undefined): void {
    if (at === undefined) this.#speaksAt.delete(key);
    else this.#speaksAt.set(key, at);
  }

  /** Takes the bundles whose moment has passed: their timers run by another clock, which does not jump. */
  takeOverdue(now: Date): readonly string[] {
    const overdue = [...this.#speaksAt].filter(([, at]) => at <= now.getTime()).map(([key]) => key);
    for (const key of overdue) this.#speaksAt.delete(key);
    return overdue;
  }

  /** The bundle is gone. */
  forget(key: string): void {
    this.#nameTaken.delete(key);
    for (const map of [
      this.#demands,
      this.#foreignAt,
      this.#retryAt,
      this.#changedAt,
      this.#tryingSince,
      this.#speaksAt,
    ])
      map.delete(key);
  }
}
