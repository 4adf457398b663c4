// One process of several leads one shard of the work: stands by for the Leases of all shards, takes one, and keeps to it.
// Whoever works on a shard also knows, from the Lease of the first one, that the work is divided by the same number for all.
import { ZoppError } from "../../crds/errors.js";
import { pause } from "./backoff.js";
import { hasStatus } from "./errors.js";
import { Election, type ElectionOptions } from "./lease.js";
import { LEASE_TIMES, type Lease, type LeaseTimes, shardsOf } from "./lease.plan.js";
import { isWithin, type Moment, moment } from "./moment.js";
import { keyOf, LEASES, type Place } from "./resources.js";
import { isOfShard, leaseOfShard } from "./shards.plan.js";

/** How a process stands for election; `place` is the Lease of the first shard. */
export interface ShardElectionOptions extends Omit<ElectionOptions, "take"> {
  readonly shards: number;
  /** Says whether it may take a Lease that is free, within so long; absent: always. */
  readonly mayTake?: ((withinMs: number) => Promise<boolean>) | undefined;
}

const FIRST = 0;
/** What a Lease says that is not there: whoever makes it anew may go by any number. */
const NOBODYS = 0;

/** One candidate for any shard, and for no more than one. Live from `campaign()` to `release()` or until it has lost. */
export class ShardElection {
  readonly #options: ShardElectionOptions;
  readonly #times: LeaseTimes;
  readonly #elections: readonly Election[];
  readonly #stopped = new AbortController();
  /** When it was last asked what the first Lease says, and it said our number. */
  #agreed: Moment | undefined;
  /** The shard whose Lease is being taken, or is held. */
  #claimed: number | undefined;
  #following: Promise<void> = Promise.resolve();

  constructor(options: ShardElectionOptions) {
    const { shards, place, mayTake: _, ...rest } = options;
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
    this.#elections = Array.from({ length: shards }, (_, shard) => {
      const take = (write: () => Promise<void>) => this.#take(shard, write);
      // those of other shards may bind for long: until the first says our number it takes as long
      const more = shard === FIRST ? { shards } : { absentMs: this.#times.durationMs };
      return new Election({ ...rest, place: leaseOfShard(place, shard), take, ...more });
    });
  }

  /** The Leases, and whether this process leads by each. */
  get leases(): readonly { readonly place: Place; readonly leads: () => boolean }[] {
    return this.#elections.map((_, shard) => ({
      place: leaseOfShard(this.#options.place, shard),
      leads: () => this.#leads(shard),
    }));
  }

  /** True while this process leads the shard that this path belongs to. */
  mayWrite(path: string): boolean {
    const shard = this.#claimed;
    return shard !== undefined && isOfShard(path, shard, this.#options.shards) && this.#leads(shard);
  }

  /** Stands by until it leads a shard, and gives which. Undefined when it was released before. From then on it renews by itself. */
  async campaign(): Promise<number | undefined> {
    if (this.#elections.length > 1) this.#following = this.#follow();
    const won = await Promise.all(
      this.#elections.map(async (election, shard) => {
        if (!(await election.campaign())) return undefined;
        await Promise.all(this.#elections.map((other) => other === election || other.release()));
        return shard;
      }),
    );
    return won.find((shard) => shard !== undefined);
  }

  /** Ends the candidacy; see {@link Election.release}. */
  async release(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#elections.map((election) => election.release()));
    await this.#following;
  }

  #leads(shard: number): boolean {
    return this.#elections[shard]?.leads === true && (shard === FIRST || this.#agrees);
  }

  get #agrees(): boolean {
    return isWithin(this.#times.deadlineMs, this.#agreed);
  }

  async #take(shard: number, write: () => Promise<void>): Promise<boolean> {
    // no longer: meanwhile it does not see who else takes it
    if ((await this.#options.mayTake?.(this.#times.retryMs)) === false) return false;
    if (this.#claimed !== undefined || (shard !== FIRST && !this.#agrees)) return false;
    this.#claimed = shard;
    try {
      await write();
      return true;
    } catch (error) {
      this.#claimed = undefined;
      throw error;
    }
  }

  /** Looks at the first Lease again and again. Whoever works on another shard has lost when another number is in force there. */
  async #follow(): Promise<void> {
    const { client, place, shards } = this.#options;
    while (!this.#stopped.signal.aborted) {
      const asked = moment();
      const signal = AbortSignal.any([AbortSignal.timeout(this.#times.deadlineMs / 2), this.#stopped.signal]);
      // whoever cannot read it cannot stand by for it either, which is said there
      const said = await client
        .get<Lease>(LEASES, place, { signal })
        .then(shardsOf, (error: unknown) => (hasStatus(error, 404) ? NOBODYS : undefined));
      if (said === shards) this.#agreed = asked;
      else if (said !== undefined) this.#agreed = undefined;
      if (this.#claimed !== undefined && this.#claimed !== FIRST && !this.#agrees) return this.#lose();
      await pause(this.#times.retryMs, this.#stopped.signal);
    }
  }

  #lose(): void {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    const { place, shards, lost } = this.#options;
    lost(new ZoppError("NotLeading", `the lease ${keyOf({ metadata: place })} does not say ${shards} shards any more`));
  }
}
