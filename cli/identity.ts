// This machine's identity: an age passphrase file in the identity directory, or the token of a service.
// Which principal it is, policy says.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openWithPassphrase, sealWithPassphrase } from "../crds/crypto/age.js";
import { type Identity, identityFromSeed, newSeed, SEED_BYTES } from "../crds/crypto/identity.js";
import { type EncryptionKey, parseEncryptionKey, parseVerifyKey, type VerifyKey } from "../crds/crypto/keys.js";
import { parseToken } from "../crds/crypto/token.js";
import { ZoppError } from "../crds/errors.js";
import type { Context } from "./context.js";
import { homeOf, readHomeFile, refuseExposed, writeHomeFile } from "./home.js";
import { terminalOf } from "./input.js";
import { progress } from "./output.js";

const SECRET_FILE = "identity.age";
const PUBLIC_FILE = "identity.json";

/** The public side of an identity, which needs no passphrase. */
export interface PublicIdentity {
  readonly signing: VerifyKey;
  readonly encryption: EncryptionKey;
  readonly source: "file" | "token";
}

/** The 32 hex digits of the owners' digest in ZOPP_TOKEN; undefined without one. Throws TokenInvalid. */
export function tokenPin(context: Context): string | undefined {
  const token = context.env["ZOPP_TOKEN"];
  return token ? parseToken(token).ownersPrefix : undefined;
}

/**
 * The identity with its private keys: of ZOPP_TOKEN, else of the identity file, whose passphrase is asked for.
 * Throws NoIdentity, TokenInvalid, FileExposed, WrongPassphrase, Usage (nobody to ask).
 */
export async function loadIdentity(context: Context): Promise<Identity> {
  const token = context.env["ZOPP_TOKEN"];
  if (token) return fromSeed(parseToken(token).seed);
  const file = readHomeFile(context, SECRET_FILE);
  if (file === undefined) throw new ZoppError("NoIdentity", `there is no identity in ${homeOf(context)}`);
  refuseExposed(context, SECRET_FILE);
  const passphrase = await passphraseOf(context, "passphrase of your identity: ");
  progress(context.stderr, "opening the identity");
  const seed = await openWithPassphrase(passphrase, file);
  if (seed.length !== SEED_BYTES) throw new ZoppError("WrongPassphrase", "the identity file holds no identity");
  const identity = fromSeed(seed);
  restorePublic(context, identity);
  return identity;
}

/** Only `whoami` reads the public keys: a file that cannot be read, or a folder that takes none, hinders nothing else. */
function restorePublic(context: Context, identity: Identity): void {
  try {
    if (readHomeFile(context, PUBLIC_FILE) === undefined) writePublic(context, identity);
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
  }
}

/** The public side, without a passphrase. Throws NoIdentity, TokenInvalid, or Malformed for a damaged file. */
export function loadPublicIdentity(context: Context): PublicIdentity {
  const token = context.env["ZOPP_TOKEN"];
  if (token) {
    const { signing, encryption } = fromSeed(parseToken(token).seed);
    return { signing: signing.verifyKey, encryption: encryption.publicKey, source: "token" };
  }
  const text = readHomeFile(context, PUBLIC_FILE);
  if (text === undefined && !hasIdentityFile(context))
    throw new ZoppError("NoIdentity", `there is no identity in ${homeOf(context)}`);
  const keys = text === undefined ? undefined : readPublic(text);
  if (keys !== undefined) return { ...keys, source: "file" };
  const state = text === undefined ? "missing" : "damaged: remove it";
  throw new ZoppError(
    "Malformed",
    `${join(homeOf(context), PUBLIC_FILE)} is ${state}; the next command that opens the identity writes it again`,
  );
}

function readPublic(text: string): Pick<PublicIdentity, "signing" | "encryption"> | undefined {
  try {
    const { signingKey, encryptionKey } = JSON.parse(text) as Record<string, unknown>;
    const signing = parseVerifyKey(String(signingKey));
    const encryption = parseEncryptionKey(String(encryptionKey));
    return signing === null || encryption === null ? undefined : { signing, encryption };
  } catch {
    return undefined;
  }
}

/** True when the identity directory holds an identity. */
export function hasIdentityFile(context: Context): boolean {
  return readHomeFile(context, SECRET_FILE) !== undefined;
}

/** Makes an identity; `save` writes it, so that nothing lies there when something else fails before. */
export async function makeIdentity(context: Context): Promise<{ readonly identity: Identity; save(): string }> {
  const passphrase = await newPassphrase(context);
  const seed = newSeed();
  progress(context.stderr, "sealing the identity");
  const file = await sealWithPassphrase(passphrase, seed, context.workFactor);
  const identity = fromSeed(seed);
  const save = (): string => {
    const written = writeHomeFile(context, SECRET_FILE, file.endsWith("\n") ? file : `${file}\n`, undefined);
    writePublic(context, identity);
    return written;
  };
  return { identity, save };
}

function writePublic(context: Context, { signing, encryption }: Identity): void {
  const before = readHomeFile(context, PUBLIC_FILE);
  const keys = { signingKey: signing.verifyKey.text, encryptionKey: encryption.publicKey.text };
  writeHomeFile(context, PUBLIC_FILE, `${JSON.stringify(keys, undefined, 2)}\n`, before);
}

function fromSeed(seed: Uint8Array): Identity {
  try {
    return identityFromSeed(seed);
  } finally {
    seed.fill(0);
  }
}

async function newPassphrase(context: Context): Promise<string> {
  if (context.env["ZOPP_PASSPHRASE_FILE"]) return passphraseOf(context, "");
  const terminal = terminalOf(context, "set ZOPP_PASSPHRASE_FILE to a file with the passphrase");
  const first = nonEmpty(await terminal.askHidden("a passphrase for your new identity: "));
  const second = await terminal.askHidden("the same again: ");
  if (first !== second) throw new ZoppError("Usage", "the two passphrases differ");
  return first;
}

async function passphraseOf(context: Context, question: string): Promise<string> {
  const file = context.env["ZOPP_PASSPHRASE_FILE"];
  if (!file) return nonEmpty(await terminalOf(context, "set ZOPP_PASSPHRASE_FILE").askHidden(question));
  try {
    return nonEmpty(readFileSync(resolve(context.cwd, file), "utf8").replace(/\r?\n$/, ""));
  } catch (cause) {
    if (cause instanceof ZoppError) throw cause;
    throw new ZoppError("NotFound", "cannot read the file that ZOPP_PASSPHRASE_FILE names", { cause });
  }
}

function nonEmpty(passphrase: string): string {
  if (passphrase === "") throw new ZoppError("Usage", "the passphrase is empty");
  return passphrase;
}
