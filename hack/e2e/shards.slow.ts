// Operators that divide the work by namespaces. Each reaches the API server through a proxy of its own, which keeps what it wrote.
import t, { type Test } from "tap";
import { shardOf } from "../../operator/kube/shards.plan.js";
import { eventually } from "../eventually.js";
import { FaultingProxy } from "../faulting-proxy.js";
import { startTestbed } from "../testbed.js";
import { quiet } from "../testbed.look.js";
import type { Replica } from "../testbed.operator.js";
import { Operators } from "./operators.js";

const SHARDS = 3;
/** Changes a second in each namespace. */
const PER_SECOND = 5;
/** For each test a namespace of each of three shards; of two shards, they are not all of one. */
const [AT_WORK, KILLED, CHANGED] = ["work", "killed", "changed"].map((what) =>
  [0, 1, 2].map((shard) => {
    const names = Array.from({ length: 100 }, (_, at) => `shop-${what}-${at}`);
    return names.find((name) => shardOf(name, SHARDS) === shard && shardOf(name, 2) === shard % 2) ?? "";
  }),
) as [string[], string[], string[]];

const bed = await startTestbed({ apart: true, namespaces: [...AT_WORK, ...KILLED, ...CHANGED] });
await bed.operator.stop();
const operators = new Operators(bed);
const proxies = new Map<Replica, FaultingProxy>();
t.teardown(async () => {
  await operators.stop();
  for (const proxy of proxies.values()) await proxy.stop();
  await bed.stop();
});

async function start(shards: number): Promise<Replica> {
  const proxy = await FaultingProxy.start(bed.controlPlane);
  const replica = await operators.start("--kubeconfig", proxy.kubeconfig, "--shards", String(shards));
  proxies.set(replica, proxy);
  return replica;
}

/** The namespaces in which an operator has written Secrets, statuses, states or Events since so many writes. */
function writtenBy(replica: Replica, since = 0): readonly string[] {
  const paths = (proxies.get(replica)?.written ?? []).slice(since).map(({ path }) => path);
  const found = paths.map((path) => /\/namespaces\/(shop-[^/]+)\//.exec(path)?.[1]);
  return [...new Set(found.filter((namespace) => namespace !== undefined))].sort();
}

/** Who wrote anything about what is in no namespace. */
const writersOfPolicy = () =>
  [...proxies]
    .filter(([, { written }]) => written.some(({ path }) => path.includes("/zoppworkspaces/")))
    .map(([one]) => one);

/** Does something while values change in each of these namespaces. */
async function underLoad(t: Test, namespaces: readonly string[], act: () => Promise<void>): Promise<void> {
  const [first = "", ...others] = namespaces;
  const inner = others.length === 0 ? act : () => underLoad(t, others, act);
  await operators.underLoadIn(t, first, inner, PER_SECOND);
}

t.test("three operators work at once, each on its namespaces, and one stands by", async (t) => {
  await Promise.all([start(SHARDS), start(SHARDS), start(SHARDS)]);
  const leaders = await operators.leaders(SHARDS);
  t.equal(new Set(leaders).size, SHARDS, "nobody has two shards");
  const spare = await start(SHARDS);
  await underLoad(t, AT_WORK, async () => {});
  for (const [shard, leader] of leaders.entries()) {
    t.strictSame(writtenBy(leader), [AT_WORK[shard]], `shard ${shard}`);
    await quiet(leader);
  }
  t.strictSame(writtenBy(spare), []);
  t.strictSame(
    writersOfPolicy().filter((one) => one !== leaders[0]),
    [],
    "policy is the first one's alone",
  );
});

t.test("one is killed: the one that stands by takes its shard, nothing is lost, and none is done twice", async (t) => {
  const before = await operators.leaders(SHARDS);
  const [, killed] = before;
  const [spare] = [...operators.running].filter((replica) => !before.includes(replica));
  await underLoad(t, KILLED, async () => {
    await killed?.child.stop("SIGKILL");
    t.strictSame(await operators.leaders(SHARDS), [before[0], spare, before[2]]);
  });
  t.strictSame(writtenBy(spare as Replica), [KILLED[1]], "nobody else's work was done");
});

t.test("another number of shards comes with a rolling update: nothing is lost, and none is done twice", async (t) => {
  const old = [...operators.running];
  await underLoad(t, CHANGED, async () => {
    for (const replica of old) {
      await start(2);
      await replica.child.stop("SIGTERM");
    }
    await operators.leaders(2);
  });
  const leaders = await operators.leaders(2);
  for (const leader of leaders) await quiet(leader);
  const written = leaders.map((leader) => proxies.get(leader)?.written.length ?? 0);
  await bed.applyBundle(bed.seal({ A: "after" }, { name: "after", namespace: CHANGED[1] ?? "" }));
  await eventually(() => bed.secret("after", CHANGED[1]), { timeoutMs: 30_000, message: "its Secret is there" });
  const writers = () => leaders.filter((leader, shard) => writtenBy(leader, written[shard]).length > 0);
  await eventually(() => writers().length > 0);
  t.strictSame(writers(), [leaders[1]]);
});
