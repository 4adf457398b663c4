// Opens environment keys on this machine: with the identity where it is a recipient, or with the recovery key.
// The bytes live for one command; callers zero them.

import { signedPlace } from "../crds/bundle/statements.js";
import { decodeBase64 } from "../crds/crypto/encoding.js";
import { entryKey, openEntry } from "../crds/crypto/entry.js";
import type { DecryptionKey, Identity } from "../crds/crypto/identity.js";
import { committedKey, unwrapEnvironmentKey, unwrapPrivateKey, type WrapContext } from "../crds/crypto/wrap.js";
import { ZoppError } from "../crds/errors.js";
import type { AcceptedEnvironment, Epoch } from "../crds/policy/environment.js";
import type { SealedKey, ZoppSecret } from "../crds/types.gen.js";
import type { Context } from "./context.js";
import { readInput, terminalOf } from "./input.js";

/** Who opens: a device's identity, a recovery key (`AGE-SECRET-KEY-…`), or both. */
export interface Opener {
  readonly identity?: Identity | undefined;
  readonly recovery?: string | undefined;
}

/** The recovery key in a file; comments are skipped. Throws NotFound, Malformed. */
export async function readRecovery(context: Context, file: string): Promise<string> {
  const text = Buffer.from(await readInput(context, file)).toString("utf8");
  const key = text.split(/\r?\n/).find((line) => line.startsWith("AGE-SECRET-KEY-"));
  if (key === undefined) throw new ZoppError("Malformed", `${file} holds no recovery key`);
  return key.trim();
}

/** Asks for the recovery key without echo. Throws Usage where nobody is there. */
export async function askRecovery(context: Context): Promise<string> {
  return (await terminalOf(context, "name the recovery key by --recovery-file").askHidden("recovery key: ")).trim();
}

function contextOf(environment: AcceptedEnvironment, epoch: Epoch): WrapContext {
  const { workspace, project, environment: name } = environment.object.spec;
  return { workspace, project, environment: name, epoch: epoch.facts.epoch };
}

type Wrapped = SealedKey & { readonly enc: string; readonly wrapped: string };

function ownStanza(epoch: Epoch, identity: Identity | undefined): Wrapped | undefined {
  const kid = identity?.encryption.publicKey.kid;
  return epoch.facts.sealed.find(
    (stanza): stanza is Wrapped => stanza.to === kid && stanza.enc !== undefined && stanza.wrapped !== undefined,
  );
}

/**
 * The 32 private bytes of an epoch's key; the caller zeroes them. Throws NotRecipient when nothing at hand opens it,
 * CannotOpen when what should does not.
 */
export async function openPrivateKey(
  environment: AcceptedEnvironment,
  epoch: Epoch,
  opener: Opener,
): Promise<Uint8Array> {
  const stanza = ownStanza(epoch, opener.identity);
  if (stanza !== undefined && opener.identity !== undefined) {
    return unwrapPrivateKey(opener.identity.encryption, contextOf(environment, epoch), stanza, epoch.key);
  }
  const { recovery } = opener;
  if (recovery !== undefined) {
    const { unwrapAge } = await import("../crds/crypto/age.js");
    for (const { age } of epoch.facts.sealed) {
      const raw = age === undefined ? undefined : await unwrapAge(recovery, age).catch(() => undefined);
      if (raw === undefined) continue;
      committedKey(raw, epoch.key);
      return raw;
    }
    throw new ZoppError(
      "CannotOpen",
      `environment ${environment.path}: the recovery key does not open epoch ${epoch.facts.epoch}`,
    );
  }
  throw new ZoppError(
    "NotRecipient",
    `environment ${environment.path}: epoch ${epoch.facts.epoch} is not wrapped to this identity`,
  );
}

/** Opens one entry of a verified bundle with a device's key. Throws UnknownEpoch, NotRecipient, CannotOpen. */
export function openValue(
  secret: ZoppSecret,
  key: string,
  environment: AcceptedEnvironment,
  identity: Identity,
): Uint8Array {
  const epoch = environment.epochs.get(secret.spec.data?.[key]?.to ?? "");
  if (epoch === undefined) throw unknownEpoch(key, environment);
  return openValueWith(secret, key, environment, decryptionKey(environment, epoch, identity));
}

function unknownEpoch(key: string, environment: AcceptedEnvironment): ZoppError {
  return new ZoppError("UnknownEpoch", `${key} is sealed to no key of the environment ${environment.path}`);
}

/** Opens one entry of a verified bundle with the key of its epoch. Throws UnknownEpoch, CannotOpen. */
export function openValueWith(
  secret: ZoppSecret,
  key: string,
  environment: AcceptedEnvironment,
  opens: DecryptionKey,
): Uint8Array {
  const entry = secret.spec.data?.[key];
  const epoch = environment.epochs.get(entry?.to ?? "");
  const sealed = decodeBase64(entry?.sealed ?? "");
  if (entry === undefined || epoch === undefined || sealed === null) throw unknownEpoch(key, environment);
  const { namespace, name } = signedPlace(secret, epoch.facts.binding);
  const place = { ...contextOf(environment, epoch), namespace, name, key, version: entry.version };
  const released = entryKey(opens, place, sealed);
  try {
    return openEntry(released, epoch.key.kem, sealed);
  } finally {
    released.fill(0);
  }
}

/** Unwraps once per epoch and run. */
function decryptionKey(environment: AcceptedEnvironment, epoch: Epoch, identity: Identity): DecryptionKey {
  const known = OPENED.get(epoch);
  if (known !== undefined) return known;
  const stanza = ownStanza(epoch, identity);
  if (stanza === undefined) {
    throw new ZoppError(
      "NotRecipient",
      `environment ${environment.path}: epoch ${epoch.facts.epoch} is not wrapped to this identity`,
    );
  }
  const key = unwrapEnvironmentKey(identity.encryption, contextOf(environment, epoch), stanza, epoch.key);
  OPENED.set(epoch, key);
  return key;
}

const OPENED = new WeakMap<Epoch, DecryptionKey>();
