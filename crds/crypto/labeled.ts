// LabeledExtract and LabeledExpand of RFC 9180, section 4, over HKDF-SHA256.
// The key schedule that uses them is hpke.ts.
import { hmacSha256, utf8 } from "./primitives.js";

const VERSION = utf8("HPKE-v1");
const HASH_BYTES = 32;

/** LabeledExtract(salt, label, ikm) for a suite id; 32 bytes. */
export function labeledExtract(suite: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return hmacSha256(salt, concat(VERSION, suite, utf8(label), ikm));
}

/** LabeledExpand(prk, label, info, length) for a suite id; at most 32 bytes, which is all that zopp asks for. */
export function labeledExpand(suite: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array, length: number): Uint8Array {
  if (length > HASH_BYTES) throw new TypeError("at most one block is expanded");
  const size = Uint8Array.of(length >> 8, length & 255);
  return hmacSha256(prk, concat(size, VERSION, suite, utf8(label), info, Uint8Array.of(1))).subarray(0, length);
}

/** The parts one after another. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
