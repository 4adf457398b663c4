import t, { type Test } from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { KEY, managed, PLACE, reasons, refuse, type Setup, setup, WORLD, WRITING } from "../../hack/bundle-story.js";
import { generating } from "../../hack/fixtures.generated.js";
import { bundle, withHeader } from "../../hack/fixtures.js";
import type { ReconcileAnswer } from "../kube/controller.js";
import { apiError } from "../kube/errors.js";
import { FIELD_MANAGER, type ObjectMeta } from "../kube/resources.js";
import { seenSecret } from "./target.seen.js";

t.test("a keyring that restarts is not told: nothing is written, it is tried again", async (t) => {
  const { run, calls, status } = setup({ open: () => new ZoppError("KeyringUnavailable", "no"), triedForMs: 4_999 });
  await t.rejects(run(), { code: "KeyringUnavailable" });
  t.strictSame(calls, ["open"]);
  t.equal(status(), undefined);
});

t.test("a wrongly set-up keyring is told and asked again, although the table calls it terminal", async (t) => {
  const { run, status } = setup({ open: refuse("KeyringMismatch") });
  const answer = await run();
  t.match(reasons(status()), { Ready: "False KeyringMismatch", Reconciling: "True KeyringMismatch" });
  t.ok((answer?.requeueAfterMs ?? Number.POSITIVE_INFINITY) <= 60_000);
});

/** A new bundle's first write only creates, and finds that its name is taken; then the operator looks. */
async function meets(t: Test, run: () => Promise<ReconcileAnswer>): Promise<ReconcileAnswer> {
  await t.rejects(run(), { code: "ApiConflict" });
  return run();
}

t.test("a foreign Secret is not touched, looked at once and then left alone", async (t) => {
  const there = { metadata: { ...PLACE, uid: "f", resourceVersion: "5" } };
  const { run, calls, writes, status, events } = setup({ there });
  const answer = await meets(t, run);
  t.strictSame(writes, []);
  t.strictSame(calls, ["open", "apply secrets", "get api", "apply zoppsecrets/status"]);
  t.match(reasons(status()), { Ready: "False TargetConflict" });
  t.equal(answer?.requeueAfterMs, 300_000);
  await run();
  t.equal(calls.length, 4, "and is left alone");
  t.strictSame(events, ["TargetConflict"]);
});

t.test("a foreign Secret that is being deleted is waited for, and no more said to be taken over", async (t) => {
  const metadata = { ...PLACE, uid: "f", resourceVersion: "5" };
  const given: { there: { metadata: ObjectMeta } } = { there: { metadata } };
  const { run, status, clock } = setup(given);
  await meets(t, run);
  t.match(reasons(status()), { Ready: "False TargetConflict" });
  given.there = { metadata: { ...metadata, deletionTimestamp: "2026-11-23T10:11:12Z", finalizers: ["example.com/x"] } };
  clock.ms += 300_000;
  await t.rejects(run(), { code: "TargetTerminating" });
  clock.ms += 5_000;
  await t.rejects(run(), { code: "TargetTerminating" });
  t.match(reasons(status()), { Ready: "False TargetTerminating" });
});

t.test("one that was never written before, and is being deleted, is looked at and not opened for", async (t) => {
  const metadata = { ...PLACE, uid: "f", resourceVersion: "5", deletionTimestamp: "2026-11-23T10:11:12Z" };
  const { run, calls, status, clock } = setup({ there: { metadata } });
  await t.rejects(run(), { code: "ApiConflict" });
  for (let at = 0; at < 4; at += 1) {
    clock.ms += 5_000;
    await t.rejects(run(), { code: "TargetTerminating" });
  }
  t.match(reasons(status()), { Ready: "False TargetTerminating" });
  t.equal(calls.filter((call) => call === "open").length, 1);
  t.equal(calls.filter((call) => call === "apply zoppsecrets/status").length, 1);
});

t.test("a Secret that may not be looked at is told, and that it went is not hidden by an old Ready", async (t) => {
  const given: { getError?: ZoppError } = {};
  const { run, calls, status, targets, events, clock } = setup(given);
  await run();
  given.getError = apiError("get secrets shop-prod/api", 403, { reason: "Forbidden" });
  targets.delete(KEY);
  await t.rejects(run(), { code: "ApiRefused" });
  t.match(reasons(status()), { Ready: "True Synced" }, "not at once: a restart of the API server would explain it");
  clock.ms += 5_000;
  calls.length = 0;
  await t.rejects(run(), { code: "ApiRefused" }, "it is tried again");
  t.match(reasons(status()), { Ready: "False ApiRefused", Synced: "False ApiRefused" });
  t.match(status()?.conditions?.[0]?.message, /cannot get secrets shop-prod\/api/);
  await t.rejects(run(), { code: "ApiRefused" });
  t.strictSame(calls, ["get api", "apply zoppsecrets/status", "get api"], "and said once");
  delete given.getError;
  await run();
  t.match(reasons(status()), { Ready: "True Synced" });
  t.strictSame(events, ["ApiRefused", "Recovered"]);
});

t.test("an adopted Secret loses what is not the bundle's", async (t) => {
  const there = {
    metadata: { ...PLACE, uid: "f", resourceVersion: "5", annotations: { "zopp.dev/adopt": "api", keep: "me" } },
  };
  const { run, calls, writes, replaced } = setup({ there, others: ["OLD"] });
  await meets(t, run);
  t.strictSame(calls.slice(2), ["get api", "open", "apply secrets", "replace", "apply zoppsecrets/status"]);
  t.match(writes[0], { object: { metadata: { uid: "f" } }, options: { force: true } });
  t.strictSame(Object.keys(replaced[0]?.data ?? {}), ["A", "B"]);
  t.match(replaced[0]?.metadata, { uid: "f", resourceVersion: "101" });
  t.notOk(replaced[0]?.metadata.managedFields);
});

t.test("a merged Secret gets our keys and keeps its own", async (t) => {
  const there = { metadata: { ...PLACE, uid: "f", resourceVersion: "5", annotations: { "zopp.dev/merge": "api" } } };
  const { run, calls, writes } = setup({ there, others: ["OLD"] });
  await meets(t, run);
  t.notOk(calls.includes("replace"));
  const [write] = writes;
  t.equal(write?.options.force, false);
  t.strictSame(Object.keys(write?.object ?? {}).sort(), ["data", "metadata"]);
  t.strictSame(write?.object.metadata.labels, { "zopp.dev/managed": "keys" });
  t.notOk(write?.object.metadata.ownerReferences, "it is not deleted with the bundle");
});

t.test("a conflict about a new bundle itself says nothing of its Secret, which is not looked at", async (t) => {
  const conflict = apiError("apply zoppsecrets/status shop-prod/api", 409, { reason: "Conflict" });
  const { run, calls, memory } = setup({ bundle: generating(), generate: () => Promise.reject(conflict) });
  for (const _ of [1, 2]) await t.rejects(run(), { code: "ApiConflict" });
  t.notOk(memory.isNameTaken(KEY));
  t.strictSame(calls, ["generate", "generate"]);
});

t.test(
  "a key that another writer holds in a merged Secret is a conflict that names both, and is looked at again",
  async (t) => {
    const annotations = { "zopp.dev/merge": "api" };
    const managedFields = [managed("helm", "Update", ["A"])];
    const there = { metadata: { ...PLACE, uid: "f", resourceVersion: "5", annotations, managedFields } };
    const causes = [{ reason: "FieldManagerConflict", message: "hunter2", field: ".data.A" }];
    const { run, calls, status } = setup({
      there,
      applyError: apiError("apply", 409, { reason: "Conflict", details: { causes } }),
    });
    const { requeueAfterMs } = await meets(t, run);
    t.equal(requeueAfterMs, 300_000);
    t.match(reasons(status()), { Ready: "False TargetConflict" });
    const message = "the Secret api has A from another writer already (its keys are written by helm); next:";
    t.match(status()?.conditions?.[0]?.message, message);
    t.notMatch(JSON.stringify(status()), /hunter2/);
    calls.length = 0;
    await run();
    t.strictSame(calls, ["get api"], "nothing is opened for a write that would fail again");
  },
);

t.test("another Secret in place of the merged one is no conflict of keys: it is tried again", async (t) => {
  const there = { metadata: { ...PLACE, uid: "f", resourceVersion: "5", annotations: { "zopp.dev/merge": "api" } } };
  const { run, status } = setup({ there, applyError: apiError("apply", 409, { reason: "Conflict" }) });
  await t.rejects(meets(t, run), { code: "ApiConflict" });
  t.equal(status(), undefined);
});

t.test("the Secret has no owner where the bundle or the environment says so", async (t) => {
  const written = async (given: Setup) => {
    const { run, writes } = setup(given);
    await run();
    return writes[0]?.object.metadata.ownerReferences;
  };
  const policy = (deletionPolicy: "Delete" | "Retain") =>
    bundle(WORLD.environment, { A: "a" }, { target: { deletionPolicy } });
  t.notOk(await written({ bundle: policy("Retain") }));
  t.notOk(await written({ approvals: true }));
  t.ok(await written({ approvals: true, bundle: policy("Delete") }));
});

t.test(
  "while the keyring has not told whether approvals are asked for, no Secret is given an owner, nor left without",
  async (t) => {
    const given: { approvals: boolean | null } = { approvals: null };
    const { run, writes, status } = setup(given);
    await t.rejects(run(), { code: "KeyringUnavailable", message: /acme\/shop\/production asks for approvals/ });
    t.strictSame(writes, []);
    t.equal(status(), undefined);
    given.approvals = true;
    await run();
    t.equal(writes.length, 1);
    t.notOk(writes[0]?.object.metadata.ownerReferences);
  },
);

t.test("whoever asks for neither is not kept waiting for that word", async (t) => {
  const retained = bundle(WORLD.environment, { A: "a" }, { target: { deletionPolicy: "Retain" } });
  const { run, writes } = setup({ approvals: null, bundle: retained });
  await run();
  t.equal(writes.length, 1);
});

t.test("what the target asks for is written, and nothing of the bundle's own metadata", async (t) => {
  const target = {
    name: "named",
    labels: { team: "shop" },
    annotations: { note: "n" },
    immutable: true,
    type: "example.com/x",
  };
  const start = bundle(WORLD.environment, { A: "a" }, { target });
  const tracked = { ...start, metadata: { ...start.metadata, labels: { "argocd.argoproj.io/instance": "shop" } } };
  const { run, writes } = setup({ bundle: tracked });
  await run();
  const object = writes[0]?.object;
  t.match(object, {
    type: "example.com/x",
    immutable: true,
    metadata: { name: "named", labels: { team: "shop" }, annotations: { note: "n" } },
  });
  t.notOk(object?.metadata.labels?.["argocd.argoproj.io/instance"]);
});

t.test("a bundle that is gone, or going, is let go", async (t) => {
  const { run, calls, bundles } = setup();
  const there = bundles.get(KEY) as ZoppSecret;
  bundles.set(KEY, { ...there, metadata: { ...there.metadata, deletionTimestamp: "2026-11-23T10:11:12Z" } });
  await run();
  bundles.delete(KEY);
  await run();
  t.strictSame(calls, []);
});

t.test("a header that changes the target is another digest", async (t) => {
  const { run, edit, calls, bundles } = setup();
  await run();
  edit(withHeader(bundles.get(KEY) as ZoppSecret, { target: { labels: { a: "b" } } }, WRITING));
  calls.length = 0;
  await run();
  t.strictSame(calls, ["open", "apply secrets", "apply zoppsecrets/status"]);
});

t.test("condensing a Secret keeps no value that kubectl left in its annotations", async (t) => {
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "{secret}", other: "x" };
  const managedFields = [
    managed(FIELD_MANAGER, "Apply", ["A"]),
    managed(FIELD_MANAGER, "Update", ["B"]),
    managed("x", "Apply", ["A", "C"]),
  ];
  const seen = seenSecret({ metadata: { ...PLACE, uid: "u", resourceVersion: "1", annotations, managedFields } });
  t.strictSame(seen.metadata.annotations, { other: "x" });
  t.strictSame(seen.writers, { ours: ["A"], others: ["B", "C"], managers: ["x", FIELD_MANAGER] });
});
