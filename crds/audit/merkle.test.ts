// The log's tree: hashes at every size, proofs that hold and proofs that do not, and a tree that goes on without its start.
import t from "tap";
import { encodeHex } from "../crypto/encoding.js";
import { sha256, utf8 } from "../crypto/primitives.js";
import { leafHash, MerkleTree, verifyConsistency, verifyInclusion } from "./merkle.js";

const SIZES = 40;

/** RFC 6962, 2.1, word for word. */
function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return sha256(utf8(""));
  if (leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

function treeOf(count: number, changed?: number): MerkleTree {
  const tree = new MerkleTree();
  for (let at = 0; at < count; at += 1) tree.append(leafHash(at === changed ? "another line" : `line ${at}`));
  return tree;
}

const leaves = Array.from({ length: SIZES }, (_, at) => leafHash(`line ${at}`));
const hex = (bytes: Uint8Array | undefined) => encodeHex(bytes ?? new Uint8Array(0));

t.test("a leaf and the empty log hash as RFC 6962 says", async (t) => {
  t.equal(hex(leafHash("")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  t.equal(hex(new MerkleTree().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

t.test("the root at every size is the tree hash of the lines", async (t) => {
  const tree = treeOf(SIZES);
  for (let size = 0; size <= SIZES; size += 1) t.equal(hex(tree.root(size)), hex(treeHash(leaves.slice(0, size))));
});

t.test("each record proves that it is in the log at every size, at its own index and at no other", async (t) => {
  const tree = treeOf(SIZES);
  for (let size = 1; size <= SIZES; size += 1) {
    const root = tree.root(size);
    for (let index = 0; index < size; index += 1) {
      const leaf = leaves[index] as Uint8Array;
      const proof = tree.inclusionProof(index, size);
      t.ok(verifyInclusion({ index, size, leaf, root }, proof)) || t.fail(`${index} of ${size}`);
      t.notOk(verifyInclusion({ index, size, leaf: leafHash("another line"), root }, proof));
      t.notOk(verifyInclusion({ index: (index + 1) % size, size, leaf, root }, proof) && size > 1);
      t.notOk(verifyInclusion({ index, size, leaf, root }, [...proof, leaf]), "a longer proof is none");
      if (proof.length > 0) t.notOk(verifyInclusion({ index, size, leaf, root }, proof.slice(1)));
    }
  }
});

t.test("a log proves that it grew from every size that it had, and not from one with a changed record", async (t) => {
  const tree = treeOf(SIZES);
  for (let size = 0; size <= SIZES; size += 1) {
    for (let from = 0; from <= size; from += 1) {
      const claim = { from, fromRoot: tree.root(from), size, root: tree.root(size) };
      const proof = tree.consistencyProof(from, size);
      t.ok(verifyConsistency(claim, proof)) || t.fail(`${from} to ${size}`);
      if (from === 0) continue;
      const fromRoot = treeOf(from, from - 1).root();
      t.notOk(verifyConsistency({ ...claim, fromRoot }, proof), "the last record was another");
      t.notOk(verifyConsistency({ ...claim, root: treeOf(size, 0).root() }, proof), "the first record is another");
      if (from < size) t.notOk(verifyConsistency({ ...claim, from: size, size: from }, proof), "a log that shrank");
    }
  }
});

t.test("a tree that starts at any size hashes and proves like one that knows all lines", async (t) => {
  const whole = treeOf(SIZES);
  for (let start = 0; start <= SIZES; start += 1) {
    const tree = new MerkleTree(whole.startAt(start));
    for (const leaf of leaves.slice(start)) tree.append(leaf);
    const size = SIZES;
    t.equal(hex(tree.root()), hex(whole.root()));
    for (let index = start; index < size; index += 1)
      t.strictSame(tree.inclusionProof(index, size).map(hex), whole.inclusionProof(index, size).map(hex));
    for (let from = start; from <= size; from += 1)
      t.strictSame(tree.consistencyProof(from, size).map(hex), whole.consistencyProof(from, size).map(hex));
    if (start > 1) t.throws(() => tree.inclusionProof(0, size), RangeError) || t.comment(start);
  }
});

t.test("what is forgotten is gone, and the rest stands as it stood", async (t) => {
  for (let start = 1; start <= SIZES; start += 1) {
    const [whole, tree] = [treeOf(SIZES), treeOf(SIZES)];
    tree.forget(start);
    for (let more = 0; more < 100; more += 1) for (const each of [whole, tree]) each.append(leafHash(`more ${more}`));
    t.equal(hex(tree.root()), hex(whole.root()));
    t.equal(tree.leaf(start - 2), undefined);
    t.strictSame(tree.startAt(SIZES).hashes.map(hex), whole.startAt(SIZES).hashes.map(hex));
    if (start < SIZES)
      t.strictSame(tree.inclusionProof(start, 140).map(hex), whole.inclusionProof(start, 140).map(hex));
  }
});

t.test("a start with too few or too many hashes is none", async (t) => {
  const { hashes } = treeOf(5).startAt(5);
  t.throws(() => new MerkleTree({ size: 5, hashes: hashes.slice(1) }), TypeError);
  t.throws(() => new MerkleTree({ size: 4, hashes }), TypeError);
});
