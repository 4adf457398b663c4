// API tokens: a service's identity and its pin of the workspace's owners, in 76 characters.
// Nobody stores a token; policy holds its public keys.
import { ZoppError } from "../errors.js";
import { crcDigits, decodeBase62, encodeBase62, encodeHex } from "./encoding.js";
import { concat } from "./labeled.js";

/** What a token says. */
export interface Token {
  /** The identity's 32 bytes. */
  readonly seed: Uint8Array;
  /** The first 16 bytes of the owners' digest, as 32 hex digits. */
  readonly ownersPrefix: string;
}

const PREFIX = "zopp_";
const [SEED_BYTES, OWNERS_BYTES] = [32, 16];
const [BODY_DIGITS, CRC_DIGITS] = [65, 6];
const OWNERS_DIGEST = /^[0-9a-f]{64}$/;

/** Writes a token from a seed and the owners' digest (64 hex digits). */
export function formatToken(seed: Uint8Array, ownersDigest: string): string {
  if (seed.length !== SEED_BYTES || !OWNERS_DIGEST.test(ownersDigest))
    throw new TypeError("a token is made of a seed and a digest");
  const owners = Uint8Array.from({ length: OWNERS_BYTES }, (_, at) =>
    Number.parseInt(ownersDigest.slice(2 * at, 2 * at + 2), 16),
  );
  const body = PREFIX + encodeBase62(concat(seed, owners), BODY_DIGITS);
  return body + crcDigits(body);
}

/** Reads a token. Throws TokenInvalid, without saying which part is wrong. */
export function parseToken(text: string): Token {
  const body = text.slice(0, -CRC_DIGITS);
  const whole = text.length === PREFIX.length + BODY_DIGITS + CRC_DIGITS && text.startsWith(PREFIX);
  const bytes = whole ? decodeBase62(body.slice(PREFIX.length), SEED_BYTES + OWNERS_BYTES) : null;
  if (bytes === null || crcDigits(body) !== text.slice(-CRC_DIGITS)) {
    throw new ZoppError("TokenInvalid", "the token is not whole: length, characters or checksum do not fit");
  }
  return { seed: bytes.slice(0, SEED_BYTES), ownersPrefix: encodeHex(bytes.subarray(SEED_BYTES)) };
}
