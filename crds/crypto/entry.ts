// An entry's value: sealed to an environment key for one place, opened with the key that a keyring releases.
// Signatures are statement.ts' business; what is signed is the hash of the sealed bytes.
import nacl from "tweetnacl";
import { cannotOpen, receiveExport, sendExport } from "./hpke.js";
import type { DecryptionKey } from "./identity.js";
import { ENC_BYTES } from "./kem.js";
import type { EncryptionKey, Kem } from "./keys.js";
import { concat } from "./labeled.js";
import { pad, unpad } from "./padding.js";
import { pae } from "./pae.js";
import { randomBytes } from "./primitives.js";

/** Where and as which version a value is sealed; namespace and name are "*" where the binding is environment. */
export interface EntryContext {
  readonly workspace: string;
  readonly project: string;
  readonly environment: string;
  readonly epoch: number;
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
  readonly version: number;
}

const EXPORT_CONTEXT = "zopp/v1/secretbox";
const KEY_BYTES = 32;
const NONCE_BYTES = nacl.secretbox.nonceLength;

function infoOf(context: EntryContext): Uint8Array {
  const { workspace, project, environment, epoch, namespace, name, key, version } = context;
  return pae("zopp/v1/entry", workspace, project, environment, epoch, namespace, name, key, version);
}

/** Seals a value; gives enc ‖ nonce ‖ box, the bytes that `sealed` holds in base64. */
export function sealEntry(to: EncryptionKey, context: EntryContext, value: Uint8Array): Uint8Array {
  const { enc, exported } = sendExport(to, infoOf(context), EXPORT_CONTEXT, KEY_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const padded = pad(value);
  const box = nacl.secretbox(padded, nonce, Uint8Array.from(exported));
  padded.fill(0);
  exported.fill(0);
  return concat(enc, nonce, box);
}

/** The 32-byte entry key of sealed bytes: what a keyring releases. Throws CannotOpen for malformed bytes. */
export function entryKey(key: DecryptionKey, context: EntryContext, sealed: Uint8Array): Uint8Array {
  const enc = sealed.subarray(0, ENC_BYTES[key.publicKey.kem]);
  return receiveExport(key, enc, infoOf(context), EXPORT_CONTEXT, KEY_BYTES);
}

/** Opens sealed bytes with their entry key. Throws CannotOpen, with one text, for whatever does not fit. */
export function openEntry(key: Uint8Array, kem: Kem, sealed: Uint8Array): Uint8Array {
  const nonceAt = ENC_BYTES[kem];
  const boxAt = nonceAt + NONCE_BYTES;
  if (sealed.length < boxAt + nacl.secretbox.overheadLength) throw cannotOpen();
  // tweetnacl wants plain Uint8Arrays, not Node's Buffers' shared memory
  const padded = nacl.secretbox.open(sealed.subarray(boxAt), sealed.subarray(nonceAt, boxAt), key);
  const value = padded === null ? null : unpad(padded);
  padded?.fill(0);
  if (value === null) throw cannotOpen();
  return value;
}
