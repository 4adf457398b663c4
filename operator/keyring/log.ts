// The log's writer: records become durable in order, one write in flight, and whatever waits goes into the next.
// What the records say is their maker's business; reading the log back is replay.ts.
import { EventEmitter } from "node:events";
import type { SigningKey } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import { backoffMs, pause } from "../kube/backoff.js";
import type { ApiClient } from "../kube/client.js";
import { hasStatus } from "../kube/errors.js";
import type { Log } from "../kube/observe.js";
import { ZOPP_AUDIT_SEGMENTS } from "../kube/resources.js";
import { type AuditRecord, type Fact, lineOf } from "./records.js";
import { MAX_SEGMENT_BYTES, makeSegment, NO_SEGMENT } from "./segment.js";

/** How long a caller waits for its records to be durable before it is told that nothing is released. */
const PATIENCE_MS = 8_000;
/** How much may wait: beyond that callers are refused at once. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
const RETRY = { firstMs: 50, capMs: 5_000 } as const;

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

/** What the writer needs. */
export interface LogOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly key: SigningKey;
  readonly end: LogEnd;
  readonly log: Log;
  /** Told of each record when it is appended, in order, before it is durable. */
  onAppend(record: AuditRecord): void;
  /** Told of each stored segment: its lines are the export, its checkpoint proof against a cut end. */
  onStored(lines: readonly string[], end: LogEnd): void;
  readonly patienceMs?: number;
}

interface Waiting {
  readonly line: string;
  readonly bytes: number;
}

/** The writer of one log. Live until `close`; emits `forked` once when another keyring writes the same log. */
export class AuditLog extends EventEmitter<{ forked: [ZoppError]; stored: [] }> {
  readonly #options: LogOptions;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #next: number;
  #end: LogEnd;
  /** How far somebody waits for the log to be stored. What was noted beyond it waits for the rest of its call. */
  #wanted = 0;
  #writing: Promise<void> | null = null;
  #failed: ZoppError | null = null;
  readonly #stopped = new AbortController();

  constructor(options: LogOptions) {
    super();
    this.setMaxListeners(0);
    this.#options = options;
    this.#end = options.end;
    this.#next = options.end.size;
  }

  /** The log as it is stored. */
  get end(): LogEnd {
    return this.#end;
  }

  /** True when every record that was appended is stored. */
  get quiet(): boolean {
    return this.#next === this.#end.size;
  }

  /**
   * Appends facts in order; resolves when they are durable. Throws AuditUnavailable when they are not in time (they
   * may still become so: over-reporting is the safe side), LogForked when somebody else writes this log.
   */
  async append(facts: readonly Fact[]): Promise<void> {
    for (const fact of facts) this.note(fact);
    await this.flush();
  }

  /** Appends a fact that a later `flush` makes durable: what belongs together goes into one segment. Throws as `append`. */
  note(fact: Fact): void {
    if (this.#failed !== null) throw this.#failed;
    if (this.#waitingBytes > MAX_WAITING_BYTES) throw unavailable("too much waits to be recorded");
    this.#add(fact);
  }

  /** Resolves when everything that was appended is durable. Throws as `append`. */
  async flush(): Promise<void> {
    const until = this.#next;
    void this.#writeAll();
    await this.#stored(until);
  }

  /** Writes what waits, as long as the API server takes it. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#stopped.abort(), this.#options.patienceMs ?? PATIENCE_MS);
    await this.#writeAll();
    clearTimeout(timer);
    this.#stopped.abort();
  }

  #add(fact: Fact): void {
    const record: AuditRecord = { index: this.#next, time: new Date().toISOString(), ...fact };
    const line = lineOf(record);
    const bytes = Buffer.byteLength(line) + 1;
    if (bytes > MAX_SEGMENT_BYTES) throw new ZoppError("TooLarge", "a record is longer than a segment may be");
    this.#options.onAppend(record);
    this.#next += 1;
    this.#waiting.push({ line, bytes });
    this.#waitingBytes += bytes;
  }

  async #stored(until: number): Promise<void> {
    const patience = AbortSignal.timeout(this.#options.patienceMs ?? PATIENCE_MS);
    while (this.#end.size < until) {
      if (this.#failed !== null) throw this.#failed;
      await EventEmitter.once(this, "stored", { signal: patience }).catch((cause) => {
        throw unavailable("the audit log cannot be written in time", cause);
      });
    }
  }

  /** Everything that was appended until now, in the write that is under way or in one of its own. */
  #writeAll(): Promise<void> {
    this.#wanted = this.#next;
    this.#writing ??= this.#write();
    return this.#writing;
  }

  async #write(): Promise<void> {
    // callers of one turn of the event loop go into one segment
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#end.size < this.#wanted && this.#failed === null) {
      const lines = this.#take();
      const { namespace, key } = this.#options;
      const { log, size, previous } = this.#end;
      const { segment, hash } = makeSegment(namespace, { log, first: size, previous }, lines, key);
      if (!(await this.#store(segment))) break;
      this.#end = { log, size: size + lines.length, previous: hash };
      this.#options.onStored(lines, this.#end);
      this.emit("stored");
    }
    this.#writing = null;
  }

  #take(): string[] {
    const lines: string[] = [];
    let bytes = 0;
    for (
      let next = this.#waiting[0];
      next !== undefined && bytes + next.bytes <= MAX_SEGMENT_BYTES;
      next = this.#waiting[0]
    ) {
      bytes += next.bytes;
      lines.push(next.line);
      this.#waiting.shift();
    }
    this.#waitingBytes -= bytes;
    return lines;
  }

  /** Tries until the segment is stored; false when it never will be, because the log is closed or not ours alone. */
  async #store(segment: ZoppAuditSegment): Promise<boolean> {
    const { client, log } = this.#options;
    for (let failures = 0; !this.#stopped.signal.aborted; failures += 1) {
      try {
        await client.create(ZOPP_AUDIT_SEGMENTS, segment, { metadataOnly: true, signal: this.#stopped.signal });
        return true;
      } catch (err) {
        if (hasStatus(err, 409) && (await this.#isOurs(segment))) return true;
        if (this.#failed !== null) return false;
        log.warn({ err, segment: segment.metadata.name }, "cannot store an audit segment; trying again");
        await pause(backoffMs(failures + 1, RETRY), this.#stopped.signal);
      }
    }
    return false;
  }

  /** After 409: an answer of ours may have been lost. Anything else under this name is another writer. */
  async #isOurs(segment: ZoppAuditSegment): Promise<boolean> {
    const { namespace, name } = segment.metadata;
    try {
      const found = await this.#options.client.get<ZoppAuditSegment>(ZOPP_AUDIT_SEGMENTS, { namespace, name });
      if (found.spec.signature === segment.spec.signature && found.spec.records === segment.spec.records) return true;
    } catch {
      return false;
    }
    this.#failed = new ZoppError("LogForked", `audit segment ${name} was written by another keyring`);
    this.emit("forked", this.#failed);
    this.emit("stored");
    return false;
  }
}

function unavailable(why: string, cause?: unknown): ZoppError {
  return new ZoppError("AuditUnavailable", `${why}; nothing is released`, { cause });
}
