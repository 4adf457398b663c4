// HPKE (RFC 9180), base mode: the key schedule over our two encapsulations.
// Every failure is one and the same error, whatever the cause.
import { ZoppError } from "../errors.js";
import type { DecryptionKey } from "./identity.js";
import { decapsulate, encapsulate, KEM_ID } from "./kem.js";
import type { EncryptionKey, Kem } from "./keys.js";
import { concat, labeledExpand, labeledExtract } from "./labeled.js";
import { chachaOpen, chachaSeal, utf8 } from "./primitives.js";

/** What follows the encapsulation: only exported keys, or one message in ChaCha20-Poly1305. */
export type Aead = "export" | "chacha20poly1305";

const AEAD_ID = { export: 0xffff, chacha20poly1305: 0x0003 } as const satisfies Record<Aead, number>;
const KDF_HKDF_SHA256 = 0x0001;
const EMPTY = new Uint8Array(0);
const MODE_BASE = Uint8Array.of(0);

/** A context after the key schedule; one message at most, so there is no sequence number. */
interface Context {
  readonly suite: Uint8Array;
  readonly secret: Uint8Array;
  readonly schedule: Uint8Array;
}

/** The one error for everything that does not open. */
export function cannotOpen(): ZoppError {
  return new ZoppError("CannotOpen", "it does not open with this key at this place");
}

function suiteOf(kem: Kem, aead: Aead): Uint8Array {
  const ids = [KEM_ID[kem], KDF_HKDF_SHA256, AEAD_ID[aead]];
  return concat(utf8("HPKE"), Uint8Array.from(ids.flatMap((id) => [id >> 8, id & 255])));
}

const SUITES = new Map(
  (["xwing", "x25519"] as const).flatMap((kem) =>
    (["export", "chacha20poly1305"] as const).map((aead) => {
      const suite = suiteOf(kem, aead);
      return [`${kem}/${aead}`, { suite, pskIdHash: labeledExtract(suite, EMPTY, "psk_id_hash", EMPTY) }] as const;
    }),
  ),
);

function schedule(kem: Kem, aead: Aead, sharedSecret: Uint8Array, info: Uint8Array): Context {
  const known = SUITES.get(`${kem}/${aead}`);
  if (known === undefined) throw new TypeError("an unknown HPKE suite");
  const { suite, pskIdHash } = known;
  const infoHash = labeledExtract(suite, EMPTY, "info_hash", info);
  const secret = labeledExtract(suite, sharedSecret, "secret", EMPTY);
  return { suite, secret, schedule: concat(MODE_BASE, pskIdHash, infoHash) };
}

function exportFrom({ suite, secret, schedule }: Context, context: string, length: number): Uint8Array {
  const exporter = labeledExpand(suite, secret, "exp", schedule, 32);
  return labeledExpand(suite, exporter, "sec", utf8(context), length);
}

function messageKey({ suite, secret, schedule }: Context): { key: Uint8Array; nonce: Uint8Array } {
  const key = labeledExpand(suite, secret, "key", schedule, 32);
  return { key, nonce: labeledExpand(suite, secret, "base_nonce", schedule, 12) };
}

/** SendExport: an exported key for the recipient, at most 32 bytes, and the encapsulated key that leads to it. */
export function sendExport(
  to: EncryptionKey,
  info: Uint8Array,
  context: string,
  length: number,
): { readonly enc: Uint8Array; readonly exported: Uint8Array } {
  const { enc, sharedSecret } = encapsulate(to);
  return { enc, exported: exportFrom(schedule(to.kem, "export", sharedSecret, info), context, length) };
}

/** ReceiveExport. Throws CannotOpen for a malformed `enc`; a wrong key or info gives another exported key. */
export function receiveExport(
  key: DecryptionKey,
  enc: Uint8Array,
  info: Uint8Array,
  context: string,
  length: number,
): Uint8Array {
  const sharedSecret = decapsulate(key, enc);
  if (sharedSecret === null) throw cannotOpen();
  return exportFrom(schedule(key.publicKey.kem, "export", sharedSecret, info), context, length);
}

/** Single-shot Seal with ChaCha20-Poly1305 and empty associated data. */
export function sealMessage(
  to: EncryptionKey,
  info: Uint8Array,
  plaintext: Uint8Array,
): { readonly enc: Uint8Array; readonly ciphertext: Uint8Array } {
  const { enc, sharedSecret } = encapsulate(to);
  const { key, nonce } = messageKey(schedule(to.kem, "chacha20poly1305", sharedSecret, info));
  return { enc, ciphertext: chachaSeal(key, nonce, EMPTY, plaintext) };
}

/** Single-shot Open of what sealMessage made. Throws CannotOpen for anything else. */
export function openMessage(key: DecryptionKey, enc: Uint8Array, info: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const sharedSecret = decapsulate(key, enc);
  if (sharedSecret === null) throw cannotOpen();
  const { key: aeadKey, nonce } = messageKey(schedule(key.publicKey.kem, "chacha20poly1305", sharedSecret, info));
  const plaintext = chachaOpen(aeadKey, nonce, EMPTY, ciphertext);
  if (plaintext === null) throw cannotOpen();
  return plaintext;
}
