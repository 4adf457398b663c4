// The log's writer: records become durable in order, one write in flight, and whatever waits goes into the next.
// Where replicas share a log, the next segment's name is the lock: whoever creates it was first, and the others start over.
// What the records say is their maker's business; reading the log back is replay.ts.
import { EventEmitter } from "node:events";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import { backoffMs, pause } from "../kube/backoff.js";
import { hasStatus } from "../kube/errors.js";
import { ZOPP_AUDIT_SEGMENTS } from "../kube/resources.js";
import { overtaken, unavailable } from "./log.errors.js";
import type { LogEnd, LogOptions, Sharing, Taken, Turn, Waiting } from "./log.types.js";
import { type AuditRecord, type Fact, lineOf } from "./records.js";
import { MAX_SEGMENT_BYTES, makeSegment } from "./segment.js";
import { segmentTraced } from "./traced.js";

/** How long a caller waits for its records to be durable before it is told that nothing is released. */
const PATIENCE_MS = 8_000;
/** How much may wait: beyond that callers are refused at once. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/**
 * While other replicas write too, each waits after a segment of its own for so many times as long as storing it took, at
 * least: they have read it, decided again and stored theirs by then, and nobody is always first.
 */
const YIELD = { times: 3, leastMs: 100, capMs: 500, forMs: 60_000 } as const;
/** Who knew the log's end so long ago may be behind by more than one segment. */
const CURRENT_MS = 1_000;
/** How long whoever looks for other replicas' records waits for them. */
const LOOK_MS = 2_000;
const RETRY = { firstMs: 50, capMs: 5_000 } as const;

/** The writer of one log. Live until `close`; emits `forked` once when somebody writes it who may not. */
export class AuditLog extends EventEmitter<{ forked: [ZoppError]; stored: [] }> {
  readonly #options: LogOptions;
  /** What is not stored yet, also what is being stored. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #next: number;
  #end: LogEnd;
  #turn: { stored: number; isOver: boolean };
  #mayBeBehind = false;
  /** When the end was known last, and when another replica's segment was taken in last. */
  #knownAt = performance.now();
  #othersAt = Number.NEGATIVE_INFINITY;
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
    this.#turn = { stored: this.#next, isOver: false };
  }

  /** The log as it is stored. */
  get end(): LogEnd {
    return this.#end;
  }

  /** The present turn: take it before deciding what is to be recorded, where anything is waited for in between. */
  get turn(): Turn {
    return this.#turn;
  }

  /** True when every record that was appended is stored. */
  get quiet(): boolean {
    return this.#next === this.#end.size;
  }

  /**
   * Appends facts in order; resolves when they are durable. Throws AuditUnavailable when they are not in time (they
   * may still become so: over-reporting is the safe side), or when another replica was first since the turn in which they
   * were decided (they never will: decide again); LogForked when somebody else writes this log.
   */
  async append(facts: readonly Fact[], turn: Turn = this.#turn): Promise<void> {
    for (const fact of facts) this.note(fact, turn);
    await this.flush(turn);
  }

  /** Appends a fact that a later `flush` makes durable: what belongs together goes into one segment. Throws as `append`. */
  note(fact: Fact, turn: Turn = this.#turn): void {
    if (this.#failed !== null) throw this.#failed;
    if (turn.isOver) throw overtaken();
    if (this.#waitingBytes > MAX_WAITING_BYTES) throw unavailable("too much waits to be recorded");
    this.#add(fact);
  }

  /** Resolves when everything that was appended in a turn is durable. Throws as `append`. */
  async flush(turn: Turn = this.#turn): Promise<void> {
    if (turn.isOver) throw overtaken();
    const until = this.#next;
    void this.#writeAll();
    await this.#stored(turn, until);
  }

  /** Resolves when no replica is known to have written since a turn. Throws AuditUnavailable when one has: decide again. */
  async upToDate(turn: Turn): Promise<void> {
    await this.look();
    if (turn.isOver) throw overtaken();
  }

  /** Takes in what other replicas have stored, or finds one where none may be. What cannot be read is found at the next write. */
  async look(): Promise<void> {
    if (this.#failed !== null) return;
    const { sharing } = this.#options;
    if (sharing !== undefined) this.#mayBeBehind = true;
    const found = sharing === undefined ? this.#isSole() : this.#work();
    await Promise.race([found, pause(LOOK_MS, this.#stopped.signal)]);
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
    this.#waiting.push({ fact, line, bytes });
    this.#waitingBytes += bytes;
  }

  async #stored(turn: Turn, until: number): Promise<void> {
    const patience = AbortSignal.timeout(this.#options.patienceMs ?? PATIENCE_MS);
    while (turn.stored < until) {
      if (this.#failed !== null) throw this.#failed;
      if (turn.isOver) throw overtaken();
      await EventEmitter.once(this, "stored", { signal: patience }).catch((cause) => {
        throw unavailable("the audit log cannot be written in time", cause);
      });
    }
  }

  /** Everything that was appended until now, in the write that is under way or in one of its own. */
  #writeAll(): Promise<void> {
    this.#wanted = this.#next;
    return this.#work();
  }

  #work(): Promise<void> {
    this.#writing ??= this.#write();
    return this.#writing;
  }

  async #write(): Promise<void> {
    // callers of one turn of the event loop go into one segment
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#failed === null && (this.#mayBeBehind || this.#end.size < this.#wanted)) {
      if (this.#mayBeBehind) await this.#lookNow();
      else if (!(await this.#writeNext())) break;
    }
    this.#writing = null;
  }

  /** Stores what waits, as much as goes into a segment; false when it never will be. */
  async #writeNext(): Promise<boolean> {
    const { namespace, key, onStored } = this.#options;
    const { log, size, previous } = this.#end;
    const lines = this.#first();
    const { segment, hash } = makeSegment(namespace, { log, first: size, previous }, lines, key);
    const begun = performance.now();
    const outcome = await segmentTraced(this.#options.tracing, segment, () => this.#store(segment, hash));
    if (outcome === "stored") {
      // its name may have been free because another keyring has deleted the one before: then nothing of it is true
      if (!(await this.#isSole())) return false;
      for (const { bytes } of this.#waiting.splice(0, lines.length)) this.#waitingBytes -= bytes;
      this.#moveTo({ log, size: size + lines.length, previous: hash });
      onStored(lines, this.#end);
      this.emit("stored");
      await this.#yield(this.#knownAt - begun);
    }
    return outcome !== "never";
  }

  #moveTo(end: LogEnd): void {
    this.#end = end;
    this.#turn.stored = end.size;
    this.#knownAt = performance.now();
  }

  async #yield(tookMs: number): Promise<void> {
    if (this.#knownAt - this.#othersAt > YIELD.forMs) return;
    const delayMs = Math.min(Math.max(tookMs * YIELD.times, YIELD.leastMs), YIELD.capMs);
    await pause(delayMs, this.#stopped.signal);
  }

  /** The lines that go into the next segment. */
  #first(): string[] {
    const lines: string[] = [];
    let bytes = 0;
    for (const next of this.#waiting) {
      bytes += next.bytes;
      if (bytes > MAX_SEGMENT_BYTES) break;
      lines.push(next.line);
    }
    return lines;
  }

  /** Tries until the segment is stored, or another replica was first; "never" when the log is closed or not ours. */
  async #store(segment: ZoppAuditSegment, hash: string): Promise<"stored" | "overtaken" | "never"> {
    const { client, log } = this.#options;
    for (let failures = 0; !this.#stopped.signal.aborted; failures += 1) {
      if (this.#end.size !== segment.spec.first) return "overtaken";
      try {
        await client.create(ZOPP_AUDIT_SEGMENTS, segment, { metadataOnly: true, signal: this.#stopped.signal });
        return "stored";
      } catch (err) {
        const found = hasStatus(err, 409) ? await this.#whose(segment, hash) : null;
        if (found !== null) return found;
        log.warn({ err, segment: segment.metadata.name }, "cannot store an audit segment; trying again");
        await pause(backoffMs(failures + 1, RETRY), this.#stopped.signal);
      }
    }
    return "never";
  }

  /** After 409: an answer of ours may have been lost, or another replica was first. Anything else is a fork; null: not known. */
  async #whose(segment: ZoppAuditSegment, hash: string): Promise<"stored" | "overtaken" | "never" | null> {
    const { client, sharing } = this.#options;
    const { namespace, name } = segment.metadata;
    try {
      if (sharing !== undefined) {
        const taken = await sharing.next(this.#end);
        if (taken === null || taken.end.previous === hash) return taken && "stored";
        // who was there a moment ago has no time to lose, and finds out by writing whether there is more
        this.#mayBeBehind = performance.now() - this.#knownAt > CURRENT_MS;
        this.#giveWay(sharing, taken);
        return "overtaken";
      }
      const found = await client.get<ZoppAuditSegment>(ZOPP_AUDIT_SEGMENTS, { namespace, name });
      if (found.spec.signature === segment.spec.signature && found.spec.records === segment.spec.records)
        return "stored";
      throw new ZoppError("LogForked", `audit segment ${name} was written by another keyring`);
    } catch (error) {
      return this.#isFork(error) ? "never" : null;
    }
  }

  async #isSole(): Promise<boolean> {
    try {
      return (await this.#options.sole?.isStill(this.#stopped.signal)) ?? true;
    } catch (error) {
      if (!this.#isFork(error)) throw error;
      return false;
    }
  }

  async #lookNow(): Promise<void> {
    this.#mayBeBehind = false;
    try {
      if (this.#options.sharing !== undefined) await this.#takeIn(this.#options.sharing);
    } catch (err) {
      if (!this.#isFork(err)) this.#options.log.warn({ err }, "cannot see what other replicas have recorded");
    }
  }

  #isFork(error: unknown): boolean {
    if (!(error instanceof ZoppError && error.code === "LogForked")) return false;
    this.#failed = error;
    this.emit("forked", error);
    this.emit("stored");
    return true;
  }

  /** Takes in all that follows our end. Throws as Sharing.next. */
  async #takeIn(sharing: Sharing): Promise<void> {
    for (let taken = await sharing.next(this.#end); taken !== null; taken = await sharing.next(this.#end))
      this.#giveWay(sharing, taken);
  }

  /**
   * A new turn: what waits was decided without knowing these records, so it is not written. What was refused was said all the
   * same, and changes nothing: that is recorded after them.
   */
  #giveWay(sharing: Sharing, taken: Taken): void {
    const said = this.#waiting.filter(({ fact }) => fact.decision === "refused");
    [this.#waiting, this.#waitingBytes] = [[], 0];
    this.#turn.isOver = true;
    this.#turn = { stored: taken.end.size, isOver: false };
    this.#next = taken.end.size;
    this.#moveTo(taken.end);
    this.#othersAt = this.#knownAt;
    sharing.onTaken(taken);
    for (const { fact } of said) this.#add(fact);
    this.#wanted = this.#next;
    this.emit("stored");
  }
}
