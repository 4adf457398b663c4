// Judges a log that was found: every record in its place, and the tree that each checkpoint signed.
// Pure; which checkpoints there are, and whose key counts, is the command's business.
import { readCheckpoint, type SignedCheckpoint } from "../../crds/audit/checkpoint.js";
import { MerkleTree } from "../../crds/audit/merkle.js";
import { parseRecord } from "../../crds/audit/records.js";
import { encodeHex } from "../../crds/crypto/encoding.js";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { type FoundLog, leafOf } from "./found.js";

/** A checkpoint from elsewhere, that the log must agree with. */
export interface Witness {
  /** Where it was kept, for people. */
  readonly where: string;
  readonly text: string;
  /** True where it may be newer than what was found: it then says nothing, else that the end was cut off. */
  readonly mayBeNewer?: boolean;
}

/** A log that holds. */
export interface VerifiedLog {
  readonly first: number;
  readonly size: number;
  /** Hex. */
  readonly root: string;
  /** The newest checkpoint that it agrees with. */
  readonly checkpoint: SignedCheckpoint | undefined;
  /** Checkpoints, by where they were kept, that it agrees with, and those of sizes before the first record. */
  readonly agrees: readonly string[];
  readonly older: readonly string[];
  /** The texts of those that are newer, and may be. */
  readonly newer: readonly string[];
  /** Records whose lines its reader may not see. */
  readonly hidden: number;
}

/** Throws LogChanged, which names the first record that is wrong, CheckpointInvalid or LogPruned. */
export function verifyLog(found: FoundLog, key: VerifyKey, witnesses: readonly Witness[]): VerifiedLog {
  const { start, records, log, title } = found;
  const tree = treeOf(found);
  const all: readonly Witness[] = [...found.checkpoints.map((text) => ({ where: title, text })), ...witnesses];
  const [agrees, older, wrong, longer]: [Judged[], Judged[], Judged[], Judged[]] = [[], [], [], []];
  const newer: string[] = [];
  for (const { where, text, mayBeNewer = false } of all) {
    const checkpoint = checkpointOf(text, where, log, key);
    const judged = { where, checkpoint };
    if (checkpoint.size > tree.size && mayBeNewer) newer.push(text);
    else if (checkpoint.size > tree.size) longer.push(judged);
    else if (checkpoint.size < start.size) older.push(judged);
    else (isSame(tree.root(checkpoint.size), checkpoint.root) ? agrees : wrong).push(judged);
  }
  const last = agrees.sort(bySize).at(-1)?.checkpoint;
  const [first] = wrong.sort(bySize);
  if (first !== undefined) throw different(first, start.size, agrees);
  const longest = longer.sort(bySize).at(-1);
  if (longest !== undefined) throw cut(longest, tree.size);
  return {
    first: start.size,
    size: tree.size,
    root: encodeHex(tree.root()),
    checkpoint: last,
    agrees: [...new Set(agrees.map(({ where }) => where))],
    older: [...new Set(older.map(({ where }) => where))],
    newer,
    hidden: records.filter((record) => !("line" in record)).length,
  };
}

interface Judged {
  readonly where: string;
  readonly checkpoint: SignedCheckpoint;
}

function treeOf({ start, records, title }: FoundLog): MerkleTree {
  if (start.size > 0 && start.hashes.length === 0)
    throw new ZoppError("LogPruned", `${title} begins with record ${start.size}: join what was exported before`);
  const tree = new MerkleTree(start);
  for (const record of records) {
    const at = tree.size;
    const leaf = leafOf(record);
    if ("line" in record) {
      const { index } = parseRecord(record.line);
      if (index !== at) throw new ZoppError("LogChanged", `record ${at}: in its place stands record ${index}`);
      if (record.stated !== undefined && !isSame(record.stated, leaf))
        throw new ZoppError("LogChanged", `record ${at} is not the one that was hashed`);
    }
    tree.append(leaf);
  }
  return tree;
}

function checkpointOf(text: string, where: string, log: string, key: VerifyKey): SignedCheckpoint {
  try {
    const checkpoint = readCheckpoint(text, key);
    if (checkpoint.log === log) return checkpoint;
    throw new ZoppError("CheckpointInvalid", `it is of log ${checkpoint.log}, and this is ${log}`);
  } catch (cause) {
    if (!(cause instanceof ZoppError)) throw cause;
    throw new ZoppError(cause.code, `${where}: ${cause.message}`, { cause });
  }
}

function cut({ where, checkpoint: { size } }: Judged, has: number): ZoppError {
  const gone = size - has === 1 ? `record ${has} is gone` : `records ${has} to ${size - 1} are gone`;
  return new ZoppError(
    "LogChanged",
    `the log has ${has} records, and had ${size} by the checkpoint of ${where}: ${gone}`,
  );
}

/** The change lies after the largest size that agrees. */
function different({ where, checkpoint: { size } }: Judged, first: number, agrees: readonly Judged[]): ZoppError {
  const before = agrees.map(({ checkpoint }) => checkpoint.size).filter((each) => each < size);
  const from = Math.max(first, ...before);
  const which = size - from === 1 ? `record ${from} is` : `one or more of the records ${from} to ${size - 1} are`;
  return new ZoppError("LogChanged", `${which} not what was signed in the checkpoint of ${where}`);
}

function bySize(one: Judged, other: Judged): number {
  return one.checkpoint.size - other.checkpoint.size;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return encodeHex(one) === encodeHex(other);
}
