// `zopp audit tail`: records as the keyring stores them, until it is interrupted.
import { parseRecord } from "../../crds/audit/records.js";
import { ZoppError } from "../../crds/errors.js";
import type { KeyringClient } from "../../operator/keyring/client.types.js";
import { type FilterFlags, filterOf, recordLine } from "../audit/filters.js";
import type { SourceOptions } from "../audit/found.js";
import { withKeyring } from "../keyring-call.js";
import { jsonText, printable, type Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import type { Session } from "../session.js";

type RecordPage = Awaited<ReturnType<KeyringClient["audit"]["list"]>>;

interface TailOptions extends SourceOptions, FilterFlags {
  readonly count?: string;
}

/** Runs `zopp audit tail`. */
export async function run(session: Session, _: readonly string[], options: TailOptions): Promise<Result> {
  const { context } = session;
  const filter = filterOf(options, context.now());
  let left = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
  if (!(left >= 1)) throw new ZoppError("Usage", "--count: give how many records");
  const done = new AbortController();
  const show = ({ records }: RecordPage) => {
    for (const record of records) {
      if (!("line" in record) || left <= 0) continue;
      const line =
        session.options.output === "json" ? jsonText(JSON.parse(record.line)) : recordLine(parseRecord(record.line));
      context.stdout.write(`${printable(line)}\n`);
      left -= 1;
    }
    if (left <= 0) done.abort();
  };
  const workspace = await acceptNamedWorkspace(session);
  await withKeyring(session, { ...options, workspace }, async ({ keyring: { audit } }) => {
    // from the end on: the list of what is there is another command
    let { size: from } = await audit.list(Number.MAX_SAFE_INTEGER, filter);
    while (!done.signal.aborted) {
      try {
        from = await audit.tail(from, filter, show, done.signal);
      } catch (error) {
        if (!done.signal.aborted) throw error;
      }
    }
  });
  return { data: {}, human: [], raw: new Uint8Array(0) };
}
