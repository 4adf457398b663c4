// `zopp audit verify`: whether a log is whole, in order, signed by the keyring's key, and the one that was seen before.
import { ZoppError } from "../../crds/errors.js";
import { keyOfLog, type SourceOptions } from "../audit/found.js";
import { KNOWN_LOGS, keepVerified, type SeenLog, seenOf } from "../audit/seen.js";
import { findLog } from "../audit/source.js";
import { verifyLog, type Witness } from "../audit/verify.js";
import { homeOf } from "../home.js";
import { readInput } from "../input.js";
import type { Result } from "../output.js";
import type { Session } from "../session.js";

interface VerifyOptions extends SourceOptions {
  readonly checkpoint?: readonly string[];
}

/** Runs `zopp audit verify`. */
export async function run(session: Session, _: readonly string[], options: VerifyOptions): Promise<Result> {
  const { context } = session;
  const found = await findLog(session, options).catch((error: unknown) => {
    throw named(error);
  });
  const { log, title } = found;
  const key = await keyOfLog(session, log, options.keyringKey);
  const seen = seenOf(context, log);
  const witnesses = witnessesOf(session, seen, options);
  for (const file of options.checkpoint ?? [])
    witnesses.push({ where: file, text: Buffer.from(await readInput(context, file)).toString("utf8") });
  const verified = verifyLog(found, key, witnesses);
  const { first, size, root, checkpoint, agrees, older, newer, hidden } = verified;
  if (checkpoint !== undefined) keepVerified(context, log, checkpoint.text, newer);
  const notes = [
    ...(hidden > 0 ? [`${hidden} records are outside of your scope: only their hashes were checked`] : []),
    ...older.map(
      (where) => `the checkpoint of ${where} is older than the first record there: it says nothing about this`,
    ),
    ...(newer.length > 0
      ? [`values that you opened are recorded later than what is there: it says nothing of them`]
      : []),
    ...(agrees.length === 0 ? ["no checkpoint was compared: records cut off at the end would not show"] : []),
  ];
  const said = { log, source: title, first, size, root, keyring: key.kid, agrees, hidden };
  return {
    data: checkpoint === undefined ? said : { ...said, checkpoint: checkpoint.text },
    names: [log],
    human: [
      `log      ${log}, signed by ${key.kid}`,
      `records  ${first} to ${size - 1}, from ${title}: none changed, dropped or moved`,
      `root     ${root}`,
      ...agrees.map((where) => `agrees   with the checkpoint of ${where}`),
    ],
    notes,
  };
}

/** What this person has seen. A file may have been written before a value was opened; the log itself only grows. */
function witnessesOf({ context }: Session, { verified, opened }: SeenLog, { from }: SourceOptions): Witness[] {
  if (verified === undefined && opened.length === 0) return [];
  const place = `${homeOf(context)}/${KNOWN_LOGS}`;
  const mayBeNewer = from !== undefined && from !== "keyring" && from !== "cluster";
  return [
    ...(verified === undefined ? [] : [{ where: place, text: verified }]),
    ...opened.map((text) => ({ where: `${place} (of a value that you opened)`, text, mayBeNewer })),
  ];
}

/** A broken segment is named by its first record's index: say so. */
function named(error: unknown): unknown {
  if (!(error instanceof ZoppError) || error.code !== "LogBroken") return error;
  const index = /-(\d{12})(?:-folded)?\b/.exec(error.message)?.[1];
  return index === undefined
    ? error
    : new ZoppError("LogBroken", `from record ${Number(index)} on: ${error.message}`, { cause: error });
}
