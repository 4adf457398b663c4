// Seeds in files: made once, never overwritten, readable by their owner only, and never half there.
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import { keygen, readSeed } from "./keys.js";

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error: unknown) => (error instanceof ZoppError ? error.code : String(error)),
  );
}

t.test("keygen writes a seed for its owner and a public line that matches what the seed gives", async (t) => {
  const folder = t.testdir();
  const [seed, pub] = [join(folder, "seed"), join(folder, "keyring.pub")];
  const made = await keygen(seed, pub);
  t.equal((await stat(seed)).mode & 0o777, 0o600);
  t.match(await readFile(pub, "utf8"), /^ed25519:[A-Za-z0-9+/]{43}=\n$/);
  t.match(await readFile(seed, "utf8"), /^[A-Za-z0-9+/]{43}=\n$/);
  const read = await readSeed([seed]);
  t.equal(`${read.signing.verifyKey.text}\n`, await readFile(pub, "utf8"));
  t.equal(read.encryption.publicKey.text, made.encryption.publicKey.text);
});

t.test("a second keygen changes neither file, whichever of them is there", async (t) => {
  const folder = t.testdir({ seed: "kept", "other.pub": "kept too" });
  const at = (name: string) => join(folder, name);
  t.equal(await codeOf(keygen(at("seed"), at("keyring.pub"))), "SeedExists");
  t.equal(await readFile(at("seed"), "utf8"), "kept");
  await t.rejects(stat(at("keyring.pub")), { code: "ENOENT" });
  t.equal(await codeOf(keygen(at("new-seed"), at("other.pub"))), "SeedExists");
  t.equal(await readFile(at("other.pub"), "utf8"), "kept too");
  await t.rejects(stat(at("new-seed")), { code: "ENOENT" }, "no seed stays whose public half nobody has");
});

t.test("keygen into a folder that is not there leaves nothing and says so", async (t) => {
  t.equal(await codeOf(keygen(join(t.testdir(), "none", "seed"), "x")), "FileUnwritable");
});

const CONTENTS: Record<string, string> = {
  nothing: "",
  text: "hello",
  "31 bytes": `${Buffer.alloc(31).toString("base64")}\n`,
  "33 bytes": `${Buffer.alloc(33).toString("base64")}\n`,
  "base64 without padding": Buffer.alloc(32).toString("base64").replace("=", ""),
  "two seeds": `${Buffer.alloc(32).toString("base64")}\n${Buffer.alloc(32).toString("base64")}\n`,
};

for (const [what, text] of Object.entries(CONTENTS)) {
  t.test(`a seed file with ${what} is refused without a word of it`, async (t) => {
    const file = join(t.testdir(), "seed");
    await writeFile(file, text);
    const error = await readSeed([file])
      .then(() => null)
      .catch((caught: unknown) => caught as ZoppError);
    t.equal(error?.code, "Malformed");
    if (text.trim() !== "") t.notOk(error?.message.includes(text.trim()));
  });
}

t.test("a seed in shares is that of their exclusive or, in any order; one share alone is another seed", async (t) => {
  const [one, other] = [newSeed(), newSeed()];
  const whole = identityFromSeed(one.map((byte, at) => byte ^ (other[at] ?? 0)));
  const folder = t.testdir({ one: encodeBase64(one), other: encodeBase64(other) });
  const files = [join(folder, "one"), join(folder, "other")];
  for (const order of [files, files.toReversed()]) {
    t.equal((await readSeed(order)).signing.verifyKey.text, whole.signing.verifyKey.text);
  }
  t.not((await readSeed(files.slice(1))).signing.verifyKey.text, whole.signing.verifyKey.text);
  t.equal(await codeOf(readSeed([...files, join(folder, "none")])), "SeedMissing");
  t.equal(
    await codeOf(readSeed([...files, ...files])),
    "Malformed",
    "the same share twice would be a seed that everybody knows",
  );
  t.equal(await codeOf(readSeed([])), "Malformed");
});

t.test("no seed, or one that may not be read, is SeedMissing", async (t) => {
  t.equal(await codeOf(readSeed([join(t.testdir(), "none")])), "SeedMissing");
  const file = join(t.testdir(), "seed");
  await writeFile(file, "x");
  await chmod(file, 0o000);
  // root reads everything
  t.match(await codeOf(readSeed([file])), process.getuid?.() === 0 ? "Malformed" : "SeedMissing");
});
