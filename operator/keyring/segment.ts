// Segments: the log's lines in signed, hash-linked pieces as they are stored. Pure but for compression.
// Writing them in order is log.ts; reading them back at start is replay.ts.
import { gunzipSync, gzipSync } from "node:zlib";
import { leafHash, MerkleTree } from "../../crds/audit/merkle.js";
import { decodeBase64, encodeBase64, encodeHex } from "../../crds/crypto/encoding.js";
import type { SigningKey } from "../../crds/crypto/identity.js";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { segmentStatement, signStatement, verifyStatement } from "../../crds/statement.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";

/** The most bytes of lines in one segment, before compression; it never grows beyond that. */
export const MAX_SEGMENT_BYTES = 256 * 1024;
/** `previous` of a log's first segment. */
export const NO_SEGMENT = "0".repeat(64);

const INDEX_DIGITS = 12;
const FOLDED = "-folded";

/** Where a segment belongs: the log, the index of its first line, and the hash of the segment before. */
export interface SegmentPlace {
  readonly log: string;
  readonly first: number;
  readonly previous: string;
}

/** `<log id>-<index of the first record, 12 digits>`, and `-folded` for one that stands for several smaller ones. */
export function segmentName(log: string, first: number, isFolded = false): string {
  return `${log}-${String(first).padStart(INDEX_DIGITS, "0")}${isFolded ? FOLDED : ""}`;
}

/** RFC 6962 tree hash of the lines. */
export function treeHash(lines: readonly string[]): Uint8Array {
  const tree = new MerkleTree();
  for (const line of lines) tree.append(leafHash(line));
  return tree.root();
}

/**
 * Makes a segment of lines; `hash` is its statement's, the next segment's `previous`. With `through` it stands for several
 * segments, of which that is the last one's hash: those before and after link as they did.
 */
export function makeSegment(
  namespace: string,
  place: SegmentPlace,
  lines: readonly string[],
  key: SigningKey,
  through?: string,
): { readonly segment: ZoppAuditSegment; readonly hash: string } {
  const folded = through === undefined ? {} : { through };
  const facts = { ...place, count: lines.length, hash: encodeHex(treeHash(lines)), ...folded };
  const statement = segmentStatement(facts);
  const records = encodeBase64(gzipSync(lines.map((line) => `${line}\n`).join(""), { level: 1 }));
  const segment: ZoppAuditSegment = {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppAuditSegment",
    metadata: { name: segmentName(place.log, place.first, through !== undefined), namespace },
    spec: { ...facts, records, signature: signStatement(key, statement) },
  };
  return { segment, hash: statement.hash };
}

/** Checks name, signature and link of a segment; gives what the next one links to. Throws LogBroken. */
export function checkSegment(segment: ZoppAuditSegment, expected: SegmentPlace, key: VerifyKey): string {
  const { spec, metadata } = segment;
  const { log, first, previous, count, hash, through, signature } = spec;
  const statement = segmentStatement({ log, first, count, previous, hash, through });
  if (metadata.name !== segmentName(log, first, through !== undefined))
    throw broken(metadata.name, "has another name than its first record");
  if (!verifyStatement(key, statement, signature)) throw broken(metadata.name, "is not signed by this keyring's key");
  if (log !== expected.log || first !== expected.first) {
    throw broken(segmentName(expected.log, expected.first), "is missing");
  }
  if (previous !== expected.previous) throw broken(metadata.name, "does not link to the segment before it");
  return through ?? statement.hash;
}

/** The lines of a segment whose signature was checked. Throws LogBroken when they are not those that were signed. */
export function linesOf({ metadata, spec }: ZoppAuditSegment): readonly string[] {
  const compressed = decodeBase64(spec.records);
  if (compressed === null) throw broken(metadata.name, "has records that are not base64");
  const lines = unzipped(metadata.name, compressed).split("\n").slice(0, -1);
  if (lines.length !== spec.count || encodeHex(treeHash(lines)) !== spec.hash) {
    throw broken(metadata.name, "holds other records than it was signed for");
  }
  return lines;
}

function unzipped(name: string, compressed: Uint8Array): string {
  try {
    return gunzipSync(compressed, { maxOutputLength: MAX_SEGMENT_BYTES * 2 }).toString("utf8");
  } catch (cause) {
    throw new ZoppError("LogBroken", `audit segment ${name} does not unpack`, { cause });
  }
}

function broken(name: string, why: string): ZoppError {
  return new ZoppError("LogBroken", `audit segment ${name} ${why}`);
}
