// Candidates on a real API server, with times that are short.
import t, { type Test } from "tap";
import type { ZoppError } from "../../crds/errors.js";
import { type ControlPlane, startControlPlane } from "../../hack/control-plane/control-plane.js";
import { must } from "../../hack/control-plane/kubectl.js";
import { eventually } from "../../hack/eventually.js";
import { type ApiClient, connect } from "./client.js";
import { hasStatus } from "./errors.js";
import { Election } from "./lease.js";
import { holderOf, type Lease, SHARDS_ANNOTATION } from "./lease.plan.js";
import { silentLog } from "./observe.js";
import { LEASES } from "./resources.js";

const TIMES = { durationMs: 6000, deadlineMs: 4000, retryMs: 500 };

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

/** Candidates of one election, each by its name. */
function electorate(t: Test, name: string) {
  const place = { namespace: "default", name };
  return {
    place,
    lease: () => client.get<Lease>(LEASES, place),
    stand(identity: string, shards = 1) {
      const lost: ZoppError[] = [];
      const options = { client, place, identity, log: silentLog, times: TIMES, shards };
      const election = new Election({ ...options, lost: (error) => void lost.push(error) });
      t.teardown(() => election.release());
      return { election, lost, campaign: election.campaign() };
    },
  };
}

t.test("one of three leads, and another one when it gives up", async (t) => {
  const { stand, lease } = electorate(t, "three");
  const all = ["a", "b", "c"].map(stand);
  const leading = () => all.filter(({ election }) => election.leads);
  await Promise.race(all.map(({ campaign }) => campaign));
  const [first] = leading();
  t.equal(leading().length, 1);
  await eventually(async () => ((await lease()).spec?.renewTime ?? "") > ((await lease()).spec?.acquireTime ?? ""), {
    message: "it renews",
  });
  t.strictSame(leading(), [first]);
  await first?.election.release();
  t.notOk(first?.election.leads);
  await eventually(() => leading().length === 1);
  t.not(leading()[0], first);
  t.equal((await lease()).spec?.leaseTransitions, 1);
  for (const { lost } of all) t.strictSame(lost, [], "giving up is not losing");
});

t.test("whoever stands by and is released never leads", async (t) => {
  const { stand } = electorate(t, "released");
  t.ok(await stand("a").campaign);
  const { election, campaign } = stand("b");
  await election.release();
  t.equal(await campaign, false);
});

t.test("a Lease that is deleted makes no second leader", async (t) => {
  const { stand, lease, place } = electorate(t, "deleted");
  const first = stand("a");
  await first.campaign;
  const second = stand("b");
  const { uid } = (await lease()).metadata;
  await client.delete(LEASES, place);
  await eventually(async () => (await lease()).metadata.uid !== uid, { message: "it is there again" });
  t.equal(holderOf(await lease()), "a");
  t.ok(first.election.leads);
  t.notOk(second.election.leads);
});

t.test("a Lease that is deleted makes no second leader of one that begins only then", async (t) => {
  const { stand, lease, place } = electorate(t, "deleted-before");
  const first = stand("a");
  await first.campaign;
  const { uid } = (await lease()).metadata;
  await client.delete(LEASES, place);
  const second = stand("b");
  await eventually(async () => (await lease()).metadata.uid !== uid, { message: "it is there again" });
  t.equal(holderOf(await lease()), "a");
  t.strictSame(first.lost, []);
  t.notOk(second.election.leads);
});

t.test("a Lease that somebody else holds is lost", async (t) => {
  const { stand, lease, place } = electorate(t, "taken");
  const { election, lost, campaign } = stand("a");
  await campaign;
  const spec = { ...(await lease()).spec, holderIdentity: "z" };
  await client.apply<Lease>(LEASES, { metadata: place, spec } as Lease, { fieldManager: "test" });
  await eventually(() => lost.length > 0);
  t.match(lost, [{ code: "NotLeading", message: "the lease default/taken: it is held by z" }]);
  t.notOk(election.leads);
  await election.release();
  t.equal(holderOf(await lease()), "z", "what is somebody else's is not given up");
});

for (const numbers of [["2"], ["2", "0"]]) {
  const title = `another hand writes ${numbers.join(", then ")} for the number of shards: all of the wait begins anew`;
  t.test(title, async (t) => {
    const { stand, lease, place } = electorate(t, `renumbered-${numbers.join("-")}`);
    const { election, campaign } = stand("a", 3);
    await campaign;
    let byHand: string | undefined;
    for (const number of numbers) {
      const metadata = { ...place, annotations: { [SHARDS_ANNOTATION]: number } };
      byHand = (await client.apply<Lease>(LEASES, { metadata }, { fieldManager: "test" })).metadata.resourceVersion;
    }
    const renewed = await eventually(async () => {
      const found = await lease();
      return found.metadata.resourceVersion !== byHand && found;
    });
    t.equal(
      renewed.metadata.annotations?.[SHARDS_ANNOTATION],
      "0",
      "whoever went by that number must see that it changes",
    );
    t.notOk(election.leads);
    await eventually(() => election.leads);
    t.equal((await lease()).metadata.annotations?.[SHARDS_ANNOTATION], "3");
  });
}

t.test("a Lease that cannot be renewed is lost before another may take it", async (t) => {
  const { place, lease } = electorate(t, "cut-off");
  let isCut = false;
  const apply: ApiClient["apply"] = (...given) =>
    isCut ? new Promise(() => {}) : client.apply(...(given as Parameters<ApiClient["apply"]>));
  const cut = { get: client.get.bind(client), watch: client.watch.bind(client), apply };
  const lost: ZoppError[] = [];
  const options = { client: cut as ApiClient, place, identity: "a", log: silentLog, times: TIMES };
  const election = new Election({ ...options, lost: (error) => void lost.push(error) });
  await election.campaign();
  isCut = true;
  await eventually(() => lost.length > 0);
  t.notOk(election.leads);
  t.equal(holderOf(await lease()), "a", "it still binds the others");
});

t.test("a process that was paused past its time does not lead, before any of its timers has run", async (t) => {
  const { election, campaign } = electorate(t, "paused").stand("a");
  await campaign;
  t.ok(election.leads);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TIMES.deadlineMs);
  t.notOk(election.leads);
});

t.test("a machine that slept past its time does not lead when it wakes up, and ends", async (t) => {
  const { stand, lease } = electorate(t, "slept");
  const { election, lost, campaign } = stand("a");
  await campaign;
  t.ok(election.leads);
  // its steady clock stood still meanwhile; that of the wall was set right
  const rightNow = Date.now;
  t.teardown(() => {
    Date.now = rightNow;
  });
  Date.now = () => rightNow() + TIMES.deadlineMs;
  t.notOk(election.leads);
  await eventually(() => lost.length > 0);
  t.match(lost, [{ code: "NotLeading", message: /its time was up/ }]);
  Date.now = rightNow;
  t.notOk(election.leads, "for good");
  t.equal(holderOf(await lease()), "a", "it gave nothing up that it may not have any more");
});

t.test("who lacks the rights for it is told which, and on which Lease, once", async (t) => {
  await must(plane.kubectl(["create", "serviceaccount", "weak", "--namespace", "default"]));
  const file = await plane.serviceAccountKubeconfig("default", "weak");
  const weak = await connect({ file, userAgent: "zopp-test" });
  const told: string[] = [];
  const log = { ...silentLog, warn: (_fields: object, message: string) => void told.push(message) };
  const place = { namespace: "default", name: "forbidden" };
  let asked = 0;
  const get: ApiClient["get"] = (...given) => {
    asked += 1;
    return weak.get(...(given as Parameters<ApiClient["get"]>)) as never;
  };
  const counted = { get, watch: weak.watch.bind(weak), apply: weak.apply.bind(weak) };
  const election = new Election({ client: counted, place, identity: "a", log, times: TIMES, lost: () => {} });
  const campaign = election.campaign();
  await eventually(() => asked > 2, { message: "it tries again and again" });
  t.equal(told.length, 1);
  t.match(told[0], /^cannot stand by: .*get, watch, create, patch .*default\/forbidden/);
  await election.release();
  t.equal(await campaign, false);
  await weak.close();
});

t.test("of two that create the Lease one wins", async (t) => {
  const { place } = electorate(t, "created");
  const body = { metadata: { ...place, resourceVersion: "1" }, spec: { holderIdentity: "a", leaseDurationSeconds: 1 } };
  const both = await Promise.allSettled(
    ["a", "b"].map((fieldManager) => client.apply(LEASES, body as Lease, { fieldManager })),
  );
  const refused = both.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  t.equal(refused.length, 1);
  t.ok(refused.every(({ reason }) => hasStatus(reason, 409)));
});
