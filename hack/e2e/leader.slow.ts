import t from "tap";
import { type KubeObject, type Resource, SECRETS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { type Asked, FaultingProxy } from "../faulting-proxy.js";
import { withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { quiet, versions } from "../testbed.look.js";
import { Operators } from "./operators.js";

const NAMESPACE = "shop-prod";

const bed = await startTestbed({ apart: true, namespaces: [NAMESPACE, "shop-killed", "shop-paused", "shop-cut-off"] });
await bed.operator.stop();
const operators = new Operators(bed);
const proxy = await FaultingProxy.start(bed.controlPlane);
t.teardown(async () => {
  await operators.stop();
  await proxy.stop();
  await bed.stop();
});

t.test("kill -9 of the leader: the other takes over when the Lease has run out, and no change is lost", async (t) => {
  const leader = await operators.start();
  t.equal(await operators.leader(), leader);
  const standby = await operators.start();
  await operators.underLoad(t, "killed", async () => {
    await leader.child.stop("SIGKILL");
    t.equal(await operators.leader(), standby);
  });
});

t.test("a leader that was paused for longer than its Lease begins no request when it wakes up, and ends", async (t) => {
  const leader = await operators.leader();
  const standby = await operators.start();
  await operators.underLoad(t, "paused", async (load) => {
    const before = load.applied;
    const burst = load.burst();
    // in the middle of its work: answers and writes are under way
    while (load.applied === before) await new Promise(setImmediate);
    process.kill(leader.child.pid, "SIGSTOP");
    await burst;
    t.equal(await operators.leader(standby), standby);
  });
  await quiet(standby);
  const before = await versions(bed, "shop-paused");
  process.kill(leader.child.pid, "SIGCONT");
  t.equal(await leader.child.stopped(), 1);
  const other = [...(await versions(bed, "shop-paused"))].filter(([name, version]) => before.get(name) !== version);
  const names = other.map(([name]) => name);
  t.strictSame(
    names.filter((name) => name.startsWith("secrets/")),
    [],
    "it wrote no Secret",
  );
  // between its turn and its socket a request can be stopped with the process; of all that were to come it is one at most
  const about = new Set(names.map((name) => /\/(load-\d+)/.exec(name)?.[1]));
  t.ok(about.size <= 1, `of ${before.size} objects it wrote ${names.join(", ") || "none"}`);
  t.ok(
    leader.child.lines.some((line) => line.includes('"code":"NotLeading"')),
    "and says why it ends",
  );
});

t.test(
  "what a leader had sent when it was killed, and arrives late, changes no Secret, and a status is put right",
  async (t) => {
    await operators.stop();
    const leader = await operators.start("--kubeconfig", proxy.kubeconfig);
    t.equal(await operators.leader(), leader);
    const standby = await operators.start();
    const late = new Map<string, Asked>();
    const bundles = new Map(["content", "status"].map((name) => [name, bed.seal({ A: "one" }, { name })]));
    const change = async (value: string) => {
      for (const [name, bundle] of bundles) {
        const next = withValue(bundle, "A", value, bed.writing());
        bundles.set(name, next);
        await bed.applyBundle(next);
      }
    };
    const inForce = (value: string) =>
      eventually(async () => {
        for (const name of bundles.keys()) {
          const { data, metadata } = await bed.secret(name, NAMESPACE);
          const { status } = await bed.bundle(name, NAMESPACE);
          if (data?.["A"] !== value || status?.target?.resourceVersion !== metadata.resourceVersion) return false;
        }
        return true;
      });
    for (const bundle of bundles.values()) await bed.applyBundle(bundle);
    await inForce("one");
    proxy.fault((asked) => {
      const name = /\/secrets\/(content)$|\/zoppsecrets\/(status)\/status$/.exec(asked.path)?.slice(1).join("");
      if (name === undefined || asked.method === "GET") return undefined;
      late.set(name, asked);
      return { kind: "hang" };
    });
    await change("two");
    await eventually(() => late.size === bundles.size, { message: "both are under way" });
    await leader.child.stop("SIGKILL");
    proxy.lift();
    t.equal(await operators.leader(), standby);
    await inForce("two");
    await change("three");
    await inForce("three");
    const before = await versions(bed, NAMESPACE);
    const arrives = (name: string, resource: Resource, more: { readonly subresource?: string } = {}) => {
      const { query, body } = late.get(name) as Asked;
      const options = { fieldManager: query.get("fieldManager") ?? "", force: query.get("force") === "true" };
      return bed.client.apply(resource, JSON.parse(body) as KubeObject, { ...options, ...more });
    };
    await t.rejects(arrives("content", SECRETS), { code: "ApiConflict" });
    const stale = await arrives("status", ZOPP_SECRETS, { subresource: "status" });
    t.not(
      stale.metadata.resourceVersion,
      before.get("zoppsecrets/status"),
      "the API server takes a status as it comes",
    );
    await inForce("three");
    const after = await versions(bed, NAMESPACE);
    for (const name of bundles.keys()) t.equal(after.get(`secrets/${name}`), before.get(`secrets/${name}`), name);
  },
);

t.test("a leader that cannot reach the API server ends by itself, before the other begins", async (t) => {
  await operators.stop();
  const leader = await operators.start("--kubeconfig", proxy.kubeconfig);
  t.equal(await operators.leader(), leader);
  const standby = await operators.start();
  await operators.underLoad(t, "cut off", async () => {
    proxy.fault(() => ({ kind: "hang" }));
    t.equal(await leader.child.stopped(), 1);
    t.equal(await operators.leader(), standby);
  });
});
