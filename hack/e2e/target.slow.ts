import t from "tap";
import type { SecretSpec, ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { hasStatus } from "../../operator/kube/errors.js";
import { eventually } from "../eventually.js";
import { withHeader, withTombstone, withValue } from "../fixtures.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf } from "../testbed.look.js";

const NAMESPACE = "shop-prod";

const bed = await startTestbed();
t.teardown(() => bed.stop());

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
  t.match(
    messageOf(bundle),
    /the Secret foreign is there and is not made by zopp \(its keys are written by kubectl-create\); taken over, its keys would be written anew: A; removed: OLD; next: .*zopp\.dev\/adopt/,
    "who writes it, and what would become of it",
  );
  t.notMatch(JSON.stringify(bundle), /theirs|dGhlaXJz/, "no value is told");
  await askAgain("foreign");
  await bed.settled("TargetConflict", "foreign");
  t.equal((await bed.secret("foreign")).metadata.resourceVersion, before.metadata.resourceVersion);
});

t.test("one that was deleted and is held by a finalizer is told of, and made again when it is gone", async (t) => {
  const held = bed.seal({ A: "one" }, { name: "held" });
  await bed.applyBundle(held);
  const { status } = await bed.settled("Synced", "held");
  await kubectl("patch", "secret", "held", "--patch", '{"metadata":{"finalizers":["example.com/backup"]}}');
  await kubectl("delete", "secret", "held", "--wait=false");
  await bed.applyBundle(withValue(held, "A", "two", bed.writing()));
  const bundle = await bed.settled("TargetTerminating", "held");
  t.match(messageOf(bundle), /the Secret held is being deleted, held by example\.com\/backup; next: /);
  t.equal(bundle.status?.digest, status?.digest, "nothing says that the change was applied");
  await kubectl("patch", "secret", "held", "--type=json", '--patch=[{"op":"remove","path":"/metadata/finalizers"}]');
  await bed.settled("Synced", "held");
  t.strictSame((await bed.secret("held")).data, { A: "two" });
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

t.test("a key that a bundle retires leaves a merged Secret, and no other does", async (t) => {
  await kubectl("create", "secret", "generic", "leaving", "--from-literal=THEIRS=1");
  await kubectl("annotate", "secret", "leaving", "zopp.dev/merge=leaving");
  const sealed = bed.seal({ A: "ours", B: "ours" }, { name: "leaving" });
  await bed.applyBundle(sealed);
  await bed.settled("Synced", "leaving");
  await bed.applyBundle(withTombstone(sealed, "B", bed.writing()));
  await eventually(async () => !("B" in ((await bed.secret("leaving")).data ?? {})));
  t.strictSame((await bed.secret("leaving")).data, { A: "ours", THEIRS: "1" });
});

t.test(
  "a key that somebody else holds in a merged Secret is a conflict that names both, until it is let go",
  async (t) => {
    await kubectl("create", "secret", "generic", "contested", "--from-literal=tls.crt=theirs", "--from-literal=OLD=1");
    await kubectl("annotate", "secret", "contested", "zopp.dev/merge=contested");
    await bed.applyBundle(bed.seal({ "tls.crt": "ours", B: "ours" }, { name: "contested" }));
    const bundle = await bed.settled("TargetConflict", "contested");
    t.match(
      messageOf(bundle),
      /the Secret contested has tls\.crt from another writer already \(its keys are written by kubectl-create\)/,
    );
    t.strictSame((await bed.secret("contested")).data, { OLD: "1", "tls.crt": "theirs" });
    await kubectl("patch", "secret", "contested", "--type=json", '--patch=[{"op":"remove","path":"/data/tls.crt"}]');
    await askAgain("contested");
    await bed.settled("Synced", "contested");
    t.strictSame((await bed.secret("contested")).data, { B: "ours", OLD: "1", "tls.crt": "ours" });
  },
);

t.test("labels and annotations come, change and go with the header; those of others stay", async (t) => {
  const sealed = bed.seal(
    { A: "1" },
    { name: "marked", target: { labels: { a: "1", b: "1" }, annotations: { c: "1" } } },
  );
  await bed.applyBundle(sealed);
  await bed.settled("Synced", "marked");
  await kubectl("label", "secret", "marked", "theirs=1");
  await bed.applyBundle(withHeader(sealed, { target: { labels: { a: "2" } } }, bed.writing()));
  const { metadata } = await eventually(async () => {
    const secret = await bed.secret("marked");
    return secret.metadata.labels?.["a"] === "2" && secret;
  });
  t.match(metadata.labels, { a: "2", theirs: "1" });
  t.notOk(metadata.labels?.["b"]);
  t.notOk(metadata.annotations?.["c"]);
});

t.test(
  "a bundle that is to keep its Secret gives it no owner any more, and takes it back when it is not",
  async (t) => {
    const sealed = bed.seal({ A: "1" }, { name: "kept" });
    await bed.applyBundle(sealed);
    await bed.settled("Synced", "kept");
    const owners = async () => (await bed.secret("kept")).metadata.ownerReferences?.length ?? 0;
    t.equal(await owners(), 1);
    const retained = withHeader(sealed, { target: { deletionPolicy: "Retain" } }, bed.writing());
    await bed.applyBundle(retained);
    await eventually(async () => (await owners()) === 0);
    await bed.applyBundle(withHeader(retained, { target: { deletionPolicy: "Delete" } }, bed.writing()));
    await eventually(async () => (await owners()) === 1);
    t.strictSame((await bed.secret("kept")).data, { A: "1" });
  },
);

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
