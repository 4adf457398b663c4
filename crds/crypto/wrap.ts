// Environment keys wrapped to recipients, by kid, and unwrapped with a check against the public key.
// Who may be a recipient is policy's business; recovery keys are wrapped by age.ts.
import { ZoppError } from "../errors.js";
import { decodeBase64, encodeBase64 } from "./encoding.js";
import { cannotOpen, openMessage, sealMessage } from "./hpke.js";
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

function infoOf(context: WrapContext, kid: string): Uint8Array {
  const { workspace, project, environment, epoch } = context;
  return pae("zopp/v1/environment", workspace, project, environment, epoch, kid);
}

/** Wraps the 32 private bytes of an environment key to a recipient. */
export function wrapEnvironmentKey(to: EncryptionKey, context: WrapContext, privateKey: Uint8Array): WrappedKey {
  const { enc, ciphertext } = sealMessage(to, infoOf(context, to.kid), privateKey);
  return { to: to.kid, enc: encodeBase64(enc), wrapped: encodeBase64(ciphertext) };
}

/** The 32 private bytes; the caller zeroes them. Throws CannotOpen unless they belong to `publicKey`. */
export function unwrapPrivateKey(
  key: DecryptionKey,
  context: WrapContext,
  wrapped: WrappedKey,
  publicKey: EncryptionKey,
): Uint8Array {
  const [enc, ciphertext] = [decodeBase64(wrapped.enc), decodeBase64(wrapped.wrapped)];
  if (enc === null || ciphertext === null) throw cannotOpen();
  const raw = openMessage(key, enc, infoOf(context, key.publicKey.kid), ciphertext);
  return checkedPrivateKey(raw, publicKey);
}

/** Unwraps to a key that opens entries. Throws CannotOpen unless it belongs to `publicKey`. */
export function unwrapEnvironmentKey(
  key: DecryptionKey,
  context: WrapContext,
  wrapped: WrappedKey,
  publicKey: EncryptionKey,
): DecryptionKey {
  const raw = unwrapPrivateKey(key, context, wrapped, publicKey);
  try {
    return decryptionKeyFromRaw(publicKey.kem, raw);
  } finally {
    raw.fill(0);
  }
}

/** The key commitment: private bytes that do not belong to the public key are refused. Throws CannotOpen. */
export function checkedPrivateKey(raw: Uint8Array, publicKey: EncryptionKey): Uint8Array {
  if (raw.length !== SEED_BYTES) throw cannotOpen();
  const found = decryptionKeyFromRaw(publicKey.kem, raw).publicKey;
  if (equalBytes(found.raw, publicKey.raw)) return raw;
  raw.fill(0);
  throw new ZoppError("CannotOpen", "the unwrapped key does not belong to the environment's public key");
}
