// Wraps environment keys to the recipients that policy allows: clusters, recovery keys, readers' devices.
// Who those are is policy's word; how keys are opened is epoch-keys.ts' business.
import { wrapToAge } from "../crds/crypto/age.js";
import { type EncryptionKey, parseEncryptionKey } from "../crds/crypto/keys.js";
import { wrapEnvironmentKey } from "../crds/crypto/wrap.js";
import { ZoppError } from "../crds/errors.js";
import { type EnvironmentContent, environmentContent } from "../crds/policy/edit.js";
import type { AcceptedEnvironment } from "../crds/policy/environment.js";
import { may } from "../crds/policy/rights.js";
import type {
  Cluster,
  EnvironmentGrant,
  EnvironmentKey,
  Principal,
  SealedKey,
  WorkspaceSpec,
} from "../crds/types.gen.js";
import type { WrappedEpoch } from "../operator/keyring/client.types.js";
import { type Opener, openPrivateKey } from "./epoch-keys.js";
import type { EnvironmentPath } from "./settings.js";

/** A recipient of an environment key: a key of policy, or an age recipient. */
export type Recipient = EncryptionKey | string;

/** The encryption keys of clusters. Throws Malformed. */
function clusterKeys(clusters: readonly Cluster[]): readonly EncryptionKey[] {
  return clusters.map(({ name, encryptionKey }) => usable(encryptionKey, `cluster ${name}`));
}

/** The devices of everybody who may read an environment: its recipients where access is direct. */
export function readerKeys(
  spec: Pick<WorkspaceSpec, "principals" | "groups" | "grants">,
  scope: string,
  grants: readonly EnvironmentGrant[],
  now: Date,
): readonly EncryptionKey[] {
  const context = { workspace: spec as WorkspaceSpec, environment: scope, grants, now };
  return spec.principals.filter(({ name }) => may(context, name, "read")).flatMap(deviceKeys);
}

/** Whom an environment is for. */
interface Audience {
  readonly access: "brokered" | "direct";
  /** `project/environment` */
  readonly scope: string;
  readonly grants: readonly EnvironmentGrant[];
  readonly clusters: readonly Cluster[];
}

/** Everybody whom a new key of an environment is wrapped to: its clusters, its readers where access is direct, recovery. */
export function environmentRecipients(
  spec: WorkspaceSpec,
  { access, scope, grants, clusters }: Audience,
  now: Date,
): readonly Recipient[] {
  const readers = access === "direct" ? readerKeys(spec, scope, grants, now) : [];
  return [...clusterKeys(clusters), ...readers, ...(spec.recovery ?? []).map(({ recipient }) => recipient)];
}

function deviceKeys({ name, devices }: Principal): readonly EncryptionKey[] {
  return (devices ?? []).map((device) => usable(device.encryptionKey, `device ${name}/${device.name}`));
}

function usable(text: string, what: string): EncryptionKey {
  const key = parseEncryptionKey(text);
  if (key === null) throw new ZoppError("Malformed", `${what}: its encryption key is not usable`);
  return key;
}

/** Wraps private bytes to each recipient once. */
export async function wrapToAll(
  recipients: readonly Recipient[],
  path: EnvironmentPath & { readonly epoch: number },
  privateKey: Uint8Array,
): Promise<readonly SealedKey[]> {
  const sealed = new Map<string, SealedKey>();
  for (const recipient of recipients) {
    if (typeof recipient === "string")
      sealed.set(recipient, { to: recipient, age: await wrapToAge(recipient, privateKey) });
    else sealed.set(recipient.kid, wrapEnvironmentKey(recipient, path, privateKey));
  }
  return [...sealed.values()];
}

/**
 * The environment's content with its keys wrapped to further recipients: the newest epoch must open, older ones are
 * wrapped where they do. `former` (kids) lose their wraps. Undefined when nothing changes. Throws NotRecipient or
 * CannotOpen for the newest epoch.
 */
export async function wrapFurther(
  environment: AcceptedEnvironment,
  recipients: readonly EncryptionKey[],
  opener: Opener,
  former: readonly string[] = [],
): Promise<EnvironmentContent | undefined> {
  const content = environmentContent(environment.object);
  const { workspace, project, environment: name } = content;
  const keys: EnvironmentKey[] = [];
  let changed = false;
  for (const epoch of environment.epochs.values()) {
    const missing = recipients.filter(({ kid }) => !epoch.facts.sealed.some(({ to }) => to === kid));
    const kept = epoch.facts.sealed.filter(({ to }) => !former.includes(to));
    const raw = missing.length === 0 ? undefined : await opened(environment, epoch, opener);
    if (raw === undefined) {
      changed ||= kept.length < epoch.facts.sealed.length;
      keys.push({ ...epoch.facts, sealed: kept });
      continue;
    }
    const path = { workspace, project, environment: name, epoch: epoch.facts.epoch };
    const added = await wrapToAll(missing, path, raw);
    raw.fill(0);
    keys.push({ ...epoch.facts, sealed: [...kept, ...added] });
    changed = true;
  }
  return changed ? { ...content, keys } : undefined;
}

async function opened(
  environment: AcceptedEnvironment,
  epoch: Parameters<typeof openPrivateKey>[1],
  opener: Opener,
): Promise<Uint8Array | undefined> {
  try {
    return await openPrivateKey(environment, epoch, opener);
  } catch (error) {
    if (epoch.newest) throw error;
    return undefined;
  }
}

/** The environment's content with what a keyring wrapped. Throws CannotOpen. */
export function withWraps(environment: AcceptedEnvironment, wrapped: readonly WrappedEpoch[]): EnvironmentContent {
  const content = environmentContent(environment.object);
  const { epoch: newest } = environment.newest.facts;
  if (!wrapped.some(({ epoch }) => epoch === newest))
    throw new ZoppError("CannotOpen", `environment ${environment.path}: the keyring does not hold epoch ${newest}`);
  const keys = content.keys.map((key) => {
    const { sealed } = key;
    const added = wrapped.filter(({ epoch, to }) => epoch === key.epoch && !sealed.some((each) => each.to === to));
    return { ...key, sealed: [...sealed, ...added.map(({ to, enc, wrapped: box }) => ({ to, enc, wrapped: box }))] };
  });
  return { ...content, keys };
}

/** The environment's content without the wraps to these kids. Undefined when nothing changes. */
export function withoutWraps({ object }: AcceptedEnvironment, kids: readonly string[]): EnvironmentContent | undefined {
  const content = environmentContent(object);
  if (!content.keys.some(({ sealed }) => sealed.some(({ to }) => kids.includes(to)))) return undefined;
  return {
    ...content,
    keys: content.keys.map((key) => ({ ...key, sealed: key.sealed.filter(({ to }) => !kids.includes(to)) })),
  };
}
