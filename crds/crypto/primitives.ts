// The primitives, from node:crypto: the only file of crds/ that needs Node. A browser build brings another one.
// No protocol here: HPKE, X-Wing and the formats are composed in the files beside this one.
import crypto, { type KeyObject } from "node:crypto";

/** An imported key; opaque outside this file. Importing is the expensive part, so handles are kept. */
export type KeyHandle = KeyObject;

/** `length` bytes from the system's random generator, in memory of their own so that the caller can zero them. */
export function randomBytes(length: number): Uint8Array {
  return crypto.randomFillSync(new Uint8Array(length));
}

/**
 * Where the parts of a message are joined to be hashed. Memory outside V8's heap costs as much as hashing a short message
 * does, so there is one piece of it, zeroed after each use; nothing waits meanwhile.
 */
const JOINED = new Uint8Array(2048);

function joined<T>(parts: readonly Uint8Array[], use: (message: Uint8Array) => T): T {
  let length = 0;
  for (const part of parts) length += part.length;
  const message = length <= JOINED.length ? JOINED.subarray(0, length) : new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  const result = use(message);
  message.fill(0);
  return result;
}

/** SHA-256 (FIPS 180-4) of the parts, one after another; 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return joined(parts, (message) => crypto.hash("sha256", message, "buffer"));
}

/** SHA-256 (FIPS 180-4) of the bytes, in lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return crypto.hash("sha256", bytes, "hex");
}

/** SHA3-256 (FIPS 202) of the parts, one after another; 32 bytes. */
export function sha3256(...parts: readonly Uint8Array[]): Uint8Array {
  return joined(parts, (message) => crypto.hash("sha3-256", message, "buffer"));
}

/** SHAKE256 (FIPS 202) of the bytes, `length` bytes of output. */
export function shake256(bytes: Uint8Array, length: number): Uint8Array {
  return crypto.createHash("shake256", { outputLength: length }).update(bytes).digest();
}

const BLOCK_BYTES = 64;
/** What HMAC hashes last: the key's block and the inner hash. */
const OUTER = Buffer.alloc(BLOCK_BYTES + 32);
const PADDED = OUTER.subarray(0, BLOCK_BYTES);

/** An HMAC key as long as a block, each byte XORed with `pad`. */
function padded(key: Uint8Array, pad: number): Uint8Array {
  PADDED.fill(pad);
  for (let at = 0; at < key.length; at += 1) PADDED[at] = pad ^ (key[at] ?? 0);
  return PADDED;
}

/**
 * HMAC-SHA256 (RFC 2104) for keys up to 64 bytes over the parts, one after another; 32 bytes. Written as its two hashes,
 * since the platform's streaming Hmac object costs ten times as much, and opening an entry takes four of them.
 */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  if (key.length > BLOCK_BYTES) throw new TypeError("an HMAC key has at most one block");
  // as text, which says nothing of the key and costs a third of a buffer
  const inner = joined([padded(key, 0x36), ...parts], (message) => crypto.hash("sha256", message, "binary"));
  padded(key, 0x5c);
  OUTER.write(inner, BLOCK_BYTES, "latin1");
  const mac = crypto.hash("sha256", OUTER, "buffer");
  OUTER.fill(0);
  return mac;
}

/** HKDF-SHA256 (RFC 5869), extract and expand. */
export function hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(crypto.hkdfSync("sha256", ikm, salt, info, length));
}

/** UTF-8 bytes of a string. */
export function utf8(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

/** How many bytes a string has in UTF-8. */
export function utf8Length(text: string): number {
  return Buffer.byteLength(text, "utf8");
}

/** Constant-time comparison; false for different lengths. */
export function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && crypto.timingSafeEqual(one, other);
}

/** Base64 (RFC 4648 section 4, padded). */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Decodes base64 of both alphabets up to the first padding, skipping what is in neither; encoding.ts makes it strict. */
export function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** What stands before the raw bytes in PKCS#8 (private) and SubjectPublicKeyInfo (public) DER. */
const DER = {
  ed25519Private: Buffer.from("302e020100300506032b657004220420", "hex"),
  x25519Private: Buffer.from("302e020100300506032b656e04220420", "hex"),
  mlkemSeed: Buffer.from("3054020100300b060960864801650304040204428040", "hex"),
  mlkemPublic: Buffer.from("308204b2300b0609608648016503040402038204a100", "hex"),
} as const;

/** The same 12 bytes for the curves' public keys, in base64: they are imported as PEM. */
const PEM = { ed25519Public: "MCowBQYDK2VwAyEA", x25519Public: "MCowBQYDK2VuAyEA" } as const;

/** The last byte of each prefix is the length of the raw key that follows it. */
function importPrivate(prefix: Buffer, raw: Uint8Array): KeyHandle {
  if (raw.length !== prefix.at(-1)) throw new TypeError("a private key has a wrong length");
  const der = Buffer.concat([prefix, raw]);
  try {
    return crypto.createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}

function curvePem(prefix: string, raw: Uint8Array): string {
  return `-----BEGIN PUBLIC KEY-----\n${prefix}${toBase64(raw)}\n-----END PUBLIC KEY-----\n`;
}

/**
 * A curve's public key, or null when the platform finds it unusable. As PEM text it costs a third of what DER costs:
 * before it reads a buffer or object, Node asks whether it is one of four kinds of key, by an exception each.
 */
function importCurvePublic(prefix: string, raw: Uint8Array): KeyHandle | null {
  if (raw.length !== 32) return null;
  try {
    return crypto.createPublicKey(curvePem(prefix, raw));
  } catch {
    return null;
  }
}

/** Through JWK, which costs a twentieth of what DER costs. */
function rawCurve(publicKey: KeyHandle): Uint8Array {
  return Uint8Array.from(Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url"));
}

/** Imports an Ed25519 private key from its 32 bytes (RFC 8032). */
export function ed25519Private(raw: Uint8Array): KeyHandle {
  return importPrivate(DER.ed25519Private, raw);
}

/** Imports an Ed25519 public key from its 32 bytes; null for another length. A point off the curve verifies nothing. */
export function ed25519Public(raw: Uint8Array): KeyHandle | null {
  return importCurvePublic(PEM.ed25519Public, raw);
}

/** The 32 public bytes of an Ed25519 or X25519 private key. */
export function curvePublic(key: KeyHandle): Uint8Array {
  return rawCurve(crypto.createPublicKey(key));
}

/** Ed25519 signature (RFC 8032), 64 bytes. */
export function ed25519Sign(key: KeyHandle, message: Uint8Array): Uint8Array {
  return crypto.sign(null, message, key);
}

/** Verifies an Ed25519 signature (RFC 8032; S below the group order); false for any other length than 64. */
export function ed25519Verify(key: KeyHandle, message: Uint8Array, signature: Uint8Array): boolean {
  return signature.length === 64 && crypto.verify(null, message, key, signature);
}

/** An Ed25519 private key as PKCS#8 DER, for TLS. */
export function toPkcs8(key: KeyHandle): Uint8Array {
  return new Uint8Array(key.export({ format: "der", type: "pkcs8" }));
}

/** Imports an X25519 private key from its 32 bytes (RFC 7748). */
export function x25519Private(raw: Uint8Array): KeyHandle {
  return importPrivate(DER.x25519Private, raw);
}

/** Imports an X25519 public key from its 32 bytes; null when unusable. */
export function x25519Public(raw: Uint8Array): KeyHandle | null {
  return importCurvePublic(PEM.x25519Public, raw);
}

/** A fresh X25519 key pair for one encapsulation: the private half never leaves the platform. */
export function x25519Ephemeral(): { readonly privateKey: KeyHandle; readonly share: Uint8Array } {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("x25519");
  return { privateKey, share: rawCurve(publicKey) };
}

/**
 * X25519 (RFC 7748) with the other side's 32 bytes; null for another length, and when the shared secret is all zero (a
 * low-order share). A share is used once: as text it never becomes a handle, which would cost a tenth more.
 */
export function x25519(privateKey: KeyHandle, share: Uint8Array): Uint8Array | null {
  if (share.length !== 32) return null;
  const publicKey = curvePem(PEM.x25519Public, share);
  try {
    // the platform takes whatever createPublicKey takes; its types do not say so yet
    return crypto.diffieHellman({ privateKey, publicKey } as unknown as Parameters<typeof crypto.diffieHellman>[0]);
  } catch {
    return null;
  }
}

/** Imports an ML-KEM-768 private key from its 64-byte seed d ‖ z (FIPS 203). */
export function mlkemPrivate(seed: Uint8Array): KeyHandle {
  return importPrivate(DER.mlkemSeed, seed);
}

/** Imports an ML-KEM-768 public key from its 1184 bytes; null when a coefficient is not reduced (FIPS 203, 7.2). */
export function mlkemPublic(raw: Uint8Array): KeyHandle | null {
  if (raw.length !== 1184) return null;
  try {
    return crypto.createPublicKey({ key: Buffer.concat([DER.mlkemPublic, raw]), format: "der", type: "spki" });
  } catch {
    return null;
  }
}

/** The 1184 public bytes of an ML-KEM-768 private key. */
export function mlkemPublicOf(key: KeyHandle): Uint8Array {
  const der = crypto.createPublicKey(key).export({ format: "der", type: "spki" });
  return Uint8Array.from(der.subarray(DER.mlkemPublic.length));
}

/** A shared secret (32 bytes) and the ciphertext that carries it. */
export interface Encapsulated {
  readonly sharedKey: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** Encapsulates to an ML-KEM-768 key (FIPS 203), or to an X25519 key by DHKEM(X25519, HKDF-SHA256) of RFC 9180. */
export function kemEncapsulate(key: KeyHandle): Encapsulated {
  return crypto.encapsulate(key);
}

/** Decapsulates what kemEncapsulate made; null for another length or a low-order share. A wrong key gives another secret. */
export function kemDecapsulate(key: KeyHandle, ciphertext: Uint8Array): Uint8Array | null {
  try {
    return crypto.decapsulate(key, ciphertext);
  } catch {
    return null;
  }
}

const TAG_BYTES = 16;

/** ChaCha20-Poly1305 (RFC 8439): ciphertext ‖ tag. */
export function chachaSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = crypto.createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad, { plaintextLength: plaintext.length });
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what chachaSeal made; null when anything differs. */
export function chachaOpen(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < TAG_BYTES) return null;
  const decipher = crypto.createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad, { plaintextLength: sealed.length - TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0); // not authentic: nobody may see it
    return null;
  }
}
