// `zopp audit export`: a log into a folder as C2SP tiles, where it stays when the cluster forgets it; run again, it grows.
import { join, resolve } from "node:path";
import { readCheckpoint } from "../../crds/audit/checkpoint.js";
import { ZoppError } from "../../crds/errors.js";
import { type FoundLog, keyOfLog, type SourceOptions } from "../audit/found.js";
import { findLog } from "../audit/source.js";
import { hasTiles, readTiles, writeTiles } from "../audit/tiles.js";
import { verifyLog } from "../audit/verify.js";
import type { Result } from "../output.js";
import type { Session } from "../session.js";
import { unwritable } from "../store/files.js";

/** Runs `zopp audit export DIR`. */
export async function run(session: Session, [folder = ""]: readonly string[], options: SourceOptions): Promise<Result> {
  const place = resolve(session.context.cwd, folder);
  const found = await findLog(session, options);
  const { log, title } = found;
  const key = await keyOfLog(session, log, options.keyringKey);
  const before = hasTiles(place) ? readTiles(place) : undefined;
  const joined = before === undefined ? found : joinedWith(before.records, found, folder);
  const witnesses = before === undefined ? [] : [{ where: join(folder, "checkpoint"), text: before.checkpoint }];
  const { checkpoint, size } = verifyLog(joined, key, witnesses);
  if (checkpoint === undefined)
    throw new ZoppError(
      "CheckpointInvalid",
      `${title} holds no checkpoint: export from the keyring, or from its stdout`,
    );
  const lines = joined.records.slice(0, readCheckpoint(checkpoint.text, key).size).map((record, index) => {
    if ("line" in record) return record.line;
    throw new ZoppError("NotAuthorised", `record ${index} is outside of your scope: an export takes audit on *`);
  });
  try {
    writeTiles(place, lines, checkpoint.text);
  } catch (error) {
    throw error instanceof ZoppError ? error : unwritable(place, error);
  }
  return {
    data: { log, folder: place, records: lines.length, checkpoint: checkpoint.text },
    names: [log],
    human: [`${lines.length} records of log ${log} are in ${folder}, with their hashes and the checkpoint of ${size}`],
  };
}

/** What the folder has already, and after it what is new: a cluster forgets its first records. */
function joinedWith(before: FoundLog["records"], found: FoundLog, folder: string): FoundLog {
  const { size: first } = found.start;
  if (first > before.length)
    throw new ZoppError(
      "LogPruned",
      `records ${before.length} to ${first - 1} are neither in ${folder} nor there any more`,
    );
  return { ...found, start: { size: 0, hashes: [] }, records: [...before.slice(0, first), ...found.records] };
}
