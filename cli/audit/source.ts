// Where a log is read from: the keyring (default), a cluster's ZoppAuditSegment objects, or files. Read, not yet judged.
// What holds of it is verify.ts'.

import { isAskedFor, type LoggedRecord, parseRecord, type RecordFilter } from "../../crds/audit/records.js";
import { withKeyring } from "../keyring-call.js";
import { acceptNamedWorkspace } from "../policy.js";
import type { Session } from "../session.js";
import type { FoundLog, FoundRecord, SourceOptions } from "./found.js";

/** The whole log. Throws as the source: LogBroken, Malformed, NotFound, KeyringUnavailable, NotAuthorised … */
export async function findLog(session: Session, options: SourceOptions): Promise<FoundLog> {
  if (options.from === "cluster") return (await import("./from-cluster.js")).fromCluster(session, options);
  if (options.from !== undefined && options.from !== "keyring")
    return (await import("./from-files.js")).fromFiles(session.context, options.from, options.log);
  const workspace = await acceptNamedWorkspace(session);
  return withKeyring(session, { ...options, workspace }, async ({ keyring: { audit }, cluster }) => {
    const records: FoundRecord[] = [];
    let page = await audit.list(0, {}, true);
    const { log, first: size, start: hashes } = page;
    for (;;) {
      records.push(...page.records);
      if (page.next >= page.size) break;
      page = await audit.list(page.next, {}, true);
    }
    // taken last, so that it holds no less than was read
    const checkpoint = await audit.checkpoint();
    return {
      title: `the keyring of ${cluster.name}`,
      log,
      start: { size, hashes },
      records,
      checkpoints: [checkpoint],
    };
  });
}

/** The records that are asked for, oldest first. A keyring chooses them itself. */
export async function findRecords(
  session: Session,
  options: SourceOptions,
  filter: RecordFilter,
): Promise<{ readonly title: string; readonly records: readonly LoggedRecord[]; readonly isKeyring: boolean }> {
  if (options.from !== undefined && options.from !== "keyring") {
    const { title, records } = await findLog(session, options);
    const all = records.flatMap((record) => ("line" in record ? [parseRecord(record.line)] : []));
    return { title, records: all.filter((record) => isAskedFor(record, filter)), isKeyring: false };
  }
  const workspace = await acceptNamedWorkspace(session);
  return withKeyring(session, { ...options, workspace }, async ({ keyring: { audit }, cluster }) => {
    const records: LoggedRecord[] = [];
    for (let from = 0; ; ) {
      const page = await audit.list(from, filter);
      for (const record of page.records) if ("line" in record) records.push(parseRecord(record.line));
      if (page.next >= page.size) break;
      from = page.next;
    }
    return { title: `the keyring of ${cluster.name}`, records, isKeyring: true };
  });
}
