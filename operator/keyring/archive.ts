// The stored segments of a log: which there are, the tree over all their records, and how they stay few.
// Appending is log.ts'; when the archive is put in order is upkeep.ts'.
import { setImmediate as turn } from "node:timers/promises";
import { signCheckpoint } from "../../crds/audit/checkpoint.js";
import { leafHash, type MerkleTree } from "../../crds/audit/merkle.js";
import { encodeBase64, encodeHex } from "../../crds/crypto/encoding.js";
import type { SigningKey } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import { parseAuditSegment } from "../../crds/validate.js";
import type { ApiClient } from "../kube/client.js";
import { hasStatus, orAbsent } from "../kube/errors.js";
import { type KubeObject, ZOPP_AUDIT_SEGMENTS } from "../kube/resources.js";
import type { LogEnd } from "./log.types.js";
import type { Head } from "./parts.js";
import { bytesOf, type Remembered, type StoredSegment, strip } from "./replay.js";
import { checkSegment, linesOf, MAX_SEGMENT_BYTES, makeSegment, segmentName } from "./segment.js";

/** So many small segments are folded at once: each then holds as many records at least, or is full. */
const FOLD_AT = 256;
/** A segment that holds more is not small, and a fold of fewer segments saves nothing. */
const SMALL_BYTES = MAX_SEGMENT_BYTES / 8;
const FOLD_LEAST = 8;

/** What the archive needs. */
export interface ArchiveOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly key: SigningKey;
  readonly memory: Pick<Remembered, "tree" | "segments" | "leftovers" | "end">;
  /** How many segments stay; 0 = all, and none is folded. */
  readonly keep: number;
  /** How many small ones are folded at once. */
  readonly foldAt?: number;
}

/** The archive of one log. Its methods that write run one at a time. */
export class Archive {
  readonly #options: ArchiveOptions;
  readonly #foldAt: number;
  readonly #leftovers: string[];
  #segments: StoredSegment[];
  #end: LogEnd;
  #checkpoint: { readonly size: number; readonly text: string } | null = null;

  constructor(options: ArchiveOptions) {
    this.#options = options;
    this.#foldAt = options.foldAt ?? FOLD_AT;
    this.#segments = [...options.memory.segments];
    this.#leftovers = [...options.memory.leftovers];
    this.#end = options.memory.end;
  }

  /** The tree of what is stored. */
  get tree(): MerkleTree {
    return this.#options.memory.tree;
  }

  /** The first record that is in the cluster. */
  get first(): number {
    return this.#segments[0]?.first ?? this.#end.size;
  }

  /** True when more segments are stored than should stay. */
  get isFull(): boolean {
    const { keep } = this.#options;
    return keep > 0 && this.#segments.length > keep;
  }

  /** Takes in a segment that was stored just now. */
  stored(lines: readonly string[], end: LogEnd): void {
    const { size: first, previous } = this.#end;
    for (const line of lines) this.tree.append(leafHash(line));
    const name = segmentName(end.log, first);
    this.#segments.push({ name, first, count: lines.length, previous, bytes: bytesOf(lines), folded: false });
    this.#end = end;
  }

  /** The signed checkpoint of what is stored. */
  checkpoint(): string {
    const { size, log } = this.#end;
    if (this.#checkpoint?.size !== size)
      this.#checkpoint = { size, text: signCheckpoint({ log, size, root: this.tree.root() }, this.#options.key) };
    return this.#checkpoint.text;
  }

  /**
   * The stored lines from a record on, to the end of its segment; none at the end of the log. Throws LogPruned, and LogBroken
   * when the segment is not what was stored.
   */
  async lines(from: number): Promise<readonly string[]> {
    if (from < this.first) throw new ZoppError("LogPruned", `the cluster keeps the records from ${this.first} on`);
    const holds = ({ first, count }: StoredSegment) => from >= first && from < first + count;
    const found = this.#segments.find(holds);
    if (found === undefined) return [];
    try {
      return (await this.#read(found)).lines.slice(from - found.first);
    } catch (error) {
      const now = this.#segments.find(holds);
      // folded or dropped meanwhile
      if (now !== found && hasStatus(error, 404)) return this.lines(from);
      throw error;
    }
  }

  /** The lines of the newest segment. */
  async newest(): Promise<readonly string[]> {
    const newest = this.#segments.at(-1);
    return newest === undefined ? [] : (await this.#read(newest)).lines;
  }

  /** Removes what an interruption left, and folds small segments into large ones. Throws Api*, LogBroken. */
  async fold(): Promise<void> {
    if (this.#options.keep === 0) return;
    await this.#removeLeftovers();
    const small = this.#segments.filter(({ folded, bytes }) => !folded && bytes <= SMALL_BYTES);
    if (small.length < this.#foldAt) return;
    for (const run of runsOf(this.#segments)) await this.#foldRun(run);
  }

  /** Where the log is to begin so that no more segments stay than should, and some room is left; null when they are few. */
  cut(): Pick<Head, "size" | "previous" | "hashes"> | null {
    const { keep } = this.#options;
    const kept = this.isFull ? this.#segments.at(-Math.ceil((keep * 7) / 8)) : undefined;
    if (kept === undefined) return null;
    const { first: size, previous } = kept;
    return { size, previous, hashes: this.tree.startAt(size).hashes.map(encodeBase64) };
  }

  /** Deletes the segments before a record, oldest first; only after what stands for them was stored. Throws Api*. */
  async drop(before: number): Promise<void> {
    const gone = this.#segments.filter(({ first, count }) => first + count <= before);
    this.#segments = this.#segments.slice(gone.length);
    this.tree.forget(before);
    this.#leftovers.push(...gone.map(({ name }) => name));
    await this.#removeLeftovers();
  }

  /** The folded segment is stored before those that it stands for are deleted. */
  async #foldRun(run: readonly StoredSegment[]): Promise<void> {
    const { client, namespace, key } = this.#options;
    const { log } = this.#end;
    const [first, last] = [run[0], run.at(-1)];
    if (first === undefined || last === undefined) return;
    const lines: string[] = [];
    let through = first.previous;
    for (const segment of run) {
      const read = await this.#read(segment);
      lines.push(...read.lines);
      through = read.link;
      await turn();
    }
    const place = { log, first: first.first, previous: first.previous };
    const { segment } = makeSegment(namespace, place, lines, key, through);
    await client.create(ZOPP_AUDIT_SEGMENTS, segment, { metadataOnly: true }).catch(async (error: unknown) => {
      if (!hasStatus(error, 409)) throw error;
      const found = await this.#get(segment.metadata.name);
      if (found.spec.signature !== segment.spec.signature) throw changed(segment.metadata.name);
    });
    const folded = { name: segment.metadata.name, ...place, count: lines.length, bytes: bytesOf(lines), folded: true };
    this.#segments.splice(this.#segments.indexOf(first), run.length, folded);
    this.#leftovers.push(...run.map(({ name }) => name));
    await this.#removeLeftovers();
  }

  async #removeLeftovers(): Promise<void> {
    const { client, namespace } = this.#options;
    for (let name = this.#leftovers[0]; name !== undefined; name = this.#leftovers[0]) {
      await orAbsent(client.delete(ZOPP_AUDIT_SEGMENTS, { namespace, name }));
      this.#leftovers.shift();
    }
  }

  /** A segment's lines, which are exactly those that were stored, and what the next one links to. */
  async #read({ name, first, previous }: StoredSegment): Promise<{ lines: readonly string[]; link: string }> {
    const segment = await this.#get(name);
    const link = checkSegment(segment, { log: this.#end.log, first, previous }, this.#options.key.verifyKey);
    const lines = linesOf(segment);
    for (const [at, line] of lines.entries()) {
      const leaf = this.tree.leaf(first + at);
      if (leaf !== undefined && encodeHex(leaf) !== encodeHex(leafHash(line))) throw changed(name);
    }
    return { lines, link };
  }

  async #get(name: string): Promise<ZoppAuditSegment> {
    const { client, namespace } = this.#options;
    const found = await client.get<KubeObject>(ZOPP_AUDIT_SEGMENTS, { namespace, name });
    return parseAuditSegment(strip({ apiVersion: "zopp.dev/v1alpha1", kind: ZOPP_AUDIT_SEGMENTS.kind, ...found }));
  }
}

/** Neighbours that fit into one segment, where they are enough to be worth it. */
function runsOf(segments: readonly StoredSegment[]): readonly (readonly StoredSegment[])[] {
  const runs: StoredSegment[][] = [];
  let [run, bytes]: [StoredSegment[], number] = [[], 0];
  const close = () => {
    if (run.length >= FOLD_LEAST) runs.push(run);
    [run, bytes] = [[], 0];
  };
  for (const segment of segments) {
    if (segment.folded || bytes + segment.bytes > MAX_SEGMENT_BYTES) close();
    if (segment.folded) continue;
    run.push(segment);
    bytes += segment.bytes;
  }
  close();
  return runs;
}

function changed(name: string): ZoppError {
  return new ZoppError("LogBroken", `audit segment ${name} is not what this keyring stored`);
}
