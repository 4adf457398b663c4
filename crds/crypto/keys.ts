// Public keys: their text, their kid, and whether they are usable at all.
// Whose keys they are is policy's business.
import { decodeBase64, encodeBase32, encodeBase64, encodeHex } from "./encoding.js";
import { pae } from "./pae.js";
import {
  ed25519Public,
  ed25519Verify,
  type KeyHandle,
  mlkemPublic,
  sha256,
  x25519,
  x25519Private,
  x25519Public,
} from "./primitives.js";

/** How an environment or device is sealed to: hybrid and quantum-safe, or compact. */
export type Kem = "xwing" | "x25519";

/** A key that verifies signatures. */
export interface VerifyKey {
  /** `ed25519:` + base64 of the 32 bytes. */
  readonly text: string;
  readonly kid: string;
  readonly raw: Uint8Array;
  readonly handle: KeyHandle;
}

/** A key that one seals or wraps to. */
export interface EncryptionKey {
  /** `xwing:` or `x25519:` + base64. */
  readonly text: string;
  readonly kid: string;
  readonly kem: Kem;
  readonly raw: Uint8Array;
  /** ML-KEM-768 half, of X-Wing keys only. */
  readonly mlkem?: KeyHandle;
  readonly curve: KeyHandle;
}

const RAW_BYTES = { ed25519: 32, x25519: 32, xwing: 1216 } as const;
const MLKEM_PUBLIC_BYTES = 1184;
/** Nothing longer than an X-Wing key is decoded at all. */
const MAX_TEXT_LENGTH = 1700;
/** Bounds the memory that parsed keys take: an expanded X-Wing key is about 10 kB. */
const MAX_CACHED = 2048;

/** `zk1` + base32 of the first 10 bytes of SHA-256 over PAE("zopp/v1/kid", prefix, key): a hint, resolved through policy. */
export function kidOf(prefix: keyof typeof RAW_BYTES, raw: Uint8Array): string {
  return `zk1${encodeBase32(sha256(pae("zopp/v1/kid", prefix, raw)).subarray(0, 10))}`;
}

/**
 * The y coordinates of Ed25519's points of small order, with their non-canonical spellings; the sign bit is ignored.
 * A signature under such a key says nothing about who made it.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

function hasSmallOrder(raw: Uint8Array): boolean {
  return SMALL_ORDER.has(encodeHex(coordinateOf(raw)));
}

/** The field element of a curve key, without its top bit: Ed25519's sign, and nothing in X25519. */
function coordinateOf(raw: Uint8Array): Uint8Array {
  const coordinate = Uint8Array.from(raw);
  coordinate[31] = (coordinate[31] ?? 0) & 0x7f;
  return coordinate;
}

/** False for a field element of 2^255 - 19 or above: a second spelling of a smaller one. */
function isReduced(coordinate: Uint8Array): boolean {
  return (
    coordinate[31] !== 0x7f || (coordinate[0] ?? 0) < 0xed || coordinate.subarray(1, 31).some((byte) => byte !== 0xff)
  );
}

/** Remembers what was parsed, not what was refused, so that texts made up by a stranger fill no memory. */
function cached<T>(parse: (text: string) => T | null): (text: string) => T | null {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const parsed = parse(text);
    if (parsed === null) return null;
    const [oldest] = known.keys();
    if (known.size >= MAX_CACHED && oldest !== undefined) known.delete(oldest);
    known.set(text, parsed);
    return parsed;
  };
}

function rawOf(text: string, prefix: keyof typeof RAW_BYTES): Uint8Array | null {
  if (!text.startsWith(`${prefix}:`) || text.length > MAX_TEXT_LENGTH) return null;
  const raw = decodeBase64(text.slice(prefix.length + 1));
  return raw?.length === RAW_BYTES[prefix] ? Uint8Array.from(raw) : null;
}

/** Reads `ed25519:…`; null for another prefix, spelling or length, for a y not reduced and for points of small order. */
export const parseVerifyKey: (text: string) => VerifyKey | null = cached((text) => {
  const raw = rawOf(text, "ed25519");
  if (raw === null || !isReduced(coordinateOf(raw)) || hasSmallOrder(raw)) return null;
  const handle = ed25519Public(raw);
  return handle === null ? null : { text, kid: kidOf("ed25519", raw), raw, handle };
});

/** Reads `xwing:…` or `x25519:…`; null for another prefix, spelling or length, and for low-order or invalid keys. */
export const parseEncryptionKey: (text: string) => EncryptionKey | null = cached((text) => {
  const hybrid = rawOf(text, "xwing");
  if (hybrid !== null) return encryptionKey("xwing", hybrid);
  const compact = rawOf(text, "x25519");
  return compact === null ? null : encryptionKey("x25519", compact);
});

/** Any private key shows whether a public one has low order: the shared secret is then zero. */
const PROBE = x25519Private(new Uint8Array(32).fill(0x42));

/**
 * The key with these raw bytes (1216 for X-Wing: ML-KEM ‖ X25519; 32 for X25519). Null when unusable: of low order,
 * an ML-KEM coefficient or a u that is not reduced, or u's unused top bit set, which would be a second spelling.
 */
export function encryptionKey(kem: Kem, raw: Uint8Array): EncryptionKey | null {
  const u = kem === "xwing" ? raw.subarray(MLKEM_PUBLIC_BYTES) : raw;
  if (u.length !== RAW_BYTES.x25519 || (u[31] ?? 0) > 0x7f || !isReduced(u)) return null;
  const curve = x25519Public(u);
  if (curve === null || x25519(PROBE, u) === null) return null;
  const facts = { text: `${kem}:${encodeBase64(raw)}`, kid: kidOf(kem, raw), kem, raw, curve };
  if (kem === "x25519") return facts;
  const mlkem = mlkemPublic(raw.subarray(0, MLKEM_PUBLIC_BYTES));
  return mlkem === null ? null : { ...facts, mlkem };
}

/** Verifies an Ed25519 signature (RFC 8032, 64 bytes, S below the group order) over the message. */
export function verify(key: VerifyKey, message: Uint8Array, signature: Uint8Array): boolean {
  return ed25519Verify(key.handle, message, signature);
}
