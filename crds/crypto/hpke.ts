// HPKE (RFC 9180), base mode: the key schedule over our two encapsulations.
// Every failure is one and the same error, whatever the cause.
import { ZoppError } from "../errors.js";
import type { DecryptionKey } from "./identity.js";
import { decapsulate, encapsulate, KEM_ID } from "./kem.js";
import type { EncryptionKey, Kem } from "./keys.js";
import { concat, labeledExpand, labeledExtract } from "./labeled.js";
import { chachaOpen, chachaSeal, utf8 } from "./primitives.js";

/** What follows the encapsulation: only exported keys, or messages in ChaCha20-Poly1305. */
export type Aead = "export" | "chacha20poly1305";

/** A context after the key schedule (RFC 9180, section 5.2); it counts its messages, so that no nonce comes twice. */
export interface Context {
  /** Secret export (section 5.3): a key of `length` bytes, at most 8,160. */
  export(context: Uint8Array, length: number): Uint8Array;
  /** The next message: ciphertext ‖ tag. Throws TypeError in an export-only context. */
  seal(aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** Opens the next message. Throws CannotOpen when it is another one; TypeError in an export-only context. */
  open(aad: Uint8Array, ciphertext: Uint8Array): Uint8Array;
}

/** The sender's side: `enc` goes to the recipient. */
export type Sender = Pick<Context, "export" | "seal"> & { readonly enc: Uint8Array };

/** The recipient's side. */
export type Receiver = Pick<Context, "export" | "open">;

const AEAD_ID = { export: 0xffff, chacha20poly1305: 0x0003 } as const satisfies Record<Aead, number>;
const KDF_HKDF_SHA256 = 0x0001;
const [HASH_BYTES, KEY_BYTES, NONCE_BYTES] = [32, 32, 12];
const EMPTY = new Uint8Array(0);
const MODE_BASE = Uint8Array.of(0);

/** The one error for everything that does not open. */
export function cannotOpen(): ZoppError {
  return new ZoppError("CannotOpen", "it does not open with this key at this place");
}

/** What all contexts of a suite share; without a PSK its id's hash is one of them. */
interface Suite {
  readonly id: Uint8Array;
  readonly pskIdHash: Uint8Array;
}

function suiteOf(kem: Kem, aead: Aead): Suite {
  const ids = [KEM_ID[kem], KDF_HKDF_SHA256, AEAD_ID[aead]];
  const id = concat(utf8("HPKE"), Uint8Array.from(ids.flatMap((number) => [number >> 8, number & 255])));
  return { id, pskIdHash: labeledExtract(id, EMPTY, "psk_id_hash", EMPTY) };
}

const SUITES: Readonly<Record<Kem, Readonly<Record<Aead, Suite>>>> = {
  xwing: { export: suiteOf("xwing", "export"), chacha20poly1305: suiteOf("xwing", "chacha20poly1305") },
  x25519: { export: suiteOf("x25519", "export"), chacha20poly1305: suiteOf("x25519", "chacha20poly1305") },
};

/** KeySchedule of section 5.1 in base mode. Takes the shared secret over: it is zeroed. */
export function keySchedule(kem: Kem, aead: Aead, sharedSecret: Uint8Array, info: Uint8Array): Context {
  const { id, pskIdHash } = SUITES[kem][aead];
  const schedule = concat(MODE_BASE, pskIdHash, labeledExtract(id, EMPTY, "info_hash", info));
  const secret = labeledExtract(id, sharedSecret, "secret", EMPTY);
  sharedSecret.fill(0);
  const exporter = labeledExpand(id, secret, "exp", schedule, HASH_BYTES);
  const messages = aead === "export" ? null : messagesOf(id, secret, schedule);
  secret.fill(0);
  return {
    export: (context, length) => labeledExpand(id, exporter, "sec", context, length),
    seal(aad, plaintext) {
      if (messages === null) throw new TypeError("an export-only context seals nothing");
      return messages.seal(aad, plaintext);
    },
    open(aad, ciphertext) {
      if (messages === null) throw new TypeError("an export-only context opens nothing");
      return messages.open(aad, ciphertext);
    },
  };
}

/** Section 5.2: nonce = base nonce XOR sequence number. */
function messagesOf(suite: Uint8Array, secret: Uint8Array, schedule: Uint8Array): Pick<Context, "seal" | "open"> {
  const key = labeledExpand(suite, secret, "key", schedule, KEY_BYTES);
  const base = labeledExpand(suite, secret, "base_nonce", schedule, NONCE_BYTES);
  let sequence = 0;
  const nonce = (): Uint8Array => {
    const bytes = Uint8Array.from(base);
    const view = new DataView(bytes.buffer);
    view.setUint32(NONCE_BYTES - 4, view.getUint32(NONCE_BYTES - 4) ^ sequence);
    return bytes;
  };
  const step = (): void => {
    sequence += 1;
    if (sequence > 0xffffffff) throw new TypeError("a context carries fewer than 2^32 messages");
  };
  return {
    seal(aad, plaintext) {
      const ciphertext = chachaSeal(key, nonce(), aad, plaintext);
      step();
      return ciphertext;
    },
    open(aad, ciphertext) {
      const plaintext = chachaOpen(key, nonce(), aad, ciphertext);
      if (plaintext === null) throw cannotOpen();
      step();
      return plaintext;
    },
  };
}

/** SetupBaseS: a context for the recipient, and the encapsulated key that leads it there. */
export function setupSender(to: EncryptionKey, info: Uint8Array, aead: Aead): Sender {
  const { enc, sharedSecret } = encapsulate(to);
  return { enc, ...keySchedule(to.kem, aead, sharedSecret, info) };
}

/** SetupBaseR. Throws CannotOpen for a malformed `enc`; with a wrong key or info the context is another one. */
export function setupReceiver(key: DecryptionKey, enc: Uint8Array, info: Uint8Array, aead: Aead): Receiver {
  const sharedSecret = decapsulate(key, enc);
  if (sharedSecret === null) throw cannotOpen();
  return keySchedule(key.publicKey.kem, aead, sharedSecret, info);
}
