// The keyring's seed: made once, never overwritten, read at start. The only place that reads private keys from a file.
// Where the seed comes from in a cluster (a mounted Secret) is the chart's business.
import { open, readFile, unlink } from "node:fs/promises";
import { decodeBase64, encodeBase64 } from "../../crds/crypto/encoding.js";
import { type Identity, identityFromSeed, newSeed, SEED_BYTES } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";

const OWNER_ONLY = 0o600;
const READABLE = 0o644;

/**
 * Makes a seed and the file that the operator pins the keyring by (one line, `ed25519:…`). Throws SeedExists when either
 * file is there, FileUnwritable when one cannot be written; then neither is left behind.
 */
export async function keygen(seedFile: string, publicFile: string): Promise<Identity> {
  const seed = newSeed();
  const identity = identityFromSeed(seed);
  await writeNew(seedFile, `${encodeBase64(seed)}\n`, OWNER_ONLY);
  seed.fill(0);
  try {
    await writeNew(publicFile, `${identity.signing.verifyKey.text}\n`, READABLE);
  } catch (error) {
    await unlink(seedFile);
    throw error;
  }
  return identity;
}

/**
 * Reads a seed from its file, or from the files of its shares. Throws SeedMissing when a file is not there, Malformed when
 * one holds no 32 bytes.
 */
export async function readSeed(files: readonly string[]): Promise<Identity> {
  const shares: Uint8Array[] = [];
  for (const file of files) shares.push(await readShare(file));
  return identityFromShares(shares);
}

/**
 * The identity of the seed that is the exclusive or of its shares, which are overwritten. Throws Malformed for shares that
 * cancel each other: the same one twice.
 */
export function identityFromShares(shares: readonly Uint8Array[]): Identity {
  const seed = new Uint8Array(SEED_BYTES);
  for (const share of shares) {
    for (const [at, byte] of share.entries()) seed[at] = (seed[at] ?? 0) ^ byte;
    share.fill(0);
  }
  if (seed.every((byte) => byte === 0)) throw new ZoppError("Malformed", "the shares of the seed cancel each other");
  try {
    return identityFromSeed(seed);
  } finally {
    seed.fill(0);
  }
}

/** Reads one share. Throws as {@link readSeed}. */
export async function readShare(file: string): Promise<Uint8Array> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new ZoppError("SeedMissing", `cannot read the seed file ${file}`, { cause });
  });
  const share = decodeBase64(text.trim());
  if (share?.length === SEED_BYTES) return share;
  throw new ZoppError("Malformed", `the seed file ${file} does not hold one line of base64 of 32 bytes`);
}

async function writeNew(file: string, text: string, mode: number): Promise<void> {
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  try {
    handle = await open(file, "wx", mode);
    await handle.writeFile(text);
    await handle.sync();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new ZoppError("SeedExists", `${file} exists and is never overwritten`);
    if (handle !== undefined) await unlink(file).catch(() => {});
    throw new ZoppError("FileUnwritable", `cannot write ${file}`, { cause });
  } finally {
    await handle?.close();
  }
}
