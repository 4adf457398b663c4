// A bundle's story with everything around it in memory: what the operator asks, writes and says is kept to be looked at.
// The keyring here releases real entry keys; whole processes on a real API server are testbed.ts'.
import { bundleDigest, bundleStatements } from "../crds/bundle/statements.js";
import { decodeBase64 } from "../crds/crypto/encoding.js";
import { entryKey } from "../crds/crypto/entry.js";
import { decryptionKeyFromRaw } from "../crds/crypto/identity.js";
import { ZoppError } from "../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../crds/types.gen.js";
import { epochsOf } from "../operator/controllers/epochs.js";
import { reconcileSecret, type SecretDeps } from "../operator/controllers/secret.js";
import { BundleMemory } from "../operator/controllers/secret.memory.js";
import type { AppliedSecret } from "../operator/controllers/target.js";
import type { SeenSecret } from "../operator/controllers/target.seen.js";
import type { GenerateQuery, OpenRequest, OpenResult } from "../operator/keyring/client.types.js";
import type { ApplyOptions } from "../operator/kube/client.js";
import { apiError } from "../operator/kube/errors.js";
import {
  FIELD_MANAGER,
  type KubeObject,
  keyOf,
  type ObjectList,
  type Place,
  type Resource,
  SECRETS,
} from "../operator/kube/resources.js";
import { bundle, environmentKey, NOW, world, writingBy } from "./fixtures.js";

export const WORLD = world();
export const WRITING = writingBy("alice", WORLD.environment);
export const KEY = "shop-prod/api";
export const PLACE = { namespace: "shop-prod", name: "api" };
export const signal = new AbortController().signal;
export const POLICY = ["w1", "e1"];
const BUNDLE_UID = "bundle-uid";

/** What a test may replace of the world around one reconcile. */
export interface Setup {
  readonly bundle?: ZoppSecret;
  readonly status?: SecretStatus;
  /** What a metadata GET of the target finds. */
  readonly there?: KubeObject;
  /** Thrown by that GET. */
  readonly getError?: ZoppError;
  readonly open?: (request: OpenRequest) => OpenResult | ZoppError | Promise<OpenResult>;
  /** What the keyring makes; it has to be told where the bundle has rules. */
  readonly generate?: SecretDeps["keyring"]["generate"];
  /** A real API server in place of the one in memory. */
  readonly client?: SecretDeps["client"];
  /** Thrown by the write of the Secret. */
  readonly applyError?: ZoppError;
  /** managedFields of the answer to that write. */
  readonly others?: readonly string[];
  /** The wall clock; it stands still unless a test moves it. */
  readonly wall?: { now: Date };
  /** How long opening and writing have been tried in vain. */
  readonly triedForMs?: number;
  /** Whether the environment asks for approvals; null: the keyring does not tell. */
  readonly approvals?: boolean | null;
}

/** What the API was asked and told. */
interface Seen {
  readonly calls: string[];
  readonly writes: { object: AppliedSecret; options: ApplyOptions }[];
  readonly replaced: AppliedSecret[];
}

/** An API server in memory, as far as one bundle's story needs it. */
function clientOf(given: Setup, seen: Seen) {
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
  return {
    async get(_: Resource, place: Place) {
      seen.calls.push(`get ${place.name}`);
      if (given.getError !== undefined) throw given.getError;
      if (given.there === undefined) throw apiError("get", 404, { reason: "NotFound" });
      return given.there;
    },
    /** The bundle itself is still there. */
    async list<T>(): Promise<ObjectList<T>> {
      return { metadata: {}, items: [{ metadata: { ...PLACE, uid: BUNDLE_UID } } as T] };
    },
    async apply(resource: Resource, object: KubeObject, options: ApplyOptions) {
      seen.calls.push(`apply ${resource.plural}${options.subresource === undefined ? "" : `/${options.subresource}`}`);
      if (resource !== SECRETS) return { metadata: { ...object.metadata, resourceVersion: String(++version) } };
      if (given.applyError !== undefined) throw given.applyError;
      const { resourceVersion: only = given.there?.metadata.resourceVersion } = object.metadata;
      if (given.there !== undefined && only !== given.there.metadata.resourceVersion) {
        throw apiError("apply", 409, { reason: "Conflict" });
      }
      // what was sent is copied: the caller overwrites its buffers
      seen.writes.push({ object: structuredClone(object) as AppliedSecret, options });
      return answerTo(object, given.others ?? []);
    },
    async replace(_: Resource, object: KubeObject) {
      seen.calls.push("replace");
      seen.replaced.push(object as AppliedSecret);
      return answerTo(object, []);
    },
  };
}

/** A keyring that answers as told, or releases the fixture environment's entry keys. */
function keyringOf(given: Setup, calls: string[], released: Uint8Array[]) {
  return {
    async open(request: OpenRequest): Promise<OpenResult> {
      calls.push("open");
      const answer = (await given.open?.(request)) ?? release(request, released);
      if (answer instanceof ZoppError) throw answer;
      return answer;
    },
    async generate(request: GenerateQuery, signal?: AbortSignal) {
      calls.push("generate");
      if (given.generate === undefined) throw new TypeError("no rules are expected");
      return given.generate(request, signal);
    },
  };
}

/** One bundle in a world of its own: `run` thinks about it once, the rest is what happened. */
export function setup(given: Setup = {}) {
  const stored = { ...(given.bundle ?? bundle(WORLD.environment, { A: "alpha", B: "beta" })) };
  const metadata = { uid: BUNDLE_UID, generation: 1, resourceVersion: "1", ...stored.metadata };
  const bundles = new Map<string, ZoppSecret>([
    [KEY, { ...stored, metadata, ...(given.status ? { status: given.status } : {}) }],
  ]);
  const targets = new Map<string, SeenSecret>();
  const calls: string[] = [];
  const writes: { object: AppliedSecret; options: ApplyOptions }[] = [];
  const replaced: AppliedSecret[] = [];
  const events: string[] = [];
  const released: Uint8Array[] = [];
  const states: string[] = [];
  const seen = { calls, writes, replaced };
  const client = given.client ?? clientOf(given, seen);
  const keyring = keyringOf(given, calls, released);
  const clock = { ms: 0 };
  const told = { policy: false };
  const memory = new BundleMemory(
    () => clock.ms,
    () => 0.5,
  );
  if (given.triedForMs !== undefined) memory.trying(KEY);
  clock.ms += given.triedForMs ?? 0;
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
      drop: (key: string) => targets.delete(key),
    },
    environments: { get: (name: string) => (name === "acme.shop.production" ? WORLD.environment.object : undefined) },
    asksApprovals: () => (told.policy && given.approvals !== null ? (given.approvals ?? false) : undefined),
    refreshPolicy: async () => {
      told.policy = true;
    },
    policyOf: () => POLICY,
    events: { event: async (_r: unknown, _m: unknown, { reason }: { reason: string }) => void events.push(reason) },
    memory,
    now: () => given.wall?.now ?? NOW,
    expiryWarningMs: 14 * 24 * 3600_000,
    wrote: (secret: SeenSecret) => void targets.set(keyOf(secret), secret),
    opened() {},
    tell: {
      status() {},
      applied() {},
      newState: (_: ZoppSecret, digest: string) => void states.push(digest),
    },
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
  return { run, edit, status, calls, writes, replaced, events, released, states, targets, bundles, memory, clock };
}

/** An entry of `managedFields`: who owns which keys. */
export function managed(manager: string, operation: string, keys: readonly string[]) {
  return {
    manager,
    operation,
    fieldsV1: { "f:data": { ".": {}, ...Object.fromEntries(keys.map((key) => [`f:${key}`, {}])) } },
  };
}

/** A keyring that trusts everything: it releases the entry keys of the fixture environment. */
export function release(request: OpenRequest, released: Uint8Array[]): OpenResult {
  const key = decryptionKeyFromRaw("xwing", environmentKey.xwing.privateKey);
  const { namespace, name, spec, generated = {} } = request;
  const keys = new Map<string, Uint8Array>();
  const place = { workspace: "acme", project: "shop", environment: "production", epoch: 1, namespace, name };
  const values = [
    ...Object.entries(spec.data ?? {}).map(([entry, value]) => ({ ...value, entry, use: "entry" as const })),
    ...Object.entries(generated).map(([entry, value]) => ({ ...value, entry, use: "generated" as const })),
  ];
  for (const { entry, use, sealed, version } of values) {
    if (sealed === undefined) continue;
    const context = { ...place, key: entry, version };
    keys.set(entry, entryKey(key, context, decodeBase64(sealed) ?? new Uint8Array(), use));
  }
  released.push(...keys.values());
  const secret = {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: { namespace, name },
    spec,
  } as ZoppSecret;
  const digest = bundleDigest(bundleStatements(secret, epochsOf(WORLD.environment.object)));
  return { ok: true, digest, policy: POLICY, keys, warnings: [], checkpoint: "" };
}

/** A keyring that refuses. */
export const refuse = (code: ZoppError["code"]) => () =>
  ({ ok: false, policy: POLICY, error: new ZoppError(code, "no") }) as const;
/** `status reason` by condition type. */
export const reasons = (status: SecretStatus | undefined) =>
  Object.fromEntries((status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]));
