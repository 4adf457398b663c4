// What the log is spoken of in: where it stands, what its writer needs, and what several replicas that write it share.
// The writer itself is log.ts.
import type { SigningKey } from "../../crds/crypto/identity.js";
import type { ApiClient } from "../kube/client.js";
import type { Log, Tracing } from "../kube/observe.js";
import type { AuditRecord, Fact } from "./records.js";
import { NO_SEGMENT } from "./segment.js";
import type { SoleWriter } from "./sole.js";

/** Where a log stands. */
export interface LogEnd {
  readonly log: string;
  /** The index of the next record. */
  readonly size: number;
  /** Hash of the last segment. */
  readonly previous: string;
}

/** A log that has no segments yet. */
export function emptyLog(log: string): LogEnd {
  return { log, size: 0, previous: NO_SEGMENT };
}

/** A segment that another replica of this keyring has stored. */
export interface Taken {
  readonly lines: readonly string[];
  readonly end: LogEnd;
}

/** What a log needs that several replicas write. */
export interface Sharing {
  /** What is stored next after an end, and all that is needed to take it in; null when nothing is. Throws LogForked when it is nobody's of ours, Api*. */
  next(end: LogEnd): Promise<Taken | null>;
  /** Told of each such segment, in order, instead of `onStored`: whatever was appended and is not stored is void. */
  onTaken(taken: Taken): void;
}

/**
 * The time from one segment of another replica to the next: what is decided in it knows all records before, so its records
 * may be stored only in it. Some of them were when it ended, those below `stored`.
 */
export interface Turn {
  readonly stored: number;
  readonly isOver: boolean;
}

/** A record that is not stored yet, as its line will be. */
export interface Waiting {
  readonly fact: Fact;
  readonly line: string;
  readonly bytes: number;
}

/** What the writer needs. */
export interface LogOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly key: SigningKey;
  readonly end: LogEnd;
  readonly log: Log;
  readonly tracing?: Tracing | undefined;
  /** Told of each record when it is appended, in order, before it is durable. */
  onAppend(record: AuditRecord): void;
  /** Told of each stored segment: its lines are the export, its checkpoint proof against a cut end. */
  onStored(lines: readonly string[], end: LogEnd): void;
  /** Absent: nobody else writes this log, and whoever does has forked it. */
  readonly sharing?: Sharing | undefined;
  /** Where segments may be deleted, so that their names lock nothing: how to find out that somebody else writes. */
  readonly sole?: Pick<SoleWriter, "isStill"> | undefined;
  readonly patienceMs?: number;
}
