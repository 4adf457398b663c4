// The two key encapsulations: DHKEM(X25519, HKDF-SHA256) of RFC 9180 and X-Wing (draft-connolly-cfrg-xwing-kem).
// The key schedule on top of them is hpke.ts.
import type { DecryptionKey } from "./identity.js";
import type { EncryptionKey, Kem } from "./keys.js";
import { concat } from "./labeled.js";
import { kemDecapsulate, kemEncapsulate, sha3256, utf8, x25519, x25519Ephemeral } from "./primitives.js";

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

/** Makes a shared secret for a public key. */
export function encapsulate(key: EncryptionKey): Encapsulation {
  if (key.mlkem === undefined) {
    const { sharedKey, ciphertext } = kemEncapsulate(key.curve);
    return { sharedSecret: sharedKey, enc: ciphertext };
  }
  const { privateKey, share } = x25519Ephemeral();
  const secret = x25519(privateKey, publicCurve(key));
  if (secret === null) throw new TypeError("an encryption key of low order was not refused when it was read");
  const { sharedKey, ciphertext } = kemEncapsulate(key.mlkem);
  return { sharedSecret: combine(sharedKey, secret, share, publicCurve(key)), enc: concat(ciphertext, share) };
}

/** Recovers the shared secret; null for a wrong length or a low-order share. A wrong key gives another secret. */
export function decapsulate(key: DecryptionKey, enc: Uint8Array): Uint8Array | null {
  if (enc.length !== ENC_BYTES[key.publicKey.kem]) return null;
  if (key.mlkem === undefined) return kemDecapsulate(key.curve, enc);
  const share = enc.subarray(MLKEM_CIPHERTEXT_BYTES);
  const secret = x25519(key.curve, share);
  if (secret === null) return null;
  const sharedKey = kemDecapsulate(key.mlkem, enc.subarray(0, MLKEM_CIPHERTEXT_BYTES));
  return sharedKey === null ? null : combine(sharedKey, secret, share, publicCurve(key.publicKey));
}

function publicCurve({ raw }: EncryptionKey): Uint8Array {
  return raw.subarray(XWING_PUBLIC_CURVE_AT);
}

/** X-Wing's combiner: the label comes last. Takes the two secrets over: they are zeroed. */
function combine(mlkem: Uint8Array, curve: Uint8Array, share: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const sharedSecret = sha3256(mlkem, curve, share, publicKey, XWING_LABEL);
  mlkem.fill(0);
  curve.fill(0);
  return sharedSecret;
}
