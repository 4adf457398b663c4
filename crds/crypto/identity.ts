// Private keys: a device's identity from its seed, and environment keys. Handles only; raw bytes are not kept.
// Where seeds and keys are stored is the caller's business.
import { encodeBase64 } from "./encoding.js";
import { type EncryptionKey, encryptionKey, type Kem, parseVerifyKey, type VerifyKey } from "./keys.js";
import { concat } from "./labeled.js";
import {
  curvePublic,
  ed25519Private,
  ed25519Sign,
  hkdfSha256,
  type KeyHandle,
  mlkemPrivate,
  mlkemPublicOf,
  randomBytes,
  shake256,
  toPkcs8,
  utf8,
  x25519Private,
} from "./primitives.js";

/** The length of a seed and of every serialized private key, in bytes. */
export const SEED_BYTES = 32;
const MLKEM_SEED_BYTES = 64;

/** The private side of a signing key. */
export interface SigningKey {
  readonly verifyKey: VerifyKey;
  /** Ed25519 signature over the message, 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
  /** PKCS#8 DER of the private key: the same key is the device's TLS key. */
  toPkcs8(): Uint8Array;
}

/** The private side of an encryption key, expanded once: that is four times faster than opening from the seed. */
export interface DecryptionKey {
  readonly publicKey: EncryptionKey;
  readonly curve: KeyHandle;
  readonly mlkem?: KeyHandle;
}

/** A device's keys, or a keyring's. */
export interface Identity {
  readonly signing: SigningKey;
  readonly encryption: DecryptionKey;
}

/** A new 32-byte seed. */
export function newSeed(): Uint8Array {
  return randomBytes(SEED_BYTES);
}

/** Derives the keys of a seed: HKDF-SHA256 with empty salt, whose output is the serialized private key. */
export function identityFromSeed(seed: Uint8Array): Identity {
  if (seed.length !== SEED_BYTES) throw new TypeError("a seed has 32 bytes");
  const derive = (use: string): Uint8Array => hkdfSha256(seed, new Uint8Array(0), utf8(`zopp/v1/${use}`), SEED_BYTES);
  const [signing, encryption] = [derive("signing"), derive("encryption")];
  try {
    return { signing: signingKeyFromRaw(signing), encryption: decryptionKeyFromRaw("xwing", encryption) };
  } finally {
    signing.fill(0);
    encryption.fill(0);
  }
}

/** A signing key of its own, bound to no seed: an operator makes one at every start. */
export function newSigningKey(): SigningKey {
  const raw = randomBytes(SEED_BYTES);
  try {
    return signingKeyFromRaw(raw);
  } finally {
    raw.fill(0);
  }
}

function signingKeyFromRaw(raw: Uint8Array): SigningKey {
  const handle = ed25519Private(raw);
  const verifyKey = parseVerifyKey(`ed25519:${encodeBase64(curvePublic(handle))}`);
  if (verifyKey === null) throw new TypeError("a private key has an unusable public key");
  return { verifyKey, sign: (message) => ed25519Sign(handle, message), toPkcs8: () => toPkcs8(handle) };
}

/** Makes an environment key: 32 random private bytes (the caller zeroes them) and the public key. */
export function newEnvironmentKey(kem: Kem): { readonly privateKey: Uint8Array; readonly public: EncryptionKey } {
  const privateKey = randomBytes(SEED_BYTES);
  return { privateKey, public: decryptionKeyFromRaw(kem, privateKey).publicKey };
}

/** Expands a serialized private key: X25519's 32 bytes (RFC 7748), or X-Wing's seed (SHAKE256 to ML-KEM's and X25519's). */
export function decryptionKeyFromRaw(kem: Kem, raw: Uint8Array): DecryptionKey {
  if (raw.length !== SEED_BYTES) throw new TypeError("a private key has 32 bytes");
  if (kem === "x25519") {
    const curve = x25519Private(raw);
    return { publicKey: publicKeyOf("x25519", curvePublic(curve)), curve };
  }
  const expanded = shake256(raw, MLKEM_SEED_BYTES + SEED_BYTES);
  try {
    const mlkem = mlkemPrivate(expanded.subarray(0, MLKEM_SEED_BYTES));
    const curve = x25519Private(expanded.subarray(MLKEM_SEED_BYTES));
    return { publicKey: publicKeyOf("xwing", concat(mlkemPublicOf(mlkem), curvePublic(curve))), curve, mlkem };
  } finally {
    expanded.fill(0);
  }
}

function publicKeyOf(kem: Kem, raw: Uint8Array): EncryptionKey {
  const key = encryptionKey(kem, raw);
  if (key === null) throw new TypeError("a private key has an unusable public key");
  return key;
}
