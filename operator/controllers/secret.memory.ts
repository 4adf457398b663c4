// What the process remembers of bundles between two thoughts and may forget at a restart without harm.
// Nothing here is a fact about the cluster: those are in informers and in status.

const DAY_MS = 24 * 3600_000;

/** Demands, looks at foreign Secrets, daily audits, and who is making which Secret. Lives as long as the process. */
export class BundleMemory {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #demanded = new Set<string>();
  readonly #foreignAt = new Map<string, number>();
  readonly #auditAt = new Map<string, number>();
  readonly #changedAt = new Map<string, number>();
  readonly #tryingSince = new Map<string, number>();
  readonly #makers = new Map<string, string>();

  /** `now` gives milliseconds that only grow, `random` numbers from 0 to below 1. */
  constructor(now: () => number, random: () => number = Math.random) {
    this.#now = now;
    this.#random = random;
  }

  /** A person asked for this bundle to be opened and written again. */
  demand(key: string): void {
    this.#demanded.add(key);
  }

  /** True when a person asked, or the daily audit is due. Stays so until {@link settled}. */
  isDemanded(key: string): boolean {
    return this.#demanded.has(key) || this.auditInMs(key) <= 0;
  }

  /** Milliseconds until the bundle is opened and compared again, at a random moment of each day. */
  auditInMs(key: string): number {
    let at = this.#auditAt.get(key);
    if (at === undefined) {
      at = this.#now() + this.#random() * DAY_MS;
      this.#auditAt.set(key, at);
    }
    return at - this.#now();
  }

  /** The bundle was opened, or refused for good: demands are met, the next audit is another day's. */
  settled(key: string): void {
    if (this.auditInMs(key) <= 0) this.#auditAt.set(key, this.#now() + (0.5 + this.#random()) * DAY_MS);
    this.#demanded.delete(key);
    this.#changedAt.delete(key);
    this.#tryingSince.delete(key);
  }

  /** The bundle is about to be opened and written; the first attempt counts until it is settled. */
  trying(key: string): void {
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

  /** The bundle's target was just looked up: `foreign` = it is somebody else's. */
  looked(key: string, foreign: boolean): void {
    if (foreign) this.#foreignAt.set(key, this.#now());
    else this.#foreignAt.delete(key);
  }

  /** How long ago the target was found to be somebody else's. */
  foreignSinceMs(key: string): number | undefined {
    const at = this.#foreignAt.get(key);
    return at === undefined ? undefined : this.#now() - at;
  }

  /**
   * Takes the right to make a Secret that is not there yet: two bundles that name one target and find it absent at
   * the same moment must not both make it. False when another bundle is at it.
   */
  startMaking(target: string, key: string): boolean {
    const maker = this.#makers.get(target);
    if (maker !== undefined && maker !== key) return false;
    this.#makers.set(target, key);
    return true;
  }

  /** Gives that right back. */
  stopMaking(target: string, key: string): void {
    if (this.#makers.get(target) === key) this.#makers.delete(target);
  }

  /** The bundle is gone. */
  forget(key: string): void {
    this.#demanded.delete(key);
    for (const map of [this.#foreignAt, this.#auditAt, this.#changedAt, this.#tryingSince]) map.delete(key);
  }
}
