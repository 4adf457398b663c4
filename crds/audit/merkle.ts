// The Merkle tree of a log (RFC 6962, SHA-256): appended to, hashed at any size, and asked for proofs.
// What a leaf is made of, and who signs a root, is not its business: lines are records, roots stand in checkpoints.
import { equalBytes, sha256, utf8 } from "../crypto/primitives.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const HASH_BYTES = 32;
const FIRST_NODES = 64;

/** The hash of one line of a log: H(0x00 ‖ line), without the line's end. */
export function leafHash(line: string): Uint8Array {
  return sha256(LEAF, utf8(line));
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(NODE, left, right);
}

/** Hashes of complete subtrees of one size, side by side; those before `first` are not kept. */
class Level {
  first: number;
  #count = 0;
  #bytes = new Uint8Array(FIRST_NODES * HASH_BYTES);

  constructor(first: number) {
    this.first = first;
  }

  get end(): number {
    return this.first + this.#count;
  }

  get(index: number): Uint8Array | undefined {
    if (index < this.first || index >= this.end) return undefined;
    const at = (index - this.first) * HASH_BYTES;
    return this.#bytes.slice(at, at + HASH_BYTES);
  }

  push(hash: Uint8Array): void {
    const at = this.#count * HASH_BYTES;
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(2 * at);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(hash, at);
    this.#count += 1;
  }

  forget(before: number): void {
    const gone = Math.min(before, this.end) - this.first;
    if (gone <= 0) return;
    const kept = this.#bytes.slice(gone * HASH_BYTES, this.#count * HASH_BYTES);
    this.first += gone;
    this.#count -= gone;
    this.#bytes = new Uint8Array(Math.max(FIRST_NODES, this.#count) * HASH_BYTES);
    this.#bytes.set(kept);
  }
}

/** What stands for the records before an index, so that a tree goes on without them: its complete subtrees, largest first. */
export interface TreeStart {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

/** A log's tree. It knows the leaves from `start` on; of those before, only what later hashes need. */
export class MerkleTree {
  readonly #levels: Level[] = [];
  #size: number;
  #start: number;

  /** Throws TypeError when the hashes are not as many as the size has. */
  constructor({ size, hashes }: TreeStart = { size: 0, hashes: [] }) {
    this.#size = size;
    this.#start = size;
    const left = [...hashes];
    for (let level = 0; 2 ** level <= size; level += 1) {
      const made = this.#level(level, size);
      const hash = isSet(size, level) ? left.pop() : undefined;
      if (hash !== undefined) made.push(hash);
      else if (isSet(size, level)) throw new TypeError("a tree starts with as many hashes as its size has");
    }
    if (left.length > 0) throw new TypeError("a tree starts with as many hashes as its size has");
  }

  /** How many leaves there are, with those that are not kept. */
  get size(): number {
    return this.#size;
  }

  /** The first leaf that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Appends a leaf by its hash. */
  append(hash: Uint8Array): void {
    let node = hash;
    for (let level = 0; ; level += 1) {
      const nodes = this.#level(level, this.#size);
      nodes.push(node);
      const left = isSet(nodes.end - 1, 0) ? nodes.get(nodes.end - 2) : undefined;
      if (left === undefined) break;
      node = nodeHash(left, node);
    }
    this.#size += 1;
  }

  /** The hash of leaf `index`; undefined when it is not kept. */
  leaf(index: number): Uint8Array | undefined {
    return this.node(0, index);
  }

  /** The hash of the complete subtree over 2^level leaves; undefined when it is not kept or not complete. */
  node(level: number, index: number): Uint8Array | undefined {
    return this.#levels[level]?.get(index);
  }

  /** The root at a size, of all leaves by default. Throws RangeError below what is kept. */
  root(size = this.#size): Uint8Array {
    return size === 0 ? sha256(new Uint8Array(0)) : this.#hash(0, size);
  }

  /** What stands for the leaves before `size`. Throws RangeError below what is kept. */
  startAt(size: number): TreeStart {
    const hashes: Uint8Array[] = [];
    let at = 0;
    for (let level = Math.floor(Math.log2(Math.max(size, 1))); level >= 0; level -= 1) {
      if (!isSet(size, level)) continue;
      hashes.push(this.#hash(at, at + 2 ** level));
      at += 2 ** level;
    }
    return { size, hashes };
  }

  /** Keeps no more of the leaves before `size` than later hashes need. */
  forget(size: number): void {
    for (const [level, nodes] of this.#levels.entries()) nodes.forget(firstKept(size, level));
    this.#start = Math.max(this.#start, size);
  }

  /** The hashes that lead from a leaf to the root at `size`. Throws RangeError outside of what is kept. */
  inclusionProof(index: number, size: number): readonly Uint8Array[] {
    if (index < 0 || index >= size || size > this.#size) throw new RangeError("there is no such record at that size");
    return this.#path(index, 0, size);
  }

  /** The hashes that lead from the root at size `from` to that at `size`. Throws RangeError outside of what is kept. */
  consistencyProof(from: number, size: number): readonly Uint8Array[] {
    if (from < 0 || from > size || size > this.#size) throw new RangeError("the log has no such sizes");
    return from === 0 || from === size ? [] : this.#growth(from, 0, size, true);
  }

  #path(index: number, from: number, to: number): Uint8Array[] {
    if (to - from === 1) return [];
    const middle = from + splitOf(to - from);
    return index < middle
      ? [...this.#path(index, from, middle), this.#hash(middle, to)]
      : [...this.#path(index, middle, to), this.#hash(from, middle)];
  }

  #growth(old: number, from: number, to: number, isWhole: boolean): Uint8Array[] {
    if (old === to) return isWhole ? [] : [this.#hash(from, to)];
    const middle = from + splitOf(to - from);
    return old <= middle
      ? [...this.#growth(old, from, middle, isWhole), this.#hash(middle, to)]
      : [...this.#growth(old, middle, to, false), this.#hash(from, middle)];
  }

  /** The hash of the leaves from `from` to `to`, where `from` is where such a subtree begins. */
  #hash(from: number, to: number): Uint8Array {
    const level = Math.log2(to - from);
    const known = Number.isInteger(level) ? this.node(level, from / 2 ** level) : undefined;
    if (known !== undefined) return known;
    if (to - from === 1) throw new RangeError(`record ${from} is not kept`);
    const middle = from + splitOf(to - from);
    return nodeHash(this.#hash(from, middle), this.#hash(middle, to));
  }

  #level(level: number, size: number): Level {
    const found = this.#levels[level] ?? new Level(firstKept(size, level));
    this.#levels[level] = found;
    return found;
  }
}

/** Whether the bit is set: sizes are larger than what bitwise operators take. */
function isSet(value: number, bit: number): boolean {
  return Math.floor(value / 2 ** bit) % 2 === 1;
}

/** The first complete subtree that a tree without the leaves before `size` needs. */
function firstKept(size: number, level: number): number {
  const first = Math.floor(size / 2 ** level);
  return isSet(size, level) ? first - 1 : first;
}

/** The largest power of two below a count. */
function splitOf(count: number): number {
  return 2 ** Math.ceil(Math.log2(count) - 1);
}

/** A claim about one record of a log at some size. */
export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
}

/** Whether the record is in the log with that root (RFC 9162, 2.1.3.2). */
export function verifyInclusion({ index, size, leaf, root }: Inclusion, proof: readonly Uint8Array[]): boolean {
  if (index < 0 || index >= size) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const step of proof) {
    if (last === 0) return false;
    const isRight = at % 2 === 1 || at === last;
    if (isRight) {
      hash = nodeHash(step, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)];
    } else hash = nodeHash(hash, step);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && equalBytes(hash, root);
}

/** A claim that one log grew into another without a change. */
export interface Consistency {
  readonly from: number;
  readonly fromRoot: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
}

/** Whether the larger log begins with the smaller one (RFC 9162, 2.1.4.2). */
export function verifyConsistency(claim: Consistency, proof: readonly Uint8Array[]): boolean {
  const { from, fromRoot, size, root } = claim;
  if (from === size) return proof.length === 0 && equalBytes(fromRoot, root);
  if (from === 0) return proof.length === 0;
  if (from < 0 || from > size) return false;
  const steps = Number.isInteger(Math.log2(from)) ? [fromRoot, ...proof] : [...proof];
  let [at, last] = [from - 1, size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  const [first, ...rest] = steps;
  if (first === undefined) return false;
  let [old, grown] = [first, first];
  for (const step of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      [old, grown] = [nodeHash(step, old), nodeHash(step, grown)];
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)];
    } else grown = nodeHash(grown, step);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && equalBytes(old, fromRoot) && equalBytes(grown, root);
}

const half = (value: number) => Math.floor(value / 2);
