// Environment keys wrapped to recipients, by kid, and unwrapped with a check against the public key.
// Who may be a recipient is policy's business; recovery keys are wrapped by age.ts.
import { decodeBase64, encodeBase64 } from "./encoding.js";
import { cannotOpen, setupReceiver, setupSender } from "./hpke.js";
import { type DecryptionKey, decryptionKeyFromRaw, SEED_BYTES } from "./identity.js";
import type { EncryptionKey } from "./keys.js";
import { pae } from "./pae.js";
import { equalBytes } from "./primitives.js";

/** Which key is wrapped. */
export interface WrapContext {
  readonly workspace: string;
  readonly project: string;
  readonly environment: string;
  readonly epoch: number;
}

/** A wrapped key as it stands in an environment; `enc` and `wrapped` are base64. */
export interface WrappedKey {
  readonly to: string;
  readonly enc: string;
  readonly wrapped: string;
}

const NO_AAD = new Uint8Array(0);

function infoOf(context: WrapContext, kid: string): Uint8Array {
  const { workspace, project, environment, epoch } = context;
  return pae("zopp/v1/environment", workspace, project, environment, epoch, kid);
}

/** Wraps the 32 private bytes of an environment key to a recipient. */
export function wrapEnvironmentKey(to: EncryptionKey, context: WrapContext, privateKey: Uint8Array): WrappedKey {
  if (privateKey.length !== SEED_BYTES) throw new TypeError("a private key has 32 bytes");
  const sender = setupSender(to, infoOf(context, to.kid), "chacha20poly1305");
  const wrapped = sender.seal(NO_AAD, privateKey);
  return { to: to.kid, enc: encodeBase64(sender.enc), wrapped: encodeBase64(wrapped) };
}

/** The 32 private bytes; the caller zeroes them. Throws CannotOpen unless they belong to `publicKey`. */
export function unwrapPrivateKey(
  key: DecryptionKey,
  context: WrapContext,
  wrapped: WrappedKey,
  publicKey: EncryptionKey,
): Uint8Array {
  const raw = unwrap(key, context, wrapped);
  committedKey(raw, publicKey);
  return raw;
}

/** Unwraps to a key that opens entries. Throws CannotOpen unless it belongs to `publicKey`. */
export function unwrapEnvironmentKey(
  key: DecryptionKey,
  context: WrapContext,
  wrapped: WrappedKey,
  publicKey: EncryptionKey,
): DecryptionKey {
  const raw = unwrap(key, context, wrapped);
  const unwrapped = committedKey(raw, publicKey);
  raw.fill(0);
  return unwrapped;
}

function unwrap(key: DecryptionKey, context: WrapContext, wrapped: WrappedKey): Uint8Array {
  const [enc, ciphertext] = [decodeBase64(wrapped.enc), decodeBase64(wrapped.wrapped)];
  if (enc === null || ciphertext === null) throw cannotOpen();
  return setupReceiver(key, enc, infoOf(context, key.publicKey.kid), "chacha20poly1305").open(NO_AAD, ciphertext);
}

/**
 * The key commitment: expands private bytes, from a wrap or from a recovery file, to the key that they must be.
 * Throws CannotOpen, and zeroes the bytes, when they do not belong to `publicKey`.
 */
export function committedKey(raw: Uint8Array, publicKey: EncryptionKey): DecryptionKey {
  const key = raw.length === SEED_BYTES ? decryptionKeyFromRaw(publicKey.kem, raw) : null;
  if (key !== null && equalBytes(key.publicKey.raw, publicKey.raw)) return key;
  raw.fill(0);
  throw cannotOpen();
}
