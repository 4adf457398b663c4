import t from "tap";
import type { SecretSpec, ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { hasStatus } from "../../operator/kube/errors.js";
import { eventually } from "../eventually.js";
import { withHeader, withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf } from "../testbed.look.js";

const NAMESPACE = "shop-prod";
const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";

const bed = await startTestbed();
t.teardown(() => bed.stop());
t.setTimeout(180_000);

const kubectl = kubectlOf(bed, NAMESPACE);
const makeForeign = (name: string) =>
  kubectl("create", "secret", "generic", name, "--from-literal=A=theirs", "--from-literal=OLD=1");
/** People do this when they do not want to wait for the next look. */
let asked = 0;
const askAgain = (name: string) => kubectl("annotate", "zs", name, `zopp.dev/reconcile=${++asked}`, "--overwrite");

const messageOf = (bundle: ZoppSecret): string => readyOf(bundle.status)?.message ?? "";

const taken = bed.seal({ A: "ours" }, { name: "foreign" });

t.test("a Secret that is not ours is never touched", async (t) => {
  await makeForeign("foreign");
  const before = await bed.secret("foreign");
  await bed.applyBundle(taken);
  const bundle = await bed.settled("TargetConflict", "foreign");
  t.match(messageOf(bundle), /the Secret foreign is there and is not made by zopp; next: .*zopp\.dev\/adopt/);
  await askAgain("foreign");
  await bed.settled("TargetConflict", "foreign");
  t.equal((await bed.secret("foreign")).metadata.resourceVersion, before.metadata.resourceVersion);
});

t.test("it is taken over when it says so itself, and then holds the bundle alone", async (t) => {
  await kubectl("annotate", "secret", "foreign", "zopp.dev/adopt=foreign");
  await askAgain("foreign");
  const bundle = await bed.settled("Synced", "foreign");
  const secret = await bed.secret("foreign");
  t.strictSame(secret.data, { A: "ours" });
  t.equal(secret.metadata.ownerReferences?.[0]?.uid, bundle.metadata.uid);
  await bed.applyBundle(withValue(taken, "A", "newer", bed.writing()));
  await eventually(async () => (await bed.secret("foreign")).data?.["A"] === "newer");
});

t.test("it is merged into when it says so itself, and outlives the bundle", async (t) => {
  await kubectl("create", "secret", "generic", "merged", "--from-literal=THEIRS=1");
  await kubectl("annotate", "secret", "merged", "zopp.dev/merge=merged");
  await bed.applyBundle(bed.seal({ A: "ours" }, { name: "merged" }));
  await bed.settled("Synced", "merged");
  t.strictSame((await bed.secret("merged")).data, { A: "ours", THEIRS: "1" });
  await kubectl("patch", "secret", "merged", "--patch", '{"data":{"THEIRS":"Mg=="}}');
  await eventually(async () => {
    const secret = await bed.secret("merged");
    return (await bed.bundle("merged")).status?.target?.resourceVersion === secret.metadata.resourceVersion;
  });
  t.strictSame((await bed.secret("merged")).data, { A: "ours", THEIRS: "2" }, "their keys stay theirs");
  await kubectl("delete", "zs", "merged");
  t.strictSame(Object.keys((await bed.secret("merged")).data ?? {}), ["A", "THEIRS"]);
});

t.test("a key that somebody else holds in a merged Secret is a conflict", async (t) => {
  await makeForeign("contested");
  await kubectl("annotate", "secret", "contested", "zopp.dev/merge=contested");
  await bed.applyBundle(bed.seal({ A: "ours" }, { name: "contested" }));
  await bed.settled("TargetConflict", "contested");
  t.strictSame((await bed.secret("contested")).data, { A: "theirs", OLD: "1" });
});

t.test("of two bundles with one target one gets it; the other when the first lets go", async (t) => {
  const target = { name: "shared" };
  await Promise.all(["one", "two"].map((name) => bed.applyBundle(bed.seal({ FROM: name }, { name, target }))));
  const winner = await eventually(async () => (await bed.secret("shared")).data?.["FROM"]);
  const loser = winner === "one" ? "two" : "one";
  await bed.settled("Synced", winner);
  const refused = await bed.settled("TargetConflict", loser);
  t.ok(messageOf(refused).includes(`belongs to ZoppSecret ${winner}`), messageOf(refused));
  await kubectl("delete", "zs", winner);
  // the garbage collector learns of new resources every 30 s only
  await bed.settled("Synced", loser, NAMESPACE, 90_000);
  t.strictSame((await bed.secret("shared")).data, { FROM: loser });
});

t.test("an immutable Secret stays, until somebody deletes it", async (t) => {
  const sealed = bed.seal({ A: "one" }, { name: "fixed", target: { immutable: true } });
  await bed.applyBundle(sealed);
  await bed.settled("Synced", "fixed");
  await bed.applyBundle(withValue(sealed, "A", "two", bed.writing()));
  await bed.settled("TargetImmutable", "fixed");
  t.strictSame((await bed.secret("fixed")).data, { A: "one" });
  await kubectl("delete", "secret", "fixed");
  await bed.settled("Synced", "fixed");
  t.strictSame((await bed.secret("fixed")).data, { A: "two" });
});

t.test("a Secret of somebody else's that is immutable is taken over with the values that it has", async (t) => {
  await kubectl("create", "secret", "generic", "settled", "--from-literal=A=one");
  await kubectl("patch", "secret", "settled", "--patch", '{"immutable":true}');
  await kubectl("annotate", "secret", "settled", "zopp.dev/adopt=settled");
  const before = await bed.secret("settled");
  const sealed = bed.seal({ A: "two" }, { name: "settled", target: { immutable: true } });
  await bed.applyBundle(sealed);
  await bed.settled("TargetImmutable", "settled");
  await bed.applyBundle(withValue(sealed, "A", "one", bed.writing()));
  await bed.settled("Synced", "settled");
  const { metadata, data } = await bed.secret("settled");
  t.equal(metadata.uid, before.metadata.uid);
  t.strictSame(data, { A: "one" });
  t.strictSame(
    metadata.ownerReferences?.map(({ kind }) => kind),
    ["ZoppSecret"],
  );
});

t.test("the type of a Secret does not change under its users", async (t) => {
  const sealed = bed.seal({ A: "one" }, { name: "typed" });
  await bed.applyBundle(sealed);
  await bed.settled("Synced", "typed");
  await bed.applyBundle(withHeader(sealed, { target: { type: "example.com/other" } }, bed.writing()));
  t.match(messageOf(await bed.settled("TargetImmutable", "typed")), /does not allow a change of type/);
  t.equal((await bed.secret("typed")).type, "Opaque");
});

const SHAPES: Record<
  string,
  { target: NonNullable<SecretSpec["target"]>; values: Record<string, string>; ready: string }
> = {
  "a tls pair": {
    target: { type: "kubernetes.io/tls" },
    values: { "tls.crt": CERTIFICATE, "tls.key": PRIVATE_KEY },
    ready: "Synced",
  },
  "tls without its key": {
    target: { type: "kubernetes.io/tls" },
    values: { "tls.crt": CERTIFICATE },
    ready: "TargetShape",
  },
  "tls with text for a key": {
    target: { type: "kubernetes.io/tls" },
    values: { "tls.crt": CERTIFICATE, "tls.key": "hunter2" },
    ready: "TargetShape",
  },
  "a registry's credentials": {
    target: { type: "kubernetes.io/dockerconfigjson" },
    values: { ".dockerconfigjson": '{"auths":{}}' },
    ready: "Synced",
  },
  "credentials that are not JSON": {
    target: { type: "kubernetes.io/dockerconfigjson" },
    values: { ".dockerconfigjson": "hunter2" },
    ready: "TargetShape",
  },
  "a type of one's own": { target: { type: "example.com/own" }, values: { A: "1" }, ready: "Synced" },
};
for (const [at, [title, { target, values, ready }]] of Object.entries(SHAPES).entries()) {
  t.test(`${title}: ${ready}`, async (t) => {
    const name = `shape-${at}`;
    await bed.applyBundle(bed.seal(values, { name, target }));
    t.notMatch(messageOf(await bed.settled(ready, name)), /hunter2/);
    if (ready === "Synced") return;
    await t.rejects(bed.secret(name), { code: "NotFound" });
  });
}

const FORBIDDEN: Record<string, NonNullable<SecretSpec["target"]>> = {
  "a service account's token": { type: "kubernetes.io/service-account-token" },
  "a bootstrap token": { type: "bootstrap.kubernetes.io/token" },
  "a release": { type: "helm.sh/release.v1" },
  "an annotation of Kubernetes": { annotations: { "kubernetes.io/service-account.name": "admin" } },
  "a label of zopp": { labels: { "zopp.dev/managed": "whole" } },
};
for (const [title, target] of Object.entries(FORBIDDEN)) {
  t.test(`${title} is refused by the API server already`, async (t) => {
    const error = await bed.applyBundle(bed.seal({ A: "1" }, { name: "forbidden", target })).then(
      () => undefined,
      (thrown) => thrown,
    );
    t.ok(hasStatus(error, 422), String(error));
  });
}
