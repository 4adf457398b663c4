// A value in a box: padded, then NaCl's secretbox (XSalsa20-Poly1305) by tweetnacl, nonce first.
// Where the key comes from is entry.ts' business; lengths are padding.ts'.
import nacl from "tweetnacl";
import { concat } from "./labeled.js";
import { pad, unpad } from "./padding.js";
import { randomBytes } from "./primitives.js";

const { keyLength: KEY_BYTES, nonceLength: NONCE_BYTES, overheadLength: TAG_BYTES } = nacl.secretbox;

/** Boxes a value under a 32-byte key: nonce (24 random bytes) ‖ box of the padded value. */
export function sealBox(key: Uint8Array, value: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const padded = pad(value);
  const box = nacl.secretbox(padded, nonce, key);
  padded.fill(0);
  return concat(nonce, box);
}

/** Opens what sealBox made; null for another key, length, byte or padding, without a word on which. */
export function openBox(key: Uint8Array, bytes: Uint8Array): Uint8Array | null {
  if (key.length !== KEY_BYTES || bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  const padded = nacl.secretbox.open(bytes.subarray(NONCE_BYTES), bytes.subarray(0, NONCE_BYTES), key);
  if (padded === null) return null;
  const value = unpad(padded);
  padded.fill(0);
  return value;
}
