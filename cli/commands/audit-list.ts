// `zopp audit list`: records of a keyring's log that are asked for, oldest first.
import { type FilterFlags, filterOf, recordTable } from "../audit/filters.js";
import type { SourceOptions } from "../audit/found.js";
import { findRecords } from "../audit/source.js";
import type { Result } from "../output.js";
import type { Session } from "../session.js";

/** Said of records that come from elsewhere than a keyring whose key was checked. */
export const UNVERIFIED = "shown as they were found; `zopp audit verify` says whether they are the keyring's";

/** Runs `zopp audit list`. */
export async function run(
  session: Session,
  _: readonly string[],
  options: SourceOptions & FilterFlags,
): Promise<Result> {
  const filter = filterOf(options, session.context.now());
  const { records, isKeyring, title } = await findRecords(session, options, filter);
  return {
    data: { records },
    names: records.map(({ index }) => String(index)),
    human: recordTable(records),
    notes: isKeyring ? [] : [`records of ${title}: ${UNVERIFIED}`],
  };
}
