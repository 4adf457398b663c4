// Several operators of one testbed, of which one leads by a Lease: started, told apart, and their Lease looked at.
// Does not own what is done to them.
import type { Test } from "tap";
import type { Lease } from "../../operator/kube/lease.plan.js";
import { keyOf, LEASES } from "../../operator/kube/resources.js";
import { leaseOfShard } from "../../operator/kube/shards.plan.js";
import { eventually } from "../eventually.js";
import { judgeLoad, Load } from "../load.js";
import type { Testbed } from "../testbed.js";
import { readMetrics } from "../testbed.look.js";
import type { Replica } from "../testbed.operator.js";

const LEASE = { namespace: "zopp-system", name: "zopp-operator" };
const NAME = `${LEASE.namespace}/${LEASE.name}`;
const PER_SECOND = 20;
/** More than a Lease lasts after its holder is gone. */
const PATIENCE_MS = 60_000;

/** Waits until one of these says that it leads by that Lease, and no other does; `port` is where its metrics are. */
export function soleLeader<T>(all: Iterable<T>, name: string, port: (one: T) => number): Promise<T> {
  return eventually(
    async () => {
      const leading: T[] = [];
      for (const one of all) {
        const numbers = await readMetrics(port(one));
        if (numbers.sum("leader_election_master_status", { name }) === 1) leading.push(one);
      }
      return leading.length === 1 ? leading[0] : undefined;
    },
    { timeoutMs: PATIENCE_MS, message: `one leads by ${name}` },
  );
}

/** Operators, those that run. The keyring of the testbed serves all of them. */
export class Operators {
  readonly #bed: Testbed;
  readonly running = new Set<Replica>();
  #started = 0;

  constructor(bed: Testbed) {
    this.#bed = bed;
  }

  /** Starts one that stands for election, and waits until it is ready. */
  async start(...more: readonly string[]): Promise<Replica> {
    const replica = await this.#bed.startReplica(`zopp-${++this.#started}`, ["--leader-elect", NAME, ...more]);
    this.running.add(replica);
    void replica.child.stopped().then(() => this.running.delete(replica));
    return replica;
  }

  /** Waits until one of those that run says that it leads, and no other does. */
  leader(...others: readonly Replica[]): Promise<Replica> {
    return soleLeader(others.length > 0 ? others : this.running, NAME, ({ ports }) => ports.metrics);
  }

  /** Waits until each of so many shards is led by one of those that run, and gives them by shard. */
  leaders(shards: number): Promise<readonly Replica[]> {
    return eventually(
      async () => {
        const read = await Promise.all(
          [...this.running].map(async (replica) => ({ replica, numbers: await readMetrics(replica.ports.metrics) })),
        );
        const leading = Array.from({ length: shards }, (_, shard) => {
          const name = keyOf({ metadata: leaseOfShard(LEASE, shard) });
          return read.filter(({ numbers }) => numbers.sum("leader_election_master_status", { name }) === 1);
        });
        return leading.every(({ length }) => length === 1) && leading.flat().map(({ replica }) => replica);
      },
      { timeoutMs: PATIENCE_MS, message: `each of ${shards} shards has one operator` },
    );
  }

  /** What the Lease says. */
  async lease(): Promise<NonNullable<Lease["spec"]>> {
    return (await this.#bed.client.get<Lease>(LEASES, LEASE)).spec ?? {};
  }

  /** Does something while values change all the time: every change arrives, and no Secret is written twice for one. */
  underLoad(t: Test, what: string, act: (load: Load) => Promise<void>): Promise<void> {
    return this.underLoadIn(t, `shop-${what.replaceAll(" ", "-")}`, act);
  }

  /** The same in a namespace, so many times a second. A bundle changes less than once in one: its version is a time in seconds. */
  async underLoadIn(
    t: Test,
    namespace: string,
    act: (load: Load) => Promise<void>,
    perSecond = PER_SECOND,
  ): Promise<void> {
    const { client } = this.#bed;
    const bundles = 2 * perSecond;
    const load = await Load.begin({ client, namespace, bundles, writing: this.#bed.writing() }, (error) =>
      t.fail(`the witness lost sight: ${String(error)}`),
    );
    let isOver = false;
    const changing = load.run(perSecond, () => isOver);
    try {
      await act(load);
      const after = load.changes + perSecond;
      await eventually(() => load.changes >= after, { timeoutMs: PATIENCE_MS, message: "values change once more" });
    } finally {
      isOver = true;
      await changing;
    }
    judgeLoad(t, await load.end());
  }

  /** Ends those that run, one after the other. */
  async stop(): Promise<void> {
    for (const { child } of this.running) await child.stop();
  }
}
