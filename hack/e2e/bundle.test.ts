import t from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { hasStatus } from "../../operator/kube/errors.js";
import { EVENTS, type KubeObject } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { withHeader, withTombstone, withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf, quiet, readMetrics, versions } from "../testbed.look.js";

const NAMESPACE = "shop-prod";

const bed = await startTestbed();
t.teardown(() => bed.stop());

/** Waits until the Secret has exactly these values. */
function holds(name: string, values: Readonly<Record<string, string>>) {
  return eventually(async () => {
    const found = await bed.secret(name);
    if (JSON.stringify(found.data) !== JSON.stringify(values))
      throw new Error(`it holds ${JSON.stringify(found.data)}`);
    return found;
  });
}

/** Waits until a Secret is gone. The garbage collector learns of new resources every 30 s only. */
function gone(name: string) {
  const absent = () =>
    bed.secret(name).then(
      () => false,
      (error) => hasStatus(error, 404),
    );
  return eventually(absent, { timeoutMs: 90_000, message: `the Secret ${name} is gone` });
}

/** Applies a change of the bundle that is stored now. */
async function change(name: string, edit: (stored: ZoppSecret) => ZoppSecret): Promise<ZoppSecret> {
  const { metadata, ...stored } = await bed.bundle(name);
  const present = { ...stored, metadata: { name, namespace: NAMESPACE } } as ZoppSecret;
  await bed.applyBundle(edit(present));
  return bed.settled("Synced", name);
}

const kubectl = kubectlOf(bed, NAMESPACE);

t.test("a sealed bundle becomes a Secret with its values, marks and owner", async (t) => {
  const render = { URL: "postgres://[[ USER | urlencode ]]:[[ PASSWORD | urlencode ]]@db", ".env": "[[ * | dotenv ]]" };
  const target = { name: "api-env", labels: { team: "shop" }, annotations: { note: "made" } };
  await bed.applyBundle(bed.seal({ PASSWORD: "p/w_word", USER: "app" }, { name: "born", target, render }));
  const bundle = await bed.settled("Synced", "born");
  const secret = await holds("api-env", {
    ".env": "PASSWORD=p/w_word\nUSER=app\n",
    PASSWORD: "p/w_word",
    URL: "postgres://app:p%2Fw_word@db",
    USER: "app",
  });
  t.equal(secret.type, "Opaque");
  t.match(secret.metadata, {
    labels: { team: "shop", "zopp.dev/managed": "whole", "app.kubernetes.io/managed-by": "zopp" },
    annotations: { note: "made", "zopp.dev/bundle": "born" },
    ownerReferences: [{ kind: "ZoppSecret", name: "born", uid: bundle.metadata.uid, controller: true }],
  });
  t.match(bundle.status, {
    observedGeneration: bundle.metadata.generation,
    entries: 4,
    target: { name: "api-env", uid: secret.metadata.uid, resourceVersion: secret.metadata.resourceVersion },
    history: [{ result: "Synced", digest: bundle.status?.digest }],
  });
  t.equal(bundle.status?.policy?.length, 2);
  t.notMatch(JSON.stringify(bundle), /p\/w_word|p%2Fw_word/, "no value is in the bundle");
});

t.test("kubectl get zs reads well", async (t) => {
  const [head = "", line = ""] = (await kubectl("get", "zs", "born", "--output", "wide")).split("\n");
  t.match(head, /^NAME +READY +REASON +ENVIRONMENT +KEYS +TARGET +AGE +DIGEST +EXPIRES/);
  t.match(line, /^born +True +Synced +acme\/shop\/production +4 +api-env /);
});

t.test("a changed value, a new key and a tombstone follow", async () => {
  await bed.applyBundle(bed.seal({ A: "one", B: "two" }, { name: "follow" }));
  await holds("follow", { A: "one", B: "two" });
  await change("follow", (stored) => withValue(stored, "A", "changed", bed.writing()));
  await holds("follow", { A: "changed", B: "two" });
  await change("follow", (stored) => withValue(stored, "C", "new", bed.writing()));
  await holds("follow", { A: "changed", B: "two", C: "new" });
  await change("follow", (stored) => withTombstone(stored, "B", bed.writing()));
  await holds("follow", { A: "changed", C: "new" });
});

t.test("another target name makes another Secret and leaves the first to its owner", async () => {
  await bed.applyBundle(bed.seal({ A: "one" }, { name: "moves" }));
  await holds("moves", { A: "one" });
  await change("moves", (stored) => withHeader(stored, { target: { name: "moved" } }, bed.writing()));
  await holds("moved", { A: "one" });
});

const MEDDLING: Record<string, (name: string) => Promise<unknown>> = {
  "a changed value": (name) => kubectl("patch", "secret", name, "--patch", '{"data":{"A":"ZXZpbA=="}}'),
  "an added key": (name) => kubectl("patch", "secret", name, "--patch", '{"data":{"EXTRA":"eA=="}}'),
  "a removed key": (name) => kubectl("patch", "secret", name, "--patch", '{"data":{"A":null}}'),
  "a deleted Secret": (name) => kubectl("delete", "secret", name),
  "removed marks": async (name) => {
    await kubectl("annotate", "secret", name, "zopp.dev/bundle-");
    await kubectl("label", "secret", name, "zopp.dev/managed-");
    await eventually(async () => (await bed.secret(name)).metadata.labels?.["zopp.dev/managed"] === "whole");
  },
};
for (const [title, meddle] of Object.entries(MEDDLING)) {
  t.test(`${title} is repaired, and told`, async () => {
    const name = `drift-${Object.keys(MEDDLING).indexOf(title)}`;
    await bed.applyBundle(bed.seal({ A: "right", B: "too" }, { name }));
    await bed.settled("Synced", name);
    await meddle(name);
    const secret = await holds(name, { A: "right", B: "too" });
    await eventually(async () => {
      const { status } = await bed.bundle(name);
      return status?.target?.resourceVersion === secret.metadata.resourceVersion;
    });
    await eventually(async () => (await reasons(name)).includes("Repaired"));
  });
}

t.test("a forged status does not keep a changed value", async (t) => {
  await bed.applyBundle(bed.seal({ A: "right" }, { name: "forged" }));
  await bed.settled("Synced", "forged");
  await bed.operator.stop();
  await kubectl("patch", "secret", "forged", "--patch", '{"data":{"A":"ZXZpbA=="}}');
  const { metadata } = await bed.secret("forged");
  const status = JSON.stringify({ status: { target: { resourceVersion: metadata.resourceVersion } } });
  await kubectl("patch", "zs", "forged", "--subresource", "status", "--type", "merge", "--patch", status);
  await bed.startOperator();
  await holds("forged", { A: "right" });
  t.pass("it was found by who wrote the key");
});

t.test("deleting a bundle deletes its Secret, or keeps it where the bundle says so", async (t) => {
  await bed.applyBundle(bed.seal({ A: "one" }, { name: "ends" }));
  await bed.applyBundle(bed.seal({ A: "one" }, { name: "stays", target: { deletionPolicy: "Retain" } }));
  await bed.settled("Synced", "ends");
  await bed.settled("Synced", "stays");
  await kubectl("delete", "zs", "ends", "stays");
  await gone("ends");
  t.strictSame((await bed.secret("stays")).data, { A: "one" });
});

t.test("a bundle that comes back takes up the Secret that it left", async (t) => {
  const before = await bed.secret("stays");
  const later = new Date(Date.now() + 60_000); // versions are seconds, and the keyring remembers the earlier ones
  await bed.applyBundle(bed.seal({ A: "two" }, { name: "stays", target: { deletionPolicy: "Retain" }, now: later }));
  const after = await holds("stays", { A: "two" });
  t.equal(after.metadata.uid, before.metadata.uid);
});

t.test("with nothing changed nothing is opened or written, also after a restart", async (t) => {
  await bed.applyBundle(bed.seal({ A: "one" }, { name: "taken" }));
  await kubectl("create", "secret", "generic", "foreign", "--from-literal=A=theirs");
  await bed.applyBundle(bed.seal({ A: "one" }, { name: "foreign" }));
  await bed.applyBundle(bed.seal({ A: "one" }, { name: "stranger", by: "stranger" }));
  await bed.settled("TargetConflict", "foreign");
  await bed.settled("UnknownSigner", "stranger");
  await bed.settled("Synced", "taken");
  const before = await versions(bed, NAMESPACE);
  const bundle = await bed.bundle("taken");
  await bed.operator.stop();
  await bed.startOperator();
  await eventually(async () => (await readMetrics(bed.ports.metrics)).sum("workqueue_adds_total") > 0);
  await quiet(bed);
  const metrics = await readMetrics(bed.ports.metrics);
  t.equal(metrics.sum("zopp_open_total"), 0, "no Open");
  for (const method of ["PATCH", "PUT", "POST", "DELETE"]) {
    t.equal(metrics.sum("rest_client_requests_total", { method }), 0, `no ${method}`);
  }
  t.strictSame(await versions(bed, NAMESPACE), before);
  t.equal((await bed.bundle("taken")).metadata.resourceVersion, bundle.metadata.resourceVersion);
});

t.test("no event was said twice, and no event holds a value", async (t) => {
  const { items } = await bed.client.list<KubeObject & { count?: number; message: string }>(EVENTS, {
    namespace: NAMESPACE,
  });
  t.ok(items.length > 0);
  t.ok(items.every(({ count }) => count === 1));
  t.notMatch(JSON.stringify(items), /"(right|changed|theirs)"/);
});

async function reasons(name: string): Promise<string[]> {
  const fieldSelector = `involvedObject.name=${name}`;
  const { items } = await bed.client.list<KubeObject & { reason: string }>(EVENTS, {
    namespace: NAMESPACE,
    fieldSelector,
  });
  return items.map(({ reason }) => reason);
}
