// What comes of each kind of value, and that nothing of it is likelier than anything else.
import { createPrivateKey, createPublicKey } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import type { GenerateRule } from "../../crds/types.gen.js";
import { makeValue, password } from "./generate.values.js";

t.test("each kind gives what it says", async (t) => {
  const text = async (rule: Omit<GenerateRule, "version">) =>
    Buffer.from(await makeValue({ version: 1, ...rule })).toString();
  t.match(await text({ kind: "uuid" }), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal((await makeValue({ version: 1, kind: "bytes", length: 64 })).length, 64);
  t.equal(createPrivateKey(await text({ kind: "ed25519" })).asymmetricKeyType, "ed25519");
  const curve = createPrivateKey(await text({ kind: "ecdsa", curve: "P-384" })).asymmetricKeyDetails?.namedCurve;
  t.equal(curve, "secp384r1");
  const rsa = createPublicKey(await text({ kind: "rsa", bits: 2048 }));
  t.equal(rsa.asymmetricKeyDetails?.modulusLength, 2048);
});

const CHARACTERS = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at));

t.test("a password holds only characters of its alphabet, and each of them as often as any other", async (t) => {
  const alphabets = fc.uniqueArray(fc.constantFrom(...CHARACTERS), { minLength: 2, maxLength: 95 });
  const onlyItsOwn = fc.property(alphabets, fc.integer({ min: 8, max: 1024 }), (characters, length) => {
    const made = password(characters.join(""), length);
    return made.length === length && [...made].every((character) => characters.includes(character));
  });
  const unbiased = fc.property(alphabets, (characters) => {
    const each = 400;
    const made = password(characters.join(""), characters.length * each);
    const counts = characters.map((character) => made.split(character).length - 1);
    const chiSquared = counts.reduce((sum, count) => sum + (count - each) ** 2 / each, 0);
    const degrees = characters.length - 1;
    // far beyond chance, and far below what a remainder of a random byte gives
    return chiSquared < degrees + 7 * Math.sqrt(2 * degrees) + 15;
  });
  t.doesNotThrow(() => fc.assert(onlyItsOwn));
  t.doesNotThrow(() => fc.assert(unbiased, { numRuns: 30 }));
});
