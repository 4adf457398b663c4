// Text encodings of bytes: base64, base32, base62 and hex, strict in reading; and CRC-32.
// Which encoding a field uses is docs/format.md's business.
import { fromBase64, toBase64, toHex, utf8Length } from "./primitives.js";

/** Base64 (RFC 4648 section 4, padded). */
export function encodeBase64(bytes: Uint8Array): string {
  return toBase64(bytes);
}

/**
 * Reads canonical padded base64; null for any other spelling, so that bytes have one text only. Writing it all again to
 * compare would take as long as reading: whatever is skipped makes the bytes fewer, and what else is read is looked for.
 */
export function decodeBase64(text: string): Uint8Array | null {
  const bytes = fromBase64(text);
  const padding = text.endsWith("==") ? 2 : Number(text.endsWith("="));
  if (bytes.length !== (text.length / 4) * 3 - padding || isOtherAlphabet(text)) return null;
  // the unused bits before the padding are zero
  return padding === 0 || toBase64(bytes.subarray(padding - 3)) === text.slice(-4) ? bytes : null;
}

/** The URL alphabet, or letters of which the platform reads the low byte. */
function isOtherAlphabet(text: string): boolean {
  return text.includes("-") || text.includes("_") || utf8Length(text) !== text.length;
}

/** Lower-case hex. */
export function encodeHex(bytes: Uint8Array): string {
  return toHex(bytes);
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** Base32 (RFC 4648 section 6), lower-case, unpadded. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + BASE32[(held << (5 - bits)) & 31];
}

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The bytes as one big-endian number in base62, left-padded with 0 to `digits`. */
export function encodeBase62(bytes: Uint8Array, digits: number): string {
  let number = bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
  let text = "";
  for (; number > 0n; number /= 62n) text = BASE62[Number(number % 62n)] + text;
  if (text.length > digits) throw new TypeError("the bytes do not fit in so many digits");
  return text.padStart(digits, "0");
}

/** Reads what encodeBase62 wrote into exactly `length` bytes; null for other characters or a number too big. */
export function decodeBase62(text: string, length: number): Uint8Array | null {
  let number = 0n;
  for (const character of text) {
    const digit = BASE62.indexOf(character);
    if (digit < 0) return null;
    number = number * 62n + BigInt(digit);
  }
  if (number >> BigInt(8 * length) !== 0n) return null;
  const bytes = new Uint8Array(length);
  for (let at = length - 1; at >= 0; at -= 1, number >>= 8n) bytes[at] = Number(number & 255n);
  return bytes;
}

/** CRC-32/ISO-HDLC (polynomial 0xEDB88320, reflected) as an unsigned integer. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** CRC-32 of the ASCII characters, big-endian in six digits of base62: the end of what people copy. */
export function crcDigits(text: string): string {
  const crc = crc32(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  return encodeBase62(Uint8Array.of(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255), 6);
}
