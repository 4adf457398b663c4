// LabeledExtract and LabeledExpand of RFC 9180, section 4, over HKDF-SHA256.
// The key schedule that uses them is hpke.ts.
import { hmacSha256, utf8 } from "./primitives.js";

const VERSION = utf8("HPKE-v1");

/** The labels of the key schedule (RFC 9180, section 5.1 and 5.3). */
const LABELS = {
  psk_id_hash: utf8("psk_id_hash"),
  info_hash: utf8("info_hash"),
  secret: utf8("secret"),
  key: utf8("key"),
  base_nonce: utf8("base_nonce"),
  exp: utf8("exp"),
  sec: utf8("sec"),
} as const;

/** What a key is derived for. */
export type Label = keyof typeof LABELS;

const HASH_BYTES = 32;
const MAX_BLOCKS = 255;

/** LabeledExtract(salt, label, ikm) for a suite id; 32 bytes. The salt has at most 64 bytes. */
export function labeledExtract(suite: Uint8Array, salt: Uint8Array, label: Label, ikm: Uint8Array): Uint8Array {
  return hmacSha256(salt, VERSION, suite, LABELS[label], ikm);
}

/** LabeledExpand(prk, label, info, length) for a suite id; at most 8,160 bytes. */
export function labeledExpand(
  suite: Uint8Array,
  prk: Uint8Array,
  label: Label,
  info: Uint8Array,
  length: number,
): Uint8Array {
  return hkdfExpand(prk, [Uint8Array.of(length >> 8, length & 255), VERSION, suite, LABELS[label], info], length);
}

/** HKDF-Expand (RFC 5869, section 2.3) with SHA-256; `info` in parts, one after another. */
export function hkdfExpand(prk: Uint8Array, info: readonly Uint8Array[], length: number): Uint8Array {
  const blocks = Math.ceil(length / HASH_BYTES);
  if (blocks > MAX_BLOCKS) throw new TypeError("HKDF-SHA256 expands to at most 8,160 bytes");
  // one block is all that zopp asks for: no copy of a secret is left behind
  if (length === HASH_BYTES) return hmacSha256(prk, ...info, Uint8Array.of(1));
  const out = new Uint8Array(blocks * HASH_BYTES);
  let block: Uint8Array = new Uint8Array(0);
  for (let at = 0; at < blocks; at += 1) {
    block = hmacSha256(prk, block, ...info, Uint8Array.of(at + 1));
    out.set(block, at * HASH_BYTES);
  }
  return out.subarray(0, length);
}

/** The parts one after another. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
