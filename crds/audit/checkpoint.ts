// Checkpoints: how long a log is and its root hash, as a C2SP signed note (tlog-checkpoint, signed-note) that stands alone.
// What is in a log is merkle.ts' and the keyring's business.

import { decodeBase64, encodeBase64, encodeHex } from "../crypto/encoding.js";
import type { SigningKey } from "../crypto/identity.js";
import { type VerifyKey, verify } from "../crypto/keys.js";
import { sha256, utf8 } from "../crypto/primitives.js";
import { ZoppError } from "../errors.js";

const ORIGIN = "zopp.dev/log/";
const ED25519 = Uint8Array.of(1);
const NEW_LINE = Uint8Array.of(10);
const HINT_BYTES = 4;
const SIGNATURE_BYTES = 64;
const ROOT_BYTES = 32;
const MAX_TEXT = 4096;
const FORM =
  /^(zopp\.dev\/log\/([a-z0-9][-a-z0-9]{0,63}))\n(0|[1-9][0-9]{0,14})\n([A-Za-z0-9+/]{43}=)\n\n((?:\u2014 [^ \n]+ [A-Za-z0-9+/=]+\n)+)$/;

/** What a checkpoint says. */
export interface Checkpoint {
  /** The log's id; the note's origin is `zopp.dev/log/` and this. */
  readonly log: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** A checkpoint whose signature was checked, with the text that says so to anybody else. */
export interface SignedCheckpoint extends Checkpoint {
  readonly text: string;
}

/** Signs a checkpoint; gives the note's text. */
export function signCheckpoint({ log, size, root }: Checkpoint, key: SigningKey): string {
  const origin = `${ORIGIN}${log}`;
  const body = `${origin}\n${size}\n${encodeBase64(root)}\n`;
  const signature = new Uint8Array(HINT_BYTES + SIGNATURE_BYTES);
  signature.set(hintOf(origin, key.verifyKey));
  signature.set(key.sign(utf8(body)), HINT_BYTES);
  return `${body}\n\u2014 ${origin} ${encodeBase64(signature)}\n`;
}

/** Reads a note that this key must have signed; signatures of others (witnesses) are let be. Throws CheckpointInvalid. */
export function readCheckpoint(text: string, key: VerifyKey): SignedCheckpoint {
  const match = text.length > MAX_TEXT ? null : FORM.exec(text);
  const [, origin = "", log = "", size = "", root = "", signatures = ""] = match ?? [];
  const bytes = decodeBase64(root);
  if (match === null || bytes?.length !== ROOT_BYTES) throw invalid("is not a checkpoint of a zopp log");
  const body = utf8(text.slice(0, text.indexOf("\n\n") + 1));
  const hint = encodeHex(hintOf(origin, key));
  for (const line of signatures.split("\n").slice(0, -1)) {
    const [, name, value = ""] = line.split(" ");
    const signature = decodeBase64(value);
    if (name !== origin || signature?.length !== HINT_BYTES + SIGNATURE_BYTES) continue;
    if (encodeHex(signature.subarray(0, HINT_BYTES)) !== hint) continue;
    if (verify(key, body, signature.subarray(HINT_BYTES))) return { log, size: Number(size), root: bytes, text };
  }
  throw invalid(`of log ${log} is not signed by the key ${key.kid}`);
}

/** The log that a note names, before anything is verified: to find the key for it. */
export function logOfCheckpoint(text: string): string | undefined {
  return FORM.exec(text.slice(0, MAX_TEXT))?.[2];
}

/** The key as signed notes name it: `<origin>+<hint>+<key>`, for other implementations. */
export function noteKey(log: string, key: VerifyKey): string {
  const origin = `${ORIGIN}${log}`;
  return `${origin}+${encodeHex(hintOf(origin, key))}+${encodeBase64(Uint8Array.of(...ED25519, ...key.raw))}`;
}

function hintOf(origin: string, key: VerifyKey): Uint8Array {
  return sha256(utf8(origin), NEW_LINE, ED25519, key.raw).subarray(0, HINT_BYTES);
}

function invalid(why: string): ZoppError {
  return new ZoppError("CheckpointInvalid", `the checkpoint ${why}`);
}
