// The keyring's log as its readers see it: pages, what comes, proofs and checkpoints.
// Nothing is verified here: what an answer is worth is its reader's business.
import type { RecordFilter } from "../../crds/audit/records.js";
import type { ListRecordsResponse, LoggedRecord } from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import type { AuditClient, ListedRecord, RecordPage } from "./client.types.js";
import type { Session } from "./session.js";

/** A Tail is longer than other calls; the keyring ends it before this. */
const TAIL_TIMEOUT_MS = 28_000;

/** The calls, over a session. */
export function auditClient(session: Session): AuditClient {
  return {
    async list(from, filter, hashes = false) {
      const request = { from: BigInt(from), filter: messageOf(filter), hashes };
      return pageOf(await session.call((_, options, audit) => audit.list(request, options)));
    },
    async tail(from, filter, onPage, signal) {
      const request = { from: BigInt(from), filter: messageOf(filter) };
      let next = from;
      await session.call(async (_, options, audit) => {
        for await (const message of audit.tail(request, { ...options, timeoutMs: TAIL_TIMEOUT_MS })) {
          const page = pageOf(message);
          next = page.next;
          onPage(page);
        }
      }, signal);
      return next;
    },
    async proof(of, size) {
      const what =
        "index" in of
          ? ({ case: "index", value: BigInt(of.index) } as const)
          : ({ case: "from", value: BigInt(of.from) } as const);
      const { hashes } = await session.call((_, options, audit) =>
        audit.proof({ of: what, size: BigInt(size) }, options),
      );
      return hashes;
    },
    async checkpoint() {
      const { checkpoint } = await session.call((_, options, audit) => audit.checkpoint({}, options));
      return checkpoint;
    },
  };
}

function messageOf(filter: RecordFilter): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(filter).filter(([, text]) => text !== undefined));
}

function pageOf({ records, next, log, size, first, start }: ListRecordsResponse): RecordPage {
  const [from, to, whole] = [Number(first), Number(next), Number(size)];
  return { records: records.map(recordOf), next: to, log, size: whole, first: from, start };
}

function recordOf({ index, line, hash }: LoggedRecord): ListedRecord {
  return line === "" ? { index: Number(index), hash } : { index: Number(index), line };
}
