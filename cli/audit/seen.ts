// What this person has seen of each log, in the identity directory: the newest checkpoint that was verified, and those that came
// with values since. A log that is cut or changed later shows against them.
import { readCheckpoint } from "../../crds/audit/checkpoint.js";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import type { Context } from "../context.js";
import { readHomeFile, writeHomeFile } from "../home.js";

/** Its name in the identity directory. */
export const KNOWN_LOGS = "known-logs";
/** The most that are kept of one log, from between two verifications. */
const MOST_OPENED = 256;

/** Checkpoints of one log. */
export interface SeenLog {
  readonly verified?: string | undefined;
  /** Oldest first. Each is signed by the keyring; whether one follows from another is not known. */
  readonly opened: readonly string[];
}

/** What was seen of a log. Throws Malformed for a file that cannot be read. */
export function seenOf(context: Context, log: string): SeenLog {
  return readAll(context)[log] ?? { opened: [] };
}

/** Keeps a checkpoint that was verified, in the place of all that it agrees with; `opened` are those that it says nothing of. */
export function keepVerified(context: Context, log: string, verified: string, opened: readonly string[]): void {
  keep(context, log, { verified, opened });
}

/**
 * Keeps the checkpoint that came with a value, beside those before: only the whole log shows whether it follows from them.
 * Throws CheckpointInvalid for one that this key did not sign, or of another log than the one that policy names for it: a
 * keyring could bring disorder into what is kept of others. Malformed, FileUnwritable.
 */
export function keepOpened(
  context: Context,
  text: string,
  { key, log }: { readonly key: VerifyKey; readonly log: string },
): void {
  const named = readCheckpoint(text, key).log;
  if (named !== log)
    throw new ZoppError("CheckpointInvalid", `the checkpoint is of log ${named}, and policy names ${log}`);
  const { verified, opened } = seenOf(context, log);
  if (text === verified || opened.includes(text)) return;
  // thinned out, not cut off: somebody who replaced the log cannot push the proof of it out by many new ones
  const spread = opened.length < MOST_OPENED ? opened : opened.filter((_, at) => at % 2 === 0);
  keep(context, log, { verified, opened: [...spread, text] });
}

function keep(context: Context, log: string, seen: SeenLog): void {
  const before = readHomeFile(context, KNOWN_LOGS);
  const after = `${JSON.stringify({ ...readAll(context), [log]: seen }, undefined, 2)}\n`;
  if (after !== before) writeHomeFile(context, KNOWN_LOGS, after, before);
}

function readAll(context: Context): Readonly<Record<string, SeenLog>> {
  const text = readHomeFile(context, KNOWN_LOGS);
  if (text === undefined) return {};
  try {
    const all = Object.entries(JSON.parse(text) as Record<string, unknown>);
    return Object.fromEntries(all.map(([log, seen]) => [log, seenIn(seen)]));
  } catch (cause) {
    const what = `${KNOWN_LOGS} in the identity directory is damaged: take it from a backup, or remove it`;
    throw new ZoppError("Malformed", what, { cause });
  }
}

/** A text alone was verified: so it was kept before values brought checkpoints too. */
function seenIn(value: unknown): SeenLog {
  if (typeof value === "string") return { verified: value, opened: [] };
  const { verified, opened } = value as Readonly<Record<string, unknown>>;
  const texts = [...(verified === undefined ? [] : [verified]), ...(opened as readonly unknown[])];
  if (texts.every((each) => typeof each === "string")) return value as SeenLog;
  throw new TypeError("no checkpoints");
}
