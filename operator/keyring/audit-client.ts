// The keyring's log as its readers see it: pages, what comes, proofs and checkpoints.
// Nothing is verified here: what an answer is worth is its reader's business.
import type { RecordFilter } from "../../crds/audit/records.js";
import type { ListRecordsResponse, LoggedRecord } from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import type { Session } from "./session.js";

/** A Tail is longer than other calls; the keyring ends it before this. */
const TAIL_TIMEOUT_MS = 28_000;

/** A record: its line, or where the caller may not see it, its hash. */
export type ListedRecord = { readonly index: number } & ({ readonly line: string } | { readonly hash: Uint8Array });

/** Some records of a log, and how long it is. */
export interface RecordPage {
  readonly records: readonly ListedRecord[];
  /** The index to go on from. */
  readonly next: number;
  readonly log: string;
  readonly size: number;
  /** The first record in the cluster, and the tree's complete subtrees before it. */
  readonly first: number;
  readonly start: readonly Uint8Array[];
}

/** The calls of the service Audit. All throw NotAuthorised for whoever has no grant of audit, and as `KeyringClient.open`. */
export interface AuditClient {
  /** Records from an index on, some of them. Throws LogPruned. */
  list(from: number, filter: RecordFilter, hashes?: boolean): Promise<RecordPage>;
  /** Records as they are stored, for a while; gives the index to go on from. */
  tail(from: number, filter: RecordFilter, onPage: (page: RecordPage) => void, signal?: AbortSignal): Promise<number>;
  /** The hashes that prove inclusion of a record, or that the log grew from a size. Throws LogPruned. */
  proof(of: { readonly index: number } | { readonly from: number }, size: number): Promise<readonly Uint8Array[]>;
  /** The signed checkpoint of the log now. */
  checkpoint(): Promise<string>;
}

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
