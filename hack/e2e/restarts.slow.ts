// Restarts of workloads on a real API server and its controllers: what is restarted, how often, and what is left alone.
// No node runs: what kubelet would say of pods is said in its place.
import t, { type Test } from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { conditionOf } from "../../operator/kube/conditions.js";
import { EVENTS, type KubeObject, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { must } from "../control-plane/kubectl.js";
import { eventually } from "../eventually.js";
import { withHeader, withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf, quiet, readMetrics } from "../testbed.look.js";
import { USES, Workloads } from "../workloads.js";

const NAMESPACE = "shop-prod";
const RESTARTS = ["--restarts", "deployments,statefulsets,daemonsets,rollouts"];

const bed = await startTestbed({ kem: "x25519" });
t.teardown(() => bed.stop());
const workloads = new Workloads(bed.client, NAMESPACE);
t.teardown(() => workloads.stop());
await workloads.prepare();

/** Ends the operator, and starts it again with the right to restart. */
async function again(signal: NodeJS.Signals = "SIGTERM", more: readonly string[] = []): Promise<void> {
  await bed.operator.stop(signal);
  await bed.startOperator([...RESTARTS, ...more]);
  await quiet(bed);
}

/** A bundle that asks for restarts, and its Secret. */
async function born(name: string, restart: "auto" | "none" = "auto"): Promise<void> {
  await bed.applyBundle(bed.seal({ A: "one" }, { name, restart }));
  await bed.settled("Synced", name);
}

async function stored(name: string): Promise<ZoppSecret> {
  const { metadata: _, status: __, ...rest } = await bed.bundle(name);
  return { ...rest, metadata: { name, namespace: NAMESPACE } } as ZoppSecret;
}

async function set(name: string, value: string): Promise<void> {
  await bed.applyBundle(withValue(await stored(name), "A", value, bed.writing()));
  await eventually(async () => (await bed.secret(name)).data?.["A"] === value);
}

/** Waits until a bundle's last change is in its status, and nothing is left to restart for it. */
async function concluded(name: string): Promise<void> {
  await bed.settled("Synced", name);
  const isDone = async () => {
    const { status } = await bed.bundle(name);
    return status?.restarts !== undefined && status.restarts.due === undefined;
  };
  await eventually(isDone, { timeoutMs: 60_000, message: `nothing is due for ${name}` });
}

function pendingOf({ status }: ZoppSecret) {
  return conditionOf(status, "RestartPending");
}

async function events(bundle: string, reason: string): Promise<readonly string[]> {
  type Event = KubeObject & { involvedObject: { name: string }; reason: string; message: string };
  const { items } = await bed.client.list<Event>(EVENTS, { namespace: NAMESPACE });
  return items
    .filter((event) => event.involvedObject.name === bundle && event.reason === reason)
    .map(({ message }) => message);
}

async function neverRestarted(t: Test, names: readonly string[]): Promise<void> {
  for (const name of names) {
    t.strictSame(await workloads.restarts("deployments", name), { count: 0, mark: undefined }, name);
  }
}

t.test("an operator that is not told to restart looks at no workload", async (t) => {
  await born("off");
  await workloads.make("deployments", "off", USES.env("off"));
  await set("off", "two");
  await quiet(bed);
  t.equal((await bed.bundle("off")).status?.restarts, undefined);
  await neverRestarted(t, ["off"]);
  await again();
  await concluded("off");
  await neverRestarted(t, ["off"]);
});

const WAYS = [
  ["deployments", "way-env", USES.env],
  ["statefulsets", "way-env-from", USES.envFrom],
  ["daemonsets", "way-volume", USES.volume],
  ["rollouts", "way-projected", USES.projected],
  ["deployments", "way-init", USES.init],
] as const;

t.test("a changed Secret restarts every kind of workload that uses it in any way, once", async (t) => {
  await born("ways");
  for (const [kind, name, use] of WAYS) await workloads.make(kind, name, use("ways"));
  for (const [kind, name] of WAYS) t.equal((await workloads.restarts(kind, name)).count, 0, `${name}: not at first`);
  const before = (await readMetrics(bed.ports.metrics)).sum("zopp_restarts_total", { result: "restarted" });
  await set("ways", "two");
  await concluded("ways");
  for (const [kind, name] of WAYS) {
    const { count, mark } = await workloads.restarts(kind, name);
    t.match(mark, /^ways=[0-9a-f]{32}$/, name);
    t.equal(count, 1, name);
    await workloads.rolledOut(kind, name);
  }
  const after = (await readMetrics(bed.ports.metrics)).sum("zopp_restarts_total", { result: "restarted" });
  t.equal(after - before, WAYS.length);
  const said = (await events("ways", "Restarted")).join();
  for (const what of [
    "deployment/way-env",
    "statefulset/way-env-from",
    "daemonset/way-volume",
    "rollout/way-projected",
  ]) {
    t.match(said, what);
  }
  t.equal(pendingOf(await bed.bundle("ways")), undefined);
  const fields = JSON.stringify((await workloads.get("deployments", "way-env")).metadata.managedFields);
  t.match(fields, /"manager":"zopp-operator-restarts","operation":"Apply"/, "under a field manager of its own");
});

t.test("a workload that opts out, or uses another Secret, or whose bundle wants none, is left alone", async (t) => {
  await born("wanted");
  await born("unwanted", "none");
  await workloads.make("deployments", "with", USES.env("wanted"));
  await workloads.make("deployments", "opted-out", USES.env("wanted"), { annotations: { "zopp.dev/restart": "none" } });
  await workloads.make("deployments", "elsewhere", USES.env("another"));
  await workloads.make("deployments", "unwanted", USES.env("unwanted"));
  await set("unwanted", "two");
  await set("wanted", "two");
  await concluded("wanted");
  t.equal((await workloads.restarts("deployments", "with")).count, 1);
  await neverRestarted(t, ["opted-out", "elsewhere", "unwanted"]);
  const metrics = await readMetrics(bed.ports.metrics);
  t.equal(metrics.sum("zopp_restarts_total", { result: "skipped" }), 1);
});

t.test("a Rollout that follows a Deployment's template is restarted by it, when it is well", async (t) => {
  await born("followed");
  await workloads.makeFollowed("followed", USES.env("followed"));
  await set("followed", "two");
  await concluded("followed");
  const { count, mark } = await workloads.restarts("deployments", "followed");
  t.match(mark, /^followed=[0-9a-f]{32}$/);
  t.equal(count, 1);
  t.equal((await workloads.restarts("rollouts", "followed")).count, 0, "it has no template to be marked");
  await set("followed", "three");
  const isWaiting = async () => pendingOf(await bed.bundle("followed"))?.message;
  const waits = await eventually(isWaiting, { timeoutMs: 30_000, message: "its rollout is not finished" });
  t.match(waits, /deployment\/followed \(rollout\/followed, which has its pods: its rollout is not finished\)/);
  await workloads.rolledOut("rollouts", "followed");
  await concluded("followed");
  t.equal((await workloads.restarts("deployments", "followed")).count, 2);
});

t.test("several bundles that change in one go restart a workload once", async (t) => {
  const names = ["burst-a", "burst-b", "burst-c"];
  for (const name of names) await born(name);
  const containers = [{ name: "app", image: "app", envFrom: names.map((name) => ({ secretRef: { name } })) }];
  await workloads.make("deployments", "burst", { containers });
  await Promise.all(names.map((name) => set(name, "two")));
  for (const name of names) await concluded(name);
  const { count, mark } = await workloads.restarts("deployments", "burst");
  t.match(mark, /^burst-a=\w{32},burst-b=\w{32},burst-c=\w{32}$/);
  t.equal(count, 1);
});

t.test(
  "what changes no value restarts nothing: the same value again, labels, repairs, a demand, a new operator",
  async (t) => {
    await born("same");
    await workloads.make("deployments", "same", USES.env("same"));
    const { resourceVersion } = (await bed.secret("same")).metadata;
    await bed.applyBundle(withValue(await stored("same"), "A", "one", bed.writing()));
    await bed.settled("Synced", "same");
    t.equal(
      (await bed.secret("same")).metadata.resourceVersion,
      resourceVersion,
      "sealed again, the Secret is as it was",
    );
    await bed.applyBundle(withHeader(await stored("same"), { target: { labels: { team: "shop" } } }, bed.writing()));
    await eventually(async () => (await bed.secret("same")).metadata.labels?.["team"] === "shop");
    const kubectl = kubectlOf(bed);
    await kubectl("patch", "secret", "same", "--patch", '{"data":{"A":"eA=="}}');
    await eventually(async () => (await bed.secret("same")).data?.["A"] === "one", { message: "it is repaired" });
    await kubectl("annotate", "zoppsecret", "same", "zopp.dev/reconcile=now");
    await quiet(bed);
    await again();
    // what would have been due shows at the latest with what is
    await set("same", "two");
    await concluded("same");
    t.equal((await workloads.restarts("deployments", "same")).count, 1, "only the real change restarted it");
  },
);

t.test("a rollout in trouble is waited for, the bundle says so, and its Secret is written all the same", async (t) => {
  workloads.broken.add("broken");
  await born("trouble");
  await workloads.make("deployments", "broken", USES.env("trouble"));
  await set("trouble", "two");
  const bundle = await eventually(
    async () => {
      const found = await bed.bundle("trouble");
      return pendingOf(found) !== undefined && found;
    },
    { timeoutMs: 30_000 },
  );
  t.match(pendingOf(bundle), { status: "True", reason: "RolloutUnfinished", message: /deployment\/broken \(/ });
  t.match(bundle.status?.conditions?.[0], { type: "Ready", status: "True" });
  await neverRestarted(t, ["broken"]);
  workloads.broken.delete("broken");
  await concluded("trouble");
  t.equal((await workloads.restarts("deployments", "broken")).count, 1);
  t.equal(pendingOf(await bed.bundle("trouble")), undefined);
});

t.test("an operator that is killed after it wrote the Secret loses no restart, wherever it was", async (t) => {
  await born("killed");
  await workloads.make("deployments", "killed", USES.env("killed"));
  const { status } = await bed.bundle("killed");
  await set("killed", "two");
  await bed.operator.stop("SIGKILL");
  await neverRestarted(t, ["killed"]);
  // as far as it comes between its two writes
  const { metadata } = await bed.bundle("killed");
  const before = { ...(await bed.bundle("killed")), metadata, status } as ZoppSecret;
  await bed.client.replace(ZOPP_SECRETS, before, { subresource: "status" });
  await bed.startOperator(RESTARTS);
  await concluded("killed");
  t.equal((await workloads.restarts("deployments", "killed")).count, 1, "killed before the status was written");
  await workloads.rolledOut("deployments", "killed");
  await set("killed", "three");
  await bed.settled("Synced", "killed");
  t.ok((await bed.bundle("killed")).status?.restarts?.due, "it is due");
  await bed.operator.stop("SIGKILL");
  await bed.startOperator(RESTARTS);
  await concluded("killed");
  t.equal((await workloads.restarts("deployments", "killed")).count, 2, "killed before the workload was marked");
});

/** How many workloads' restarts are refused now. */
async function refusedNow(): Promise<number> {
  return (await readMetrics(bed.ports.metrics)).sum("zopp_restarts_refused");
}

t.test("an operator without the right to restart says so until it is done, and the Secret follows", async (t) => {
  await born("denied");
  await workloads.make("deployments", "denied", USES.env("denied"));
  const account = "zopp-system:weak";
  const { controlPlane } = bed;
  for (const args of [
    ["create", "serviceaccount", "weak", "--namespace", "zopp-system"],
    ["create", "clusterrole", "weak", "--verb", "*", "--resource", "*.zopp.dev,secrets,events"],
    ["create", "clusterrole", "weak-status", "--verb", "patch", "--resource", "zoppsecrets.zopp.dev/status"],
    ["create", "clusterrolebinding", "weak", "--clusterrole", "weak", "--serviceaccount", account],
    ["create", "clusterrolebinding", "weak-status", "--clusterrole", "weak-status", "--serviceaccount", account],
  ]) {
    await must(controlPlane.kubectl(args));
  }
  const kubeconfig = await controlPlane.serviceAccountKubeconfig("zopp-system", "weak");
  await again("SIGTERM", ["--kubeconfig", kubeconfig]);
  await set("denied", "two");
  const told = await eventually(
    async () => {
      const pending = pendingOf(await bed.bundle("denied"));
      return pending?.reason === "RestartRefused" && pending;
    },
    { timeoutMs: 30_000 },
  );
  t.match(told.message, /may not list them.*operator\.restarts/);
  t.match((await bed.bundle("denied")).status?.conditions?.[0], { type: "Ready", status: "True" });
  t.equal((await events("denied", "RestartRefused")).length, 1);
  await neverRestarted(t, ["denied"]);
  t.equal(await refusedNow(), 4, "each kind that may not be listed is one");
  const right = ["--verb", "list,patch", "--resource", "*.apps,*.argoproj.io"];
  await must(controlPlane.kubectl(["create", "clusterrole", "weak-restarts", ...right]));
  const bind = ["create", "clusterrolebinding", "weak-restarts", "--clusterrole", "weak-restarts"];
  await must(controlPlane.kubectl([...bind, "--serviceaccount", account]));
  // what was refused is looked at again after a minute, or when there is more to do
  await set("denied", "three");
  await eventually(async () => (await refusedNow()) === 0, { timeoutMs: 90_000, message: "nothing is refused" });
  await concluded("denied");
  t.equal((await workloads.restarts("deployments", "denied")).count, 1, "with the right it is done");
});
