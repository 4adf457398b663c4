// Reads the values of a bundle: with the reader's own key where access is direct, else through a keyring, which records it.
// Either way the bundle is verified here first, by this machine's own pins.
import type { Policy } from "../crds/bundle/case.js";
import { keysOfRule, targetName } from "../crds/bundle/target.js";
import { decodeBase64 } from "../crds/crypto/encoding.js";
import { openEntry } from "../crds/crypto/entry.js";
import { parseVerifyKey } from "../crds/crypto/keys.js";
import { ZoppError } from "../crds/errors.js";
import type { Cluster, ZoppSecret } from "../crds/types.gen.js";
import { keepOpened } from "./audit/seen.js";
import { verifyForReading } from "./bundles.js";
import { openValue } from "./epoch-keys.js";
import { type KeyringOptions, type Wanted, withKeyring } from "./keyring-call.js";
import { problemLine } from "./output.js";
import { signerOf } from "./policy.js";
import type { Session } from "./session.js";

/** Values by key, and what a person should hear of them. */
export interface ReadValues {
  readonly values: ReadonlyMap<string, Uint8Array>;
  /** Keys with a value that this reader may not read. */
  readonly withheld: readonly string[];
  /** What the content still waits for: it is no value that runs. */
  readonly waits?: ZoppError | undefined;
  readonly notes: readonly string[];
}

/** What is read, and by whom. */
export interface Reading extends KeyringOptions {
  readonly secret: ZoppSecret;
  readonly policy: Policy;
  /** Only these; absent = all that the reader may read. */
  readonly keys?: readonly string[] | undefined;
  /** The entries are earlier ones, to be put back. */
  readonly earlier?: boolean | undefined;
  readonly workload?: Wanted["workload"];
  readonly otherwise?: Wanted["otherwise"];
}

/** The keys of a bundle that have a value. */
export function liveKeys(secret: ZoppSecret): readonly string[] {
  return Object.entries(secret.spec.data ?? {})
    .filter(([, entry]) => entry.retired !== true)
    .map(([key]) => key);
}

/** The keys of a bundle whose values keyrings make. */
export function generatedKeys({ spec }: ZoppSecret): readonly string[] {
  return Object.entries(spec.generate ?? {}).flatMap(([key, rule]) => keysOfRule(key, rule));
}

/** Where such values are, since they are not in the bundle. */
function notHere(secret: ZoppSecret, keys: readonly string[]): string {
  const { namespace, name } = secret.metadata;
  const target = `${namespace}/${targetName(secret)}`;
  return `bundle ${namespace}/${name}: each cluster's keyring makes ${keys.join(", ")} by itself; read it in the Secret ${target} there`;
}

/** Throws NotFound for a key that has no value. */
export function refuseMissing(secret: ZoppSecret, keys: readonly string[]): void {
  const { namespace, name } = secret.metadata;
  const live = liveKeys(secret);
  const made = generatedKeys(secret);
  const generated = keys.find((key) => made.includes(key));
  if (generated !== undefined) throw new ZoppError("NotFound", notHere(secret, [generated]));
  const missing = keys.find((key) => !live.includes(key));
  if (missing !== undefined) throw new ZoppError("NotFound", `bundle ${namespace}/${name} has no key ${missing}`);
}

/** Reads values. Throws what is wrong with the bundle, NotFound for a key that it lacks, NotRecipient, CannotOpen, and as withKeyring. */
export async function readValuesOf(session: Session, reading: Reading): Promise<ReadValues> {
  const { secret, policy, keys } = reading;
  refuseMissing(secret, keys ?? []);
  const warnings = verifyForReading(secret, policy, keys, session.context.now());
  const waits = warnings.find(({ code }) => code === "PendingApproval");
  const heard = warnings.map(({ code, message }) => `${code}: ${message}`);
  const wanted = keys ?? liveKeys(secret);
  const made = keys === undefined ? generatedKeys(secret) : [];
  const elsewhere = made.length === 0 ? [] : [notHere(secret, made)];
  const { values, notes } =
    policy.environment.object.spec.access === "direct" || wanted.length === 0
      ? { values: await opened(session, reading, wanted), notes: [] }
      : await released(session, reading);
  return {
    values,
    withheld: wanted.filter((key) => !values.has(key)),
    waits,
    notes: [...new Set([...heard, ...notes, ...elsewhere])],
  };
}

async function opened(session: Session, { secret, policy }: Reading, keys: readonly string[]) {
  const identity = keys.length === 0 ? undefined : await session.identity();
  if (identity === undefined) return new Map<string, Uint8Array>();
  return new Map(keys.map((key) => [key, openValue(secret, key, policy.environment, identity)]));
}

async function released(session: Session, { secret, policy, keys = [], earlier, ...rest }: Reading) {
  const { namespace, name } = secret.metadata;
  // said here: a keyring takes no more than 4 KiB of a key that it does not know, and so hears no question of its
  if (rest.workload === undefined) signerOf(policy.workspace, await session.identity());
  const wanted: Wanted = { ...rest, workspace: policy.workspace, scope: policy.environment.scope };
  const request = { namespace, name, spec: secret.spec, keys, earlier };
  const { result, cluster } = await withKeyring(session, wanted, async (reached) => {
    return { result: await reached.keyring.open(request), cluster: reached.cluster };
  }).catch((error: unknown) => {
    throw unreached(error, policy);
  });
  if (!result.ok) throw result.error;
  // a pod has no identity directory
  const kept = rest.workload === undefined ? rememberLog(session, cluster, result.checkpoint) : [];
  const values = new Map<string, Uint8Array>();
  for (const [key, entryKey] of result.keys) {
    values.set(key, openWith(entryKey, secret, key, policy));
    entryKey.fill(0);
  }
  return { values, notes: [...result.warnings, ...kept] };
}

/** Gives what keeps the checkpoint from being kept: the value was released and recorded, whatever becomes of it here. */
function rememberLog({ context }: Session, { name, signingKey, log }: Cluster, checkpoint: string): readonly string[] {
  try {
    const key = parseVerifyKey(signingKey);
    if (key === null) throw new ZoppError("Malformed", `cluster ${name}: its signing key is not usable`);
    keepOpened(context, checkpoint, { key, log });
    return [];
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return [`\`zopp audit verify\` will not know of this: ${problemLine(error)}`];
  }
}

function openWith(entryKey: Uint8Array, secret: ZoppSecret, key: string, { environment }: Policy): Uint8Array {
  const entry = secret.spec.data?.[key];
  const epoch = environment.epochs.get(entry?.to ?? "");
  const sealed = decodeBase64(entry?.sealed ?? "");
  if (epoch === undefined || sealed === null)
    throw new ZoppError("UnknownEpoch", `${key} is sealed to no key of the environment ${environment.path}`);
  return openEntry(entryKey, epoch.key.kem, sealed);
}

/** Why there is no other way than the keyring that was not reached. */
function unreached(error: unknown, { environment }: Policy): unknown {
  if (!(error instanceof ZoppError) || (error.code !== "KeyringUnavailable" && error.code !== "NoRecipient"))
    return error;
  const hint = `environment ${environment.path} is brokered: its values are read through a keyring, which records it`;
  const code = error.code === "NoRecipient" ? "BrokeredOnly" : error.code;
  return new ZoppError(code, `${error.message}; ${hint}`, { cause: error });
}
