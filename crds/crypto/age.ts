// Recovery keys and identity files, in the age format (C2SP age.md) by the age-encryption library.
// The stock age tool opens both.
import { armor, Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";
import { ZoppError } from "../errors.js";
import { decodeBase64, encodeBase64 } from "./encoding.js";
import { cannotOpen } from "./hpke.js";

/** The largest age file around an environment key, in bytes. */
export const MAX_AGE_BYTES = 4096;

/** A new recovery key: `identity` is shown once and kept offline, `recipient` (age1pq…) goes into policy. */
export async function newRecovery(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const identity = await generateHybridIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** Encrypts bytes to a recovery recipient; base64 of the binary age file. Throws Malformed for an unusable recipient. */
export async function wrapToAge(recipient: string, bytes: Uint8Array): Promise<string> {
  const encrypter = new Encrypter();
  try {
    encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new ZoppError("Malformed", "the recovery recipient is no age recipient", { cause });
  }
  return encodeBase64(await encrypter.encrypt(bytes));
}

/** Opens base64 of an age file with a recovery identity. Throws CannotOpen for whatever does not fit. */
export async function unwrapAge(identity: string, text: string): Promise<Uint8Array> {
  const file = decodeBase64(text);
  if (file === null || file.length > MAX_AGE_BYTES) throw cannotOpen();
  try {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    return await decrypter.decrypt(file);
  } catch {
    throw cannotOpen();
  }
}

/** Encrypts bytes under a passphrase (scrypt, 2^workFactor); an armored age file. */
export async function sealWithPassphrase(passphrase: string, bytes: Uint8Array, workFactor = 17): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(workFactor);
  return armor.encode(await encrypter.encrypt(bytes));
}

/** Opens an armored age file. Throws WrongPassphrase, also for a damaged file: they cannot be told apart safely. */
export async function openWithPassphrase(passphrase: string, file: string): Promise<Uint8Array> {
  try {
    const decrypter = new Decrypter();
    decrypter.addPassphrase(passphrase);
    return await decrypter.decrypt(armor.decode(file));
  } catch {
    throw new ZoppError("WrongPassphrase", "the passphrase does not open the identity file");
  }
}
