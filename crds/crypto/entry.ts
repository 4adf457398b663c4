// An entry's value: sealed to an environment key for one place, opened with the key that a keyring releases.
// Signatures are statement.ts' business; what is signed is the hash of the sealed bytes.
import { cannotOpen, setupReceiver, setupSender } from "./hpke.js";
import type { DecryptionKey } from "./identity.js";
import { ENC_BYTES } from "./kem.js";
import type { EncryptionKey, Kem } from "./keys.js";
import { concat } from "./labeled.js";
import { pae } from "./pae.js";
import { utf8 } from "./primitives.js";
import { openBox, sealBox } from "./secretbox.js";

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

const EXPORT_CONTEXT = utf8("zopp/v1/secretbox");
const KEY_BYTES = 32;

/** Who made a value: a person, whose entry it is, or a keyring. What one sealed never opens as the other's. */
export type Maker = "entry" | "generated";

function infoOf(context: EntryContext, maker: Maker): Uint8Array {
  const { workspace, project, environment, epoch, namespace, name, key, version } = context;
  return pae(`zopp/v1/${maker}`, workspace, project, environment, epoch, namespace, name, key, version);
}

/** Seals a value; gives enc ‖ nonce ‖ box, the bytes that `sealed` holds in base64. */
export function sealEntry(
  to: EncryptionKey,
  context: EntryContext,
  value: Uint8Array,
  maker: Maker = "entry",
): Uint8Array {
  const sender = setupSender(to, infoOf(context, maker), "export");
  const key = sender.export(EXPORT_CONTEXT, KEY_BYTES);
  const boxed = sealBox(key, value);
  key.fill(0);
  return concat(sender.enc, boxed);
}

/**
 * The 32-byte entry key of sealed bytes: what a keyring releases. Throws CannotOpen for a malformed encapsulation;
 * for another place or environment key it gives another key, which opens nothing.
 */
export function entryKey(
  key: DecryptionKey,
  context: EntryContext,
  sealed: Uint8Array,
  maker: Maker = "entry",
): Uint8Array {
  const enc = sealed.subarray(0, ENC_BYTES[key.publicKey.kem]);
  return setupReceiver(key, enc, infoOf(context, maker), "export").export(EXPORT_CONTEXT, KEY_BYTES);
}

/** Opens sealed bytes with their entry key. Throws CannotOpen, with one text, for whatever does not fit. */
export function openEntry(key: Uint8Array, kem: Kem, sealed: Uint8Array): Uint8Array {
  const value = openBox(key, sealed.subarray(ENC_BYTES[kem]));
  if (value === null) throw cannotOpen();
  return value;
}
