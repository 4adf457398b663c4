// The log's tree, proofs, checkpoints and tiles, and what Go's tlog and note, which are not ours, make of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { writeTiles } from "../../cli/audit/tiles.js";
import { noteKey, signCheckpoint } from "../../crds/audit/checkpoint.js";
import { leafHash, MerkleTree } from "../../crds/audit/merkle.js";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import { identityOf } from "../fixtures.js";
import { startOracle, whyNoOracle } from "./oracle.js";

const KEY = identityOf("cluster eu-1").signing;
const LOG = "20261123101112-aa";
const SIZES = [1, 2, 3, 7, 8, 9, 64, 65, 255, 256, 257, 600];
const LINES = Array.from({ length: 600 }, (_, index) =>
  JSON.stringify({ index, actor: `who ${index % 7}`, keys: ["é"] }),
);

const tree = new MerkleTree();
for (const line of LINES) tree.append(leafHash(line));
/** The tree without its first records, as a keyring has it after it dropped them. */
const later = new MerkleTree(tree.startAt(200));
for (const line of LINES.slice(200)) later.append(leafHash(line));

const reason = whyNoOracle();
t.test("golang.org/x/mod/sumdb agrees", { skip: reason ?? false }, async (t) => {
  const oracle = startOracle();
  t.teardown(() => oracle.close());

  await t.test("checkpoints open under the key that we name, and under no other", async (t) => {
    const note = signCheckpoint({ log: LOG, size: 600, root: tree.root() }, KEY);
    const vkey = noteKey(LOG, KEY.verifyKey);
    const said = await oracle.ask({ operation: "checkpoint", note, vkey });
    t.same(said, { origin: `zopp.dev/log/${LOG}`, size: 600, root: encodeBase64(tree.root()) });
    const other = noteKey(LOG, identityOf("cluster eu-2").signing.verifyKey);
    t.match(await oracle.ask({ operation: "checkpoint", note, vkey: other }), { error: /./ });
    t.match(await oracle.ask({ operation: "checkpoint", note: note.replace("600", "601"), vkey }), { error: /./ });
  });

  await t.test("roots, and proofs of inclusion, also of a tree that forgot its first records", async (t) => {
    for (const size of SIZES) {
      for (const index of new Set([0, 1, size >> 1, size - 1].filter((at) => at < size))) {
        for (const from of [tree, ...(index >= 200 ? [later] : [])]) {
          const proof = from.inclusionProof(index, size).map(encodeBase64);
          const said = await oracle.ask({ operation: "tree", lines: LINES, size, index, proof });
          t.same(said, { root: encodeBase64(tree.root(size)), holds: true }, `${index} of ${size}`);
          if (proof.length === 0) continue;
          const broken = [encodeBase64(leafHash("x")), ...proof.slice(1)];
          t.match(await oracle.ask({ operation: "tree", lines: LINES, size, index, proof: broken }), { holds: false });
        }
      }
    }
  });

  await t.test("proofs that the log only grew", async (t) => {
    for (const size of SIZES) {
      for (const from of SIZES.filter((each) => each <= size)) {
        for (const of of [tree, ...(from >= 200 ? [later] : [])]) {
          const proof = of.consistencyProof(from, size).map(encodeBase64);
          const said = await oracle.ask({ operation: "tree", lines: LINES, size, index: -1, from, proof });
          t.match(said, { holds: true }, `${from} to ${size}`);
        }
      }
    }
  });

  await t.test("exported tiles are those of the lines", async (t) => {
    const folder = t.testdir();
    writeTiles(folder, LINES, "");
    for (const tile of ["tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"]) {
      const data = encodeBase64(readFileSync(join(folder, tile)));
      t.same(await oracle.ask({ operation: "tile", lines: LINES, tile, data }), { holds: true }, tile);
    }
  });
});
