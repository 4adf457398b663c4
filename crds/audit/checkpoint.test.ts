// Checkpoints: what their text is, and every text that is none.
import t from "tap";
import { identityOf } from "../../hack/fixtures.js";
import { encodeBase64 } from "../crypto/encoding.js";
import { ZoppError } from "../errors.js";
import { noteKey, readCheckpoint, signCheckpoint } from "./checkpoint.js";
import { leafHash } from "./merkle.js";

const KEY = identityOf("cluster eu-1").signing;
const SAID = { log: "20261123101112-0011", size: 7, root: leafHash("a") };
const TEXT = signCheckpoint(SAID, KEY);

t.test("a checkpoint reads back as what was signed, and names its log as its origin", async (t) => {
  t.same(readCheckpoint(TEXT, KEY.verifyKey), { ...SAID, text: TEXT });
  t.same(TEXT.split("\n").slice(0, 4), ["zopp.dev/log/20261123101112-0011", "7", encodeBase64(SAID.root), ""]);
  t.match(noteKey(SAID.log, KEY.verifyKey), /^zopp\.dev\/log\/20261123101112-0011\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}$/);
});

t.test("signatures of witnesses beside the keyring's are let be", async (t) => {
  const witness = `\u2014 witness.example ${encodeBase64(new Uint8Array(72))}\n`;
  t.same(readCheckpoint(TEXT + witness, KEY.verifyKey).size, 7);
});

const BAD: Record<string, string> = {
  "a larger size": TEXT.replace("\n7\n", "\n8\n"),
  "another root": TEXT.replace(encodeBase64(SAID.root), encodeBase64(leafHash("b"))),
  "another log": TEXT.replaceAll("0011", "0012"),
  "a size with a leading zero": TEXT.replace("\n7\n", "\n07\n"),
  "a line more": TEXT.replace("\n\n", "\nmore\n\n"),
  "no signature": `${TEXT.split("\n\n")[0]}\n\n`,
  "another key's signature": signCheckpoint(SAID, identityOf("cluster eu-2").signing),
  "nothing at all": "",
};
for (const [what, text] of Object.entries(BAD)) {
  t.test(`refused: ${what}`, async (t) => {
    try {
      readCheckpoint(text, KEY.verifyKey);
      t.fail("it was read");
    } catch (error) {
      t.equal(error instanceof ZoppError && error.code, "CheckpointInvalid");
    }
  });
}
