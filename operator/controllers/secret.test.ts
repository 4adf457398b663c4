import t from "tap";
import { bundleDigest, bundleStatements } from "../../crds/bundle/statements.js";
import { decodeBase64 } from "../../crds/crypto/encoding.js";
import { entryKey } from "../../crds/crypto/entry.js";
import { decryptionKeyFromRaw } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import {
  acme,
  bundle,
  environmentKey,
  NOW,
  withHeader,
  withTombstone,
  withValue,
  world,
  writingBy,
} from "../../hack/fixtures.js";
import type { OpenRequest, OpenResult } from "../keyring/client.js";
import type { ApplyOptions } from "../kube/client.js";
import { apiError } from "../kube/errors.js";
import { type KubeObject, keyOf, type Place, type Resource, SECRETS } from "../kube/resources.js";
import { epochsOf } from "./epochs.js";
import { reconcileSecret, type SecretDeps } from "./secret.js";
import { BundleMemory } from "./secret.memory.js";
import type { AppliedSecret } from "./target.js";
import { FIELD_MANAGER, type SeenSecret, seenSecret } from "./target.seen.js";

const WORLD = world();
const WRITING = writingBy("alice", WORLD.environment);
const KEY = "shop-prod/api";
const PLACE = { namespace: "shop-prod", name: "api" };
const signal = new AbortController().signal;
const POLICY = ["w1", "e1"];

/** What a test may replace of the world around one reconcile. */
interface Setup {
  readonly bundle?: ZoppSecret;
  readonly status?: SecretStatus;
  /** What a metadata GET of the target finds. */
  readonly there?: KubeObject;
  readonly open?: (request: OpenRequest) => OpenResult | ZoppError;
  /** Thrown by the write of the Secret. */
  readonly applyError?: ZoppError;
  /** managedFields of the answer to that write. */
  readonly others?: readonly string[];
  readonly failures?: number;
  readonly approvals?: boolean;
}

function setup(given: Setup = {}) {
  const stored = { ...(given.bundle ?? bundle(WORLD.environment, { A: "alpha", B: "beta" })) };
  const metadata = { ...stored.metadata, uid: "bundle-uid", generation: 1, resourceVersion: "1" };
  const bundles = new Map<string, ZoppSecret>([
    [KEY, { ...stored, metadata, ...(given.status ? { status: given.status } : {}) }],
  ]);
  const targets = new Map<string, SeenSecret>();
  const calls: string[] = [];
  const writes: { object: AppliedSecret; options: ApplyOptions }[] = [];
  const replaced: AppliedSecret[] = [];
  const events: string[] = [];
  const released: Uint8Array[] = [];
  let version = 100;
  const answerTo = (object: KubeObject, others: readonly string[]) => ({
    metadata: {
      ...object.metadata,
      uid: object.metadata.uid ?? "secret-uid",
      resourceVersion: String(++version),
      managedFields: [
        managed(FIELD_MANAGER, "Apply", Object.keys((object as AppliedSecret).data ?? {})),
        managed("kubectl-edit", "Update", others),
      ],
    },
  });
  const client = {
    async get(_: Resource, place: Place) {
      calls.push(`get ${place.name}`);
      if (given.there === undefined) throw apiError("get", 404, { reason: "NotFound" });
      return given.there;
    },
    async apply(resource: Resource, object: KubeObject, options: ApplyOptions) {
      calls.push(`apply ${resource.plural}${options.subresource === undefined ? "" : `/${options.subresource}`}`);
      if (resource !== SECRETS) return { metadata: { ...object.metadata, resourceVersion: String(++version) } };
      if (given.applyError !== undefined) throw given.applyError;
      // what was sent is copied: the caller overwrites its buffers
      writes.push({ object: structuredClone(object) as AppliedSecret, options });
      return answerTo(object, given.others ?? []);
    },
    async replace(_: Resource, object: KubeObject) {
      calls.push("replace");
      replaced.push(object as AppliedSecret);
      return answerTo(object, []);
    },
  };
  const keyring = {
    async open(request: OpenRequest): Promise<OpenResult> {
      calls.push("open");
      const answer = given.open?.(request) ?? release(request, released);
      if (answer instanceof ZoppError) throw answer;
      return answer;
    },
  };
  const memory = new BundleMemory(
    () => 0,
    () => 0.5,
  );
  const approvals = { required: 1, approvers: ["carol"] };
  const rule = { name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-1"] };
  const deps = {
    client,
    keyring,
    bundles: {
      get: (key: string) => bundles.get(key),
      put: (object: ZoppSecret) => bundles.set(keyOf(object), object),
      drop() {},
    },
    targets: {
      get: (key: string) => targets.get(key),
      put: (object: SeenSecret) => targets.set(keyOf(object), object),
      drop() {},
    },
    environments: { get: (name: string) => (name === "acme.shop.production" ? WORLD.environment.object : undefined) },
    workspaces: { get: () => acme({ environments: [given.approvals ? { ...rule, approvals } : rule] }) },
    policyOf: () => POLICY,
    events: { event: async (_r: unknown, _m: unknown, { reason }: { reason: string }) => void events.push(reason) },
    memory,
    failuresOf: () => given.failures ?? 0,
    now: () => NOW,
    wrote: (secret: SeenSecret) => void targets.set(keyOf(secret), secret),
    opened() {},
    tell: { conditions() {}, applied() {} },
  } as unknown as SecretDeps;
  const run = () => reconcileSecret(KEY, deps, signal);
  const edit = (changed: ZoppSecret) => {
    const before = bundles.get(KEY);
    const generation = (before?.metadata.generation ?? 0) + 1;
    const status = before?.status;
    bundles.set(KEY, {
      ...changed,
      metadata: { ...metadata, generation },
      ...(status === undefined ? {} : { status }),
    });
  };
  const status = () => bundles.get(KEY)?.status;
  return { run, edit, status, calls, writes, replaced, events, released, targets, bundles, memory };
}

function managed(manager: string, operation: string, keys: readonly string[]) {
  return {
    manager,
    operation,
    fieldsV1: { "f:data": { ".": {}, ...Object.fromEntries(keys.map((key) => [`f:${key}`, {}])) } },
  };
}

/** A keyring that trusts everything: it releases the entry keys of the fixture environment. */
function release(request: OpenRequest, released: Uint8Array[]): OpenResult {
  const key = decryptionKeyFromRaw("xwing", environmentKey.xwing.privateKey);
  const { namespace, name, spec } = request;
  const keys = new Map<string, Uint8Array>();
  for (const [entry, { sealed, version }] of Object.entries(spec.data ?? {})) {
    if (sealed === undefined) continue;
    const context = {
      workspace: "acme",
      project: "shop",
      environment: "production",
      epoch: 1,
      namespace,
      name,
      key: entry,
      version,
    };
    keys.set(entry, entryKey(key, context, decodeBase64(sealed) ?? new Uint8Array()));
  }
  released.push(...keys.values());
  const secret = {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: { namespace, name },
    spec,
  } as ZoppSecret;
  const digest = bundleDigest(bundleStatements(secret, epochsOf(WORLD.environment.object)));
  return { ok: true, digest, policy: POLICY, keys, warnings: [] };
}

const refuse = (code: ZoppError["code"]) => () =>
  ({ ok: false, policy: POLICY, error: new ZoppError(code, "no") }) as const;
const reasons = (status: SecretStatus | undefined) =>
  Object.fromEntries((status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]));

t.test("a new bundle becomes a Secret: one look, one opening, one write, one status", async (t) => {
  const { run, calls, writes, status, events, released, memory } = setup();
  const answer = await run();
  t.strictSame(calls, ["get api", "open", "apply secrets", "apply zoppsecrets/status"]);
  const [write] = writes;
  t.strictSame(write?.object.data, { A: btoa("alpha"), B: btoa("beta") });
  t.match(write?.options, { fieldManager: FIELD_MANAGER, force: false, metadataOnly: true });
  t.match(write?.object, {
    type: "Opaque",
    metadata: {
      ...PLACE,
      labels: { "zopp.dev/managed": "whole", "app.kubernetes.io/managed-by": "zopp" },
      annotations: { "zopp.dev/bundle": "api" },
      ownerReferences: [{ kind: "ZoppSecret", name: "api", uid: "bundle-uid", controller: true }],
    },
  });
  t.match(reasons(status()), { Ready: "True Synced", Verified: "True Verified", Synced: "True Synced" });
  t.match(status(), { target: { name: "api", uid: "secret-uid", resourceVersion: "101" }, entries: 2, policy: POLICY });
  t.strictSame(events, []);
  t.equal(released.length, 2);
  t.ok(
    released.every((key) => key.every((byte) => byte === 0)),
    "entry keys are overwritten",
  );
  t.equal(answer?.requeueAfterMs, memory.auditInMs(KEY));
});

t.test("a second thought does nothing", async (t) => {
  const { run, calls } = setup();
  await run();
  calls.length = 0;
  await run();
  t.strictSame(calls, []);
});

t.test("a changed value is opened and written over ours, by uid", async (t) => {
  const { run, edit, calls, writes, events, bundles } = setup();
  await run();
  calls.length = 0;
  edit(withValue(bundles.get(KEY) as ZoppSecret, "A", "other", WRITING));
  await run();
  t.strictSame(calls, ["open", "apply secrets", "apply zoppsecrets/status"]);
  t.strictSame(writes[1]?.object.data, { A: btoa("other"), B: btoa("beta") });
  t.match(writes[1], { object: { metadata: { uid: "secret-uid" } }, options: { force: true } });
  t.strictSame(events, ["Updated"]);
});

t.test("a tombstone takes the key out of the Secret", async (t) => {
  const { run, edit, writes, bundles, status } = setup();
  await run();
  edit(withTombstone(bundles.get(KEY) as ZoppSecret, "A", WRITING));
  await run();
  t.strictSame(writes[1]?.object.data, { B: btoa("beta") });
  t.equal(status()?.entries, 1);
});

t.test("templates are rendered beside the values", async (t) => {
  const render = { URL: "x://[[ A | urlencode ]]@[[ B ]]" };
  const { run, writes, status } = setup({ bundle: bundle(WORLD.environment, { A: "al/pha", B: "beta" }, { render }) });
  await run();
  t.strictSame(writes[0]?.object.data, { A: btoa("al/pha"), B: btoa("beta"), URL: btoa("x://al%2Fpha@beta") });
  t.equal(status()?.entries, 3);
});

t.test("a refusal leaves the Secret alone, is said once, and heals", async (t) => {
  const options: { open?: Setup["open"] } = {};
  const { run, edit, calls, status, events, bundles } = setup({
    open: (request) => options.open?.(request) ?? release(request, []),
  });
  await run();
  const good = bundles.get(KEY) as ZoppSecret;
  calls.length = 0;
  options.open = refuse("UnknownSigner");
  edit(withValue(good, "A", "evil", WRITING));
  await run();
  await run();
  t.strictSame(calls, ["open", "apply zoppsecrets/status"]);
  t.match(reasons(status()), { Ready: "False UnknownSigner", Stalled: "True UnknownSigner" });
  t.match(status()?.target, { uid: "secret-uid" });
  options.open = undefined;
  edit(good);
  await run();
  t.match(reasons(status()), { Ready: "True Synced" });
  t.notOk("Stalled" in reasons(status()));
  t.strictSame(events, ["UnknownSigner", "Recovered"]);
});

t.test("a value that does not open is refused whole, and keys are overwritten all the same", async (t) => {
  const { run, calls, status, released } = setup({
    open: (request) => {
      const answer = release(request, released);
      if (answer.ok) answer.keys.get("B")?.fill(7);
      return answer;
    },
  });
  await run();
  t.notOk(calls.includes("apply secrets"));
  t.match(reasons(status()), { Ready: "False CannotOpen", Verified: "False CannotOpen" });
  t.ok(released.every((key) => key.every((byte) => byte === 0)));
});

t.test("a bundle that cannot be read is refused without asking anybody", async (t) => {
  const broken = bundle(WORLD.environment, { A: "alpha" });
  const spec = { ...broken.spec, surprise: true } as ZoppSecret["spec"];
  const { run, calls, status, events } = setup({ bundle: { ...broken, spec } });
  await run();
  await run();
  t.strictSame(calls, ["apply zoppsecrets/status"]);
  t.match(reasons(status()), { Ready: "False Malformed" });
  t.match(status()?.conditions?.[0]?.message, /spec\.surprise/);
  t.strictSame(events, ["Malformed"]);
});

const FAILURES: Record<string, { given: Setup; ready: string; throws?: string }> = {
  "a full quota or a webhook is TargetDenied, and tried again": {
    given: { applyError: apiError("apply", 403, { reason: "Forbidden" }) },
    ready: "False TargetDenied",
    throws: "TargetDenied",
  },
  "an immutable Secret is TargetImmutable": {
    given: {
      applyError: apiError("apply", 422, {
        reason: "Invalid",
        details: { causes: [{ field: "data", reason: "FieldValueForbidden" }] },
      }),
    },
    ready: "False TargetImmutable",
  },
  "another type is TargetImmutable": {
    given: {
      applyError: apiError("apply", 422, {
        reason: "Invalid",
        details: { causes: [{ field: "type", reason: "FieldValueInvalid" }] },
      }),
    },
    ready: "False TargetImmutable",
  },
  "a Secret that Kubernetes refuses otherwise is ApiInvalid": {
    given: {
      applyError: apiError("apply", 422, {
        reason: "Invalid",
        details: { causes: [{ field: "metadata.labels", reason: "FieldValueInvalid" }] },
      }),
    },
    ready: "False ApiInvalid",
  },
  "a keyring that is down for long is told": {
    given: { open: () => new ZoppError("KeyringUnavailable", "no"), failures: 10 },
    ready: "False KeyringUnavailable",
    throws: "KeyringUnavailable",
  },
  "data that does not fit the type is TargetShape": {
    given: { bundle: bundle(WORLD.environment, { A: "alpha" }, { target: { type: "kubernetes.io/tls" } }) },
    ready: "False TargetShape",
  },
  "a template that names nothing is RenderInvalid": {
    given: { bundle: bundle(WORLD.environment, { A: "alpha" }, { render: { C: "[[ NOBODY ]]" } }) },
    ready: "False RenderInvalid",
  },
};
for (const [title, { given, ready, throws }] of Object.entries(FAILURES)) {
  t.test(title, async (t) => {
    const { run, status } = setup(given);
    if (throws === undefined) await run();
    else await t.rejects(run(), { code: throws });
    t.equal(reasons(status())["Ready"], ready);
    t.notMatch(JSON.stringify(status()), /alpha|beta/, "and no value is in the status");
  });
}

t.test("a keyring that restarts is not told: nothing is written, it is tried again", async (t) => {
  const { run, calls, status } = setup({ open: () => new ZoppError("KeyringUnavailable", "no"), failures: 9 });
  await t.rejects(run(), { code: "KeyringUnavailable" });
  t.strictSame(calls, ["get api", "open"]);
  t.equal(status(), undefined);
});

t.test("a wrongly set-up keyring is told and asked again, although the table calls it terminal", async (t) => {
  const { run, status } = setup({ open: refuse("KeyringMismatch") });
  const answer = await run();
  t.match(reasons(status()), { Ready: "False KeyringMismatch", Reconciling: "True KeyringMismatch" });
  t.ok((answer?.requeueAfterMs ?? Number.POSITIVE_INFINITY) <= 60_000);
});

t.test("a foreign Secret is found out before any key is released", async (t) => {
  const { run, calls, status, events } = setup({ there: { metadata: { ...PLACE, uid: "f", resourceVersion: "5" } } });
  const answer = await run();
  t.strictSame(calls, ["get api", "apply zoppsecrets/status"]);
  t.match(reasons(status()), { Ready: "False TargetConflict" });
  t.equal(answer?.requeueAfterMs, 300_000);
  await run();
  t.equal(calls.length, 2, "and is left alone");
  t.strictSame(events, ["TargetConflict"]);
});

t.test("an adopted Secret loses what is not the bundle's", async (t) => {
  const there = {
    metadata: { ...PLACE, uid: "f", resourceVersion: "5", annotations: { "zopp.dev/adopt": "api", keep: "me" } },
  };
  const { run, calls, writes, replaced } = setup({ there, others: ["OLD"] });
  await run();
  t.strictSame(calls, ["get api", "open", "apply secrets", "replace", "apply zoppsecrets/status"]);
  t.match(writes[0], { object: { metadata: { uid: "f" } }, options: { force: true } });
  t.strictSame(Object.keys(replaced[0]?.data ?? {}), ["A", "B"]);
  t.match(replaced[0]?.metadata, { uid: "f", resourceVersion: "101" });
  t.notOk(replaced[0]?.metadata.managedFields);
});

t.test("a merged Secret gets our keys and keeps its own", async (t) => {
  const there = { metadata: { ...PLACE, uid: "f", resourceVersion: "5", annotations: { "zopp.dev/merge": "api" } } };
  const { run, calls, writes } = setup({ there, others: ["OLD"] });
  await run();
  t.notOk(calls.includes("replace"));
  const [write] = writes;
  t.equal(write?.options.force, false);
  t.strictSame(Object.keys(write?.object ?? {}).sort(), ["data", "metadata"]);
  t.strictSame(write?.object.metadata.labels, { "zopp.dev/managed": "keys" });
  t.notOk(write?.object.metadata.ownerReferences, "it is not deleted with the bundle");
});

t.test("a key that another writer holds in a merged Secret is a conflict", async (t) => {
  const there = { metadata: { ...PLACE, uid: "f", resourceVersion: "5", annotations: { "zopp.dev/merge": "api" } } };
  const { run, status } = setup({ there, applyError: apiError("apply", 409, { reason: "Conflict" }) });
  await run();
  t.match(reasons(status()), { Ready: "False TargetConflict" });
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
  t.strictSame(seen.writers, { ours: ["A"], others: ["B", "C"] });
});
