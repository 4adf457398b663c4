// The two key encapsulations: DHKEM(X25519, HKDF-SHA256) of RFC 9180 and X-Wing (draft-connolly-cfrg-xwing-kem).
// The key schedule on top of them is hpke.ts.
import type { DecryptionKey } from "./identity.js";
import type { EncryptionKey, Kem } from "./keys.js";
import { concat, labeledExpand, labeledExtract } from "./labeled.js";
import {
  curvePublic,
  mlkemDecapsulate,
  mlkemEncapsulate,
  randomBytes,
  sha3256,
  utf8,
  x25519,
  x25519Private,
  x25519Public,
} from "./primitives.js";

/** IANA's numbers of the encapsulations. */
export const KEM_ID = { x25519: 0x0020, xwing: 0x647a } as const satisfies Record<Kem, number>;

/** Lengths of the encapsulated key in bytes. */
export const ENC_BYTES = { x25519: 32, xwing: 1120 } as const satisfies Record<Kem, number>;

const MLKEM_CIPHERTEXT_BYTES = 1088;
const XWING_PUBLIC_CURVE_AT = 1184;
const XWING_LABEL = utf8("\\.//^\\");

/** A shared secret and what carries it to the recipient. */
export interface Encapsulation {
  readonly sharedSecret: Uint8Array;
  readonly enc: Uint8Array;
}

/** Makes a shared secret for a public key. `ephemeral` (32 bytes) is only for known answers. */
export function encapsulate(key: EncryptionKey, ephemeral: Uint8Array = randomBytes(32)): Encapsulation {
  const curve = x25519Private(ephemeral);
  const share = curvePublic(curve);
  const secret = x25519(curve, key.curve);
  if (secret === null) throw new TypeError("an encryption key of low order was not refused when it was read");
  if (key.mlkem === undefined) return { sharedSecret: dhkemSecret(secret, share, key.raw), enc: share };
  const { sharedKey, ciphertext } = mlkemEncapsulate(key.mlkem);
  const enc = concat(ciphertext, share);
  return { sharedSecret: combine(sharedKey, secret, share, key.raw.subarray(XWING_PUBLIC_CURVE_AT)), enc };
}

/** Recovers the shared secret; null for a wrong length or a low-order share. A wrong key gives another secret. */
export function decapsulate(key: DecryptionKey, enc: Uint8Array): Uint8Array | null {
  const { kem, raw } = key.publicKey;
  if (enc.length !== ENC_BYTES[kem]) return null;
  const share = kem === "xwing" ? enc.subarray(MLKEM_CIPHERTEXT_BYTES) : enc;
  const peer = x25519Public(share);
  const secret = peer === null ? null : x25519(key.curve, peer);
  if (secret === null) return null;
  if (key.mlkem === undefined) return dhkemSecret(secret, share, raw);
  const sharedKey = mlkemDecapsulate(key.mlkem, enc.subarray(0, MLKEM_CIPHERTEXT_BYTES));
  return sharedKey === null ? null : combine(sharedKey, secret, share, raw.subarray(XWING_PUBLIC_CURVE_AT));
}

/** X-Wing's combiner: the label comes last. */
function combine(mlkem: Uint8Array, curve: Uint8Array, share: Uint8Array, publicCurve: Uint8Array): Uint8Array {
  return sha3256(concat(mlkem, curve, share, publicCurve, XWING_LABEL));
}

const DHKEM_SUITE = concat(utf8("KEM"), Uint8Array.of(KEM_ID.x25519 >> 8, KEM_ID.x25519 & 255));

/** ExtractAndExpand of RFC 9180, section 4.1. */
function dhkemSecret(secret: Uint8Array, enc: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const eae = labeledExtract(DHKEM_SUITE, new Uint8Array(0), "eae_prk", secret);
  return labeledExpand(DHKEM_SUITE, eae, "shared_secret", concat(enc, publicKey), 32);
}
