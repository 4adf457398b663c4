// Candidates for several shards on a real API server, with times that are short. That nobody ever writes where another one may
// is looked at all the time, by asking each of them what the fence asks.
import t, { type Test } from "tap";
import type { ZoppError } from "../../crds/errors.js";
import { type ControlPlane, startControlPlane } from "../../hack/control-plane/control-plane.js";
import { eventually } from "../../hack/eventually.js";
import { type ApiClient, connect } from "./client.js";
import { holderOf, type Lease, SHARDS_ANNOTATION } from "./lease.plan.js";
import { silentLog } from "./observe.js";
import { LEASES, type Place } from "./resources.js";
import { ShardElection } from "./shards.js";
import { leaseOfShard, shardOf } from "./shards.plan.js";

const TIMES = { durationMs: 6000, deadlineMs: 4000, retryMs: 300 };
const LOOK_MS = 5;
const NAMESPACES = Array.from({ length: 12 }, (_, at) => `shop-${at}`);
const PATIENCE = { timeoutMs: 30_000 };
const secretsOf = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets/api`;

let plane: ControlPlane;
let client: ApiClient;
t.before(async () => {
  plane = await startControlPlane();
  client = await connect({ file: plane.kubeconfig, userAgent: "zopp-test" });
});
t.after(async () => {
  await client?.close();
  await plane?.stop();
});

/** A candidate that is alive, cut off from the API server, or gone. */
interface Candidate {
  readonly name: string;
  readonly election: ShardElection;
  readonly campaign: Promise<number | undefined>;
  readonly lost: ZoppError[];
  cutOff(): void;
}

/** Candidates for shards by the Leases of this name, and a witness of who may write what. */
function electorate(t: Test, name: string) {
  const place = { namespace: "default", name };
  const all: Candidate[] = [];
  const wrong: string[] = [];
  const looking = setInterval(() => {
    for (const path of [...NAMESPACES.map(secretsOf), "/apis/zopp.dev/v1alpha1/zoppworkspaces/acme/status"]) {
      const writers = all.filter(({ election }) => election.mayWrite(path));
      if (writers.length > 1) wrong.push(`${path}: ${writers.map(({ name }) => name)}`);
    }
  }, LOOK_MS);
  t.teardown(() => clearInterval(looking));
  return {
    wrong,
    leases: [0, 1].map((shard) => leaseOfShard(place, shard)) as [Place, Place],
    lease: () => client.get<Lease>(LEASES, place),
    stand(identity: string, shards: number): Candidate {
      let isCut = false;
      const unlessCut = <T>(ask: () => Promise<T>) => (isCut ? new Promise<T>(() => {}) : ask());
      const cuttable = {
        watch: client.watch.bind(client),
        get: (...given: Parameters<ApiClient["get"]>) => unlessCut(() => client.get(...given)),
        apply: (...given: Parameters<ApiClient["apply"]>) => unlessCut(() => client.apply(...given)),
      } as Pick<ApiClient, "get" | "apply" | "watch">;
      const lost: ZoppError[] = [];
      const options = { client: cuttable, place, shards, identity, log: silentLog, times: TIMES };
      const election = new ShardElection({ ...options, lost: (error) => void lost.push(error) });
      const candidate = { name: `${identity} of ${shards}`, election, lost, campaign: election.campaign() };
      const cutOff = () => {
        isCut = true;
      };
      all.push({ ...candidate, cutOff });
      t.teardown(() => isCut || election.release());
      return { ...candidate, cutOff };
    },
  };
}

/** True when each namespace, and what is in none, has a writer among these. */
const coverAll = (some: readonly Candidate[]) =>
  ["/apis/zopp.dev/v1alpha1/zoppworkspaces/acme/status", ...NAMESPACES.map(secretsOf)].every((path) =>
    some.some(({ election }) => election.mayWrite(path)),
  );

t.test("of four candidates three lead a shard each, and the fourth takes the one that is given up", async (t) => {
  const { stand, wrong } = electorate(t, "four");
  const all = ["a", "b", "c", "d"].map((name) => stand(name, 3));
  await eventually(() => coverAll(all), PATIENCE);
  const leading = all.filter(({ election }) => NAMESPACES.some((namespace) => election.mayWrite(secretsOf(namespace))));
  t.equal(leading.length, 3, "no one has two");
  const [ended, ...others] = leading as [Candidate, ...Candidate[]];
  const shard = await ended.campaign;
  await ended.election.release();
  t.notOk(coverAll(others));
  await eventually(() => coverAll(all), PATIENCE);
  const [spare] = all.filter((one) => !leading.includes(one));
  t.equal(await spare?.campaign, shard);
  for (const namespace of NAMESPACES) {
    t.equal(spare?.election.mayWrite(secretsOf(namespace)), shardOf(namespace, 3) === shard, namespace);
  }
  t.strictSame(wrong, []);
});

t.test("a shard whose operator is cut off is taken over, after that one has stopped", async (t) => {
  const { stand, wrong } = electorate(t, "cut-off");
  const all = ["a", "b", "c"].map((name) => stand(name, 2));
  await eventually(() => coverAll(all), PATIENCE);
  const [first] = all.filter(({ election }) => election.mayWrite("/apis/zopp.dev/v1alpha1/zoppworkspaces/acme/status"));
  first?.cutOff();
  await eventually(() => first?.lost.length === 1, PATIENCE);
  await eventually(() => coverAll(all.filter((one) => one !== first)), PATIENCE);
  t.strictSame(wrong, []);
});

t.test("the Leases are deleted while one cannot hear it: another one waits until that one has stopped", async (t) => {
  const { stand, wrong, leases } = electorate(t, "deleted");
  const all = ["a", "b"].map((name) => stand(name, 2));
  await eventually(() => coverAll(all), PATIENCE);
  const second = all.find(({ election }) => !election.mayWrite("/apis/zopp.dev/v1alpha1/zoppworkspaces/acme/status"));
  second?.cutOff();
  await client.delete(LEASES, leases[1]);
  const next = stand("c", 2);
  await eventually(() => coverAll([next, ...all.filter((one) => one !== second)]), PATIENCE);
  t.equal(second?.lost.length, 1, "it stopped by itself");
  t.strictSame(wrong, []);
});

t.test("the first Lease is deleted: whoever works on another shard stops as soon as it reads that", async (t) => {
  const { stand, leases } = electorate(t, "first-deleted");
  const all = ["a", "b"].map((name) => stand(name, 2));
  await eventually(() => coverAll(all), PATIENCE);
  const [first] = all.filter(({ election }) => election.mayWrite("/apis/zopp.dev/v1alpha1/zoppworkspaces/acme/status"));
  const second = all.find((one) => one !== first);
  // it would put the Lease back
  first?.cutOff();
  await client.delete(LEASES, leases[0]);
  await eventually(() => second?.lost.length === 1, PATIENCE);
  t.strictSame(first?.lost, [], "long before an answer is too old");
});

t.test("two numbers of shards at once, as in a rolling update: nobody writes where another one may", async (t) => {
  const { stand, wrong, lease } = electorate(t, "two-numbers");
  const old = ["a", "b", "c"].map((name) => stand(name, 2));
  await eventually(() => coverAll(old), PATIENCE);
  const next = ["x", "y", "z"].map((name) => stand(name, 3));
  // one of the old ones cannot hear that the number changes
  const [deaf] = old.filter(({ election }) =>
    NAMESPACES.some((namespace) => shardOf(namespace, 2) === 1 && election.mayWrite(secretsOf(namespace))),
  );
  deaf?.cutOff();
  for (const one of old) if (one !== deaf) await one.election.release();
  await eventually(() => coverAll(next), PATIENCE);
  t.equal((await lease()).metadata.annotations?.[SHARDS_ANNOTATION], "3");
  t.equal(deaf?.lost.length, 1, "it stopped by itself");
  t.strictSame(wrong, []);
});

t.test("from three shards back to one: the one waits until the others have stopped", async (t) => {
  const { stand, wrong, lease } = electorate(t, "back-to-one");
  const three = ["a", "b", "c"].map((name) => stand(name, 3));
  await eventually(() => coverAll(three), PATIENCE);
  const one = stand("x", 1);
  const [first] = three.filter(({ election }) =>
    election.mayWrite("/apis/zopp.dev/v1alpha1/zoppworkspaces/acme/status"),
  );
  await first?.election.release();
  await eventually(() => coverAll([one]), PATIENCE);
  t.equal((await lease()).metadata.annotations, undefined);
  for (const other of three) if (other !== first) t.equal(other.lost.length, 1, `${other.name} has lost`);
  t.match(three.find((other) => other !== first)?.lost, [
    { code: "NotLeading", message: /does not say 3 shards any more/ },
  ]);
  t.strictSame(wrong, []);
});

t.test("whoever goes by another number than the one in force never takes a shard beside it", async (t) => {
  const { stand, wrong } = electorate(t, "wrong-number");
  const two = ["a", "b"].map((name) => stand(name, 2));
  await eventually(() => coverAll(two), PATIENCE);
  const stranger = stand("x", 4);
  await new Promise((resolve) => setTimeout(resolve, 2 * TIMES.durationMs));
  t.ok(coverAll(two), "the others go on");
  for (const shard of [2, 3]) {
    const place = { namespace: "default", name: `wrong-number-${shard}` };
    const found = await client.get<Lease>(LEASES, place).catch(() => undefined);
    t.equal(holderOf(found), "", `nobody has shard ${shard}`);
  }
  await stranger.election.release();
  t.equal(await stranger.campaign, undefined);
  t.strictSame(wrong, []);
});
