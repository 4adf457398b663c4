// The flags that choose records, and how records are shown.
import type { LoggedRecord, RecordFilter } from "../../crds/audit/records.js";
import { ZoppError } from "../../crds/errors.js";
import { table } from "../output.js";

/** The flags of `audit list` and `audit tail`. */
export interface FilterFlags {
  readonly principal?: string;
  readonly secret?: string;
  readonly environment?: string;
  readonly action?: string;
  readonly decision?: string;
  readonly since?: string;
  readonly until?: string;
}

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The filter of flags; times become RFC 3339. Throws Usage. */
export function filterOf(flags: FilterFlags, now: Date): RecordFilter {
  const { principal, secret, environment, action, decision, since, until } = flags;
  const times = { since: timeOf("--since", since, now), until: timeOf("--until", until, now) };
  return { principal, secret, environment, action, decision, ...times };
}

/** `90m`, `24h` or `7d` ago, a day, or a full time. */
function timeOf(flag: string, text: string | undefined, now: Date): string | undefined {
  if (text === undefined) return undefined;
  const ago = /^(\d{1,6})([mhd])$/.exec(text);
  if (ago !== null) {
    const unit = UNITS[ago[2] as keyof typeof UNITS];
    return new Date(now.getTime() - Number(ago[1]) * unit).toISOString();
  }
  if (/^\d{4}-\d{2}-\d{2}(T[0-9:.]+Z)?$/.test(text) && !Number.isNaN(Date.parse(text)))
    return new Date(text).toISOString();
  throw new ZoppError("Usage", `${flag}: give 90m, 24h or 7d (ago), 2027-02-18, or a full UTC time`);
}

const HEADINGS = ["INDEX", "TIME", "WHO", "ACTION", "DECISION", "OBJECT", "KEYS"];

/** Records as a table. */
export function recordTable(records: readonly LoggedRecord[]): readonly string[] {
  return records.length === 0 ? ["no records"] : table(HEADINGS, records.map(cellsOf));
}

/** One record as it comes, without a table's columns. */
export function recordLine(record: LoggedRecord): string {
  return cellsOf(record)
    .filter((cell) => cell !== "")
    .join("  ");
}

function cellsOf(record: LoggedRecord): string[] {
  const { index, time, actor, action, decision, object = "", keys = [], reason, content } = record;
  const why = reason ?? content;
  const outcome = why === undefined ? decision : `${decision} (${why})`;
  return [String(index), time, actor, action, outcome, object, keys.join(", ")];
}
