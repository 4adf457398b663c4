// The log read back at start: segments and snapshots, as they were found, to what the keyring remembers. Pure.
// Finding them in the API is store.ts'; whatever is missing or changed is LogBroken here.
import { leafHash, MerkleTree, type TreeStart } from "../../crds/audit/merkle.js";
import { decodeBase64 } from "../../crds/crypto/encoding.js";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment, ZoppLedger } from "../../crds/types.gen.js";
import type { KubeObject } from "../kube/resources.js";
import { Ledger, type StoredPlace } from "./ledger.js";
import { emptyLog, type LogEnd } from "./log.types.js";
import { contentOf, type Head } from "./parts.js";
import type { AuditRecord } from "./records.js";
import { checkSegment, linesOf, NO_SEGMENT } from "./segment.js";

/** A segment that is stored. */
export interface StoredSegment {
  readonly name: string;
  readonly first: number;
  readonly count: number;
  /** Hash of the segment before. */
  readonly previous: string;
  /** Bytes of its lines. */
  readonly bytes: number;
  readonly folded: boolean;
}

/** What was found at start. */
export interface Remembered {
  readonly ledger: Ledger;
  readonly end: LogEnd;
  /** The Merkle tree of all records; of those that are no longer in the cluster, what the others need. */
  readonly tree: MerkleTree;
  /** The segments that hold the records, oldest first. */
  readonly segments: readonly StoredSegment[];
  /** Segments whose records are in a folded one, or are not needed any more: a deletion was interrupted. */
  readonly leftovers: readonly string[];
  /** Accepted workspaces and environments, whole, by digest. */
  readonly policies: ReadonlyMap<string, unknown>;
  /** True when there was no log: `end` is that of a new one. */
  readonly fresh: boolean;
  /** Records below this index are in a snapshot. */
  readonly folded: number;
  /** How many shards the newest snapshot has. */
  readonly shards: number;
}

/** What a keyring remembers that has no log yet. */
export function forgetful(log: string): Remembered {
  return {
    ...nothing(),
    ledger: new Ledger(),
    end: emptyLog(log),
    policies: new Map(),
    fresh: true,
    folded: 0,
    shards: 1,
  };
}

function nothing() {
  return { tree: new MerkleTree(), segments: [] as StoredSegment[], leftovers: [] as string[] };
}

/**
 * The log that counts among those that segments belong to: the newest that has more than its first record. Two replicas that
 * start at once where there is none both begin one; one of the two gives way, and its log stays as it is.
 */
export function logThatCounts(segments: readonly ZoppAuditSegment[]): string | undefined {
  const grown = segments.filter(({ spec }) => spec.first + spec.count > 1);
  const logs = (grown.length > 0 ? grown : segments).map(({ spec }) => spec.log);
  return logs.sort().at(-1);
}

/**
 * Folds a log of this key; gives it when all is read, and stops after each segment before: whoever must answer meanwhile does
 * so then. Throws LogBroken when anything of it is missing or changed.
 */
export function* replay(
  log: string,
  segments: readonly ZoppAuditSegment[],
  parts: readonly ZoppLedger[],
  key: VerifyKey,
): Generator<void, Remembered, void> {
  const ledger = new Ledger();
  const { places, policies, head, folded, shards } = restore(log, parts, key);
  for (const [name, { stored }] of places) ledger.restore(name, stored);
  if (head !== undefined) ledger.restorePolicies(head);
  const known = (record: AuditRecord) =>
    record.action === "open" && record.index < (places.get(record.object ?? "")?.through ?? 0);
  const found = yield* readSegments(log, head, segments, key, (line) => {
    const record = JSON.parse(line) as AuditRecord;
    if (!known(record)) ledger.apply(record);
  });
  const { end } = found;
  if (end.size < folded) throw new ZoppError("LogBroken", `log ${log} ends at ${end.size}, its snapshot at ${folded}`);
  return { ledger, ...found, policies, fresh: false, folded, shards };
}

/** A log as its segments and snapshots hold it, for whoever checks it. Throws LogBroken when anything is missing or changed. */
export function readBack(
  log: string,
  segments: readonly ZoppAuditSegment[],
  parts: readonly ZoppLedger[],
  key: VerifyKey,
): { readonly first: TreeStart; readonly lines: readonly string[] } {
  const head = parts.find(({ spec }) => spec.kind === "Head");
  const content = head === undefined ? undefined : (contentOf(head, key) as Head);
  const lines: string[] = [];
  atOnce(readSegments(log, content, segments, key, (line) => void lines.push(line)));
  return { first: treeStart(content), lines };
}

function atOnce<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Segments in the order of their records; a folded one counts before those that it stands for. A step is one segment. */
function* readSegments(
  log: string,
  head: Head | undefined,
  all: readonly ZoppAuditSegment[],
  key: VerifyKey,
  onLine: (line: string) => void,
): Generator<void, Pick<Remembered, "end" | "tree" | "segments" | "leftovers">, void> {
  const tree = new MerkleTree(treeStart(head));
  const [segments, leftovers]: [StoredSegment[], string[]] = [[], []];
  let end: LogEnd = { log, size: head?.size ?? 0, previous: head?.previous ?? NO_SEGMENT };
  for (const segment of [...all].sort(inOrder)) {
    const { name } = segment.metadata;
    const { first, count, through } = segment.spec;
    if (first + count <= end.size) {
      leftovers.push(name);
      continue;
    }
    const previous = checkSegment(segment, { log: end.log, first: end.size, previous: end.previous }, key);
    const lines = linesOf(segment);
    for (const line of lines) {
      tree.append(leafHash(line));
      onLine(line);
    }
    segments.push({ name, first, count, previous: end.previous, bytes: bytesOf(lines), folded: through !== undefined });
    end = { log: end.log, size: end.size + count, previous };
    yield;
  }
  return { end, tree, segments, leftovers };
}

function inOrder(one: ZoppAuditSegment, other: ZoppAuditSegment): number {
  const byPlace = one.spec.first - other.spec.first;
  return byPlace !== 0 ? byPlace : other.spec.count - one.spec.count;
}

/** Bytes of lines as segments count them. */
export function bytesOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
}

function treeStart(head: Pick<Head, "size" | "hashes"> | undefined): TreeStart {
  const hashes = head?.hashes.map((text) => decodeBase64(text) ?? new Uint8Array(0));
  return { size: head?.size ?? 0, hashes: hashes ?? [] };
}

/** Only what zopp wrote: the API server's own fields are not part of the object. */
export function strip({ apiVersion, kind, metadata, ...rest }: KubeObject): unknown {
  return { apiVersion, kind, metadata: { name: metadata.name, namespace: metadata.namespace }, ...rest };
}

interface KnownPart {
  readonly stored: StoredPlace;
  readonly through: number;
}

/** Parts by what they hold; of two shards that know a place, the one that was written later counts. */
function restore(log: string, parts: readonly ZoppLedger[], key: VerifyKey) {
  const places = new Map<string, KnownPart>();
  const policies = new Map<string, unknown>();
  const sets = new Map<number, number[]>();
  let [folded, head]: [number, Head | undefined] = [0, undefined];
  for (const part of parts) {
    const content = contentOf(part, key);
    const { kind, name, through } = part.spec;
    if (kind === "Policy") policies.set(name, content);
    else if (kind === "Head") head = content as Head;
    else {
      folded = Math.max(folded, through);
      const count = Number(name.split("of")[1] ?? 0);
      sets.set(count, [...(sets.get(count) ?? []), through]);
      for (const [place, stored] of Object.entries(content as Record<string, StoredPlace>)) {
        if ((places.get(place)?.through ?? -1) < through) places.set(place, { stored, through });
      }
    }
  }
  const needed = head?.size ?? 0;
  const isWhole = [...sets].some(([count, all]) => all.length === count && Math.min(...all) >= needed);
  if (needed > 0 && !isWhole)
    throw new ZoppError("LogBroken", `log ${log} begins at ${needed} and has no whole snapshot of what was before`);
  return { places, policies, head, folded, shards: Math.max(1, ...sets.keys()) };
}
