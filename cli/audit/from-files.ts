// A log from files: what a keyring wrote to stdout, as it was collected, or the tiles of `zopp audit export`.
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { logOfCheckpoint } from "../../crds/audit/checkpoint.js";
import { parseRecord } from "../../crds/audit/records.js";
import { ZoppError } from "../../crds/errors.js";
import type { Context } from "../context.js";
import { readInput } from "../input.js";
import type { FoundLog, FoundRecord } from "./found.js";
import { hasTiles, readTiles } from "./tiles.js";

const RECORD = '{"audit":';
const CHECKPOINT = '{"checkpoint":';

/** A log that is being put together from lines. */
interface Gathered {
  log: string | undefined;
  first: number;
  readonly lines: string[];
  readonly checkpoints: string[];
}

/** The last log in a file, a folder of files by their names, or stdin (`-`); or the one that is named. Throws LogChanged. */
export async function fromFiles(context: Context, from: string, wanted: string | undefined): Promise<FoundLog> {
  const place = resolve(context.cwd, from);
  const folder = from === "-" ? undefined : kindOf(place, from);
  if (folder === "folder" && hasTiles(place)) {
    const { records, checkpoint } = readTiles(place);
    return found(`the tiles in ${from}`, logOfCheckpoint(checkpoint), 0, records, [checkpoint]);
  }
  const files =
    folder === "folder"
      ? readdirSync(place)
          .sort()
          .map((name) => join(place, name))
      : [from];
  const logs: Gathered[] = [];
  for (const file of files) {
    const text = Buffer.from(await readInput(context, file)).toString("utf8");
    for (const line of text.split("\n")) take(logs, line.trimEnd());
  }
  const log = wanted === undefined ? logs.at(-1) : logs.find((each) => each.log === wanted);
  if (log === undefined)
    throw new ZoppError("NotFound", `${from} holds no ${wanted === undefined ? "records" : `log ${wanted}`}`);
  const records = log.lines.map((line) => ({ line }));
  return found(from === "-" ? "stdin" : from, log.log, log.first, records, log.checkpoints);
}

function kindOf(place: string, from: string): "file" | "folder" {
  try {
    return statSync(place).isDirectory() ? "folder" : "file";
  } catch (cause) {
    throw new ZoppError("NotFound", `cannot read ${from}`, { cause });
  }
}

function found(
  title: string,
  log: string | undefined,
  first: number,
  records: readonly FoundRecord[],
  checkpoints: readonly string[],
): FoundLog {
  if (log === undefined)
    throw new ZoppError("NotFound", `${title}: no checkpoint says which log this is; name it by --log`);
  // nothing is known of what was before: its root cannot be computed, which verify says
  return { title, log, start: { size: first, hashes: [] }, records, checkpoints };
}

/** Collectors put their own words before a line; what is hashed stands between the braces, byte for byte. */
function take(logs: Gathered[], text: string): void {
  const at = text.indexOf(RECORD);
  if (at >= 0 && text.endsWith("}")) return takeRecord(logs, text.slice(at + RECORD.length, -1));
  const noted = text.indexOf(CHECKPOINT);
  if (noted < 0) return;
  const checkpoint = textOf(text.slice(noted));
  const id = checkpoint === undefined ? undefined : logOfCheckpoint(checkpoint);
  const last = logs.at(-1);
  if (checkpoint === undefined || id === undefined || last === undefined) return;
  last.log ??= id;
  if (last.log === id) last.checkpoints.push(checkpoint);
}

function textOf(json: string): string | undefined {
  try {
    const { checkpoint } = JSON.parse(json) as { checkpoint?: unknown };
    return typeof checkpoint === "string" ? checkpoint : undefined;
  } catch {
    return undefined;
  }
}

/** A keyring that starts writes its last records once more: the same again is no second record, and another is a change. */
function takeRecord(logs: Gathered[], line: string): void {
  const { index } = parseRecord(line);
  const last = logs.at(-1);
  const { log } = JSON.parse(line) as { log?: string };
  if (last === undefined || (index === 0 && log !== last.log)) {
    logs.push({ log, first: index, lines: [line], checkpoints: [] });
    return;
  }
  const before = last.lines[index - last.first];
  if (before !== undefined) {
    if (before !== line) throw new ZoppError("LogChanged", `record ${index} stands there twice, and differs`);
    return;
  }
  const next = last.first + last.lines.length;
  if (index !== next)
    throw new ZoppError("LogChanged", `record ${next} is missing: record ${index} follows ${next - 1}`);
  last.lines.push(line);
}
