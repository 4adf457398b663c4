// The same client, informer and recorder on a real API server: what a scripted one cannot show.

import t, { type Test } from "tap";
import { type ControlPlane, startControlPlane } from "../../hack/control-plane/control-plane.js";
import { eventually } from "../../hack/eventually.js";
import { type ApiClient, connect } from "./client.js";
import { apiStatus, hasStatus } from "./errors.js";
import { Recorder } from "./events.js";
import { Informer } from "./informer.js";
import { type Log, silentLog } from "./observe.js";
import { CONFIG_MAPS, EVENTS, type KubeObject, SECRETS } from "./resources.js";

const MINE = { fieldManager: "zopp-test" };
const place = (name: string) => ({ namespace: "default", name });

/** A ConfigMap of ours, as applied. */
function configMap(name: string, value: string): KubeObject & { data: Record<string, string> } {
  return { metadata: { ...place(name), labels: { "zopp.dev/test": "kube" } }, data: { value } };
}

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

/** The metadata.resourceVersion that an apply answers with. */
async function applied(object: KubeObject): Promise<string | undefined> {
  return (await client.apply(CONFIG_MAPS, object, { ...MINE, metadataOnly: true })).metadata.resourceVersion;
}

t.test("an apply that changes nothing writes nothing, and its answer holds no data", async (t) => {
  const first = await applied(configMap("noop", "hunter2"));
  t.equal(await applied(configMap("noop", "hunter2")), first);
  t.not(await applied(configMap("noop", "other")), first);
  const answer = await client.apply(CONFIG_MAPS, configMap("noop", "hunter2"), { ...MINE, metadataOnly: true });
  t.equal(answer.kind, "PartialObjectMetadata");
  t.notMatch(JSON.stringify(answer), /hunter2/);
  t.notMatch(JSON.stringify(await client.get(CONFIG_MAPS, place("noop"), { metadataOnly: true })), /hunter2/);
});

t.test("refusals come as their codes, with fields and without values", async (t) => {
  const secret = { metadata: place("bad"), type: "kubernetes.io/tls", data: { "tls.crt": "aHVudGVyMg==" } };
  await t.rejects(client.apply(SECRETS, secret, MINE), { code: "ApiInvalid", fields: [{ path: "data[tls.key]" }] });
  await t.rejects(client.get(SECRETS, place("nowhere")), { code: "NotFound" });
  await t.rejects(client.create(CONFIG_MAPS, configMap("noop", "x")), {
    code: "ApiConflict",
    message: /AlreadyExists/,
  });
  await t.rejects(client.delete(CONFIG_MAPS, place("noop"), { uid: "another" }), { code: "ApiConflict" });
  const stale = { ...configMap("noop", "x"), metadata: { ...configMap("noop", "x").metadata, resourceVersion: "1" } };
  await t.rejects(client.replace(CONFIG_MAPS, stale), { code: "ApiConflict" });
  await t.rejects(client.apply(CONFIG_MAPS, stale, MINE), { code: "ApiConflict" }, "by force too");
  const account = await eventually(() => plane.serviceAccountKubeconfig("default", "default"));
  const stranger = await connect({ file: account });
  t.teardown(() => stranger.close());
  await t.rejects(stranger.list(SECRETS), { code: "ApiRefused" });
});

t.test("an event is said once, also by a process that does not remember it", async (t) => {
  const { metadata } = await client.get(CONFIG_MAPS, place("noop"));
  const logged: unknown[] = [];
  const log: Log = { ...silentLog, warn: (fields) => void logged.push(fields) };
  const happening = { type: "Normal", reason: "Tested", message: "as told", digest: "d1" } as const;
  for (let process = 0; process < 2; process++) {
    const recorder = new Recorder({ client, component: "zopp-test", instance: "pod", log });
    await recorder.event(CONFIG_MAPS, metadata, happening);
  }
  t.same(logged, []);
  const fieldSelector = `involvedObject.uid=${metadata.uid}`;
  const { items } = await client.list<KubeObject & { message: string }>(EVENTS, {
    namespace: "default",
    fieldSelector,
  });
  t.same(
    items.map((event) => event.message),
    ["as told"],
  );
});

/** An informer of our labelled ConfigMaps by metadata only, and the names that its handlers were told. */
async function following(t: Test): Promise<{ informer: Informer; told: Map<string, string | undefined> }> {
  const informer = new Informer({
    client,
    resource: CONFIG_MAPS,
    labelSelector: "zopp.dev/test=kube",
    metadataOnly: true,
    log: silentLog,
    timing: { backoff: { firstMs: 50, capMs: 500 } },
  });
  const told = new Map<string, string | undefined>();
  informer.onChange((old, now) => {
    if (now === undefined) told.delete(old?.metadata.name ?? "");
    else told.set(now.metadata.name, now.metadata.resourceVersion);
  });
  t.teardown(() => informer.stop());
  informer.start();
  await informer.synced();
  return { informer, told };
}

t.test(
  "an informer sees only what is labelled, by metadata only, and goes on when the API server was restarted",
  async (t) => {
    await applied(configMap("kept", "1"));
    await applied(configMap("removed", "1"));
    await client.apply(CONFIG_MAPS, { metadata: place("foreign") }, MINE);
    const { informer, told } = await following(t);
    t.same([...told.keys()].sort(), ["kept", "noop", "removed"]);
    t.notMatch(JSON.stringify([...informer.list()]), /"data"/);

    await plane.stopApiServer();
    await t.rejects(client.get(CONFIG_MAPS, place("kept")), { code: "ApiUnreachable" });
    t.equal(informer.size, 3, "nothing is lost while it is away");
    await plane.startApiServer();
    await client.delete(CONFIG_MAPS, place("removed"));
    const changed = await applied(configMap("kept", "2"));
    const added = await applied(configMap("added", "1"));
    await eventually(() => told.get("added") === added && told.get("kept") === changed && !told.has("removed"), {
      timeoutMs: 20_000,
    });
    t.same([...informer.list()].map((one) => one.metadata.name).sort(), ["added", "kept", "noop"]);
  },
);

t.test("a watch from a version that the restarted server no longer knows is told 410", async (t) => {
  const events = client.watch(CONFIG_MAPS, { resourceVersion: "1", timeoutSeconds: 5, quietMs: 10_000 });
  const error = await events
    .next()
    .then(() => null)
    .catch((caught: unknown) => caught);
  t.ok(hasStatus(error, 410), JSON.stringify(apiStatus(error)));
});
