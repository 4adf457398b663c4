// Identities and tokens: one seed gives one set of keys, and a token is whole or refused.

import { createPrivateKey, hkdfSync } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import { ZoppError } from "../errors.js";
import { crc32, encodeBase62, encodeHex } from "./encoding.js";
import { decryptionKeyFromRaw, identityFromSeed, newEnvironmentKey, newSeed, newSigningKey } from "./identity.js";
import { parseEncryptionKey, parseVerifyKey, verify } from "./keys.js";
import { utf8 } from "./primitives.js";
import { formatToken, parseToken } from "./token.js";

const SEED = new Uint8Array(32).fill(7);
const REFUSAL = "the token is not whole: length, characters or checksum do not fit";
const DIGEST = "ab".repeat(32);

t.test("one seed gives one set of keys; another seed, another set", async (t) => {
  const [one, again, other] = [identityFromSeed(SEED), identityFromSeed(SEED), identityFromSeed(newSeed())];
  t.equal(one.signing.verifyKey.text, again.signing.verifyKey.text);
  t.equal(one.encryption.publicKey.text, again.encryption.publicKey.text);
  t.not(one.signing.verifyKey.text, other.signing.verifyKey.text);
  t.equal(one.encryption.publicKey.kem, "xwing");
  t.throws(() => identityFromSeed(new Uint8Array(31)), TypeError);
});

t.test("the serialized private keys are HKDF's output, as docs/format.md says", async (t) => {
  const derive = (info: string): Uint8Array => new Uint8Array(hkdfSync("sha256", SEED, "", info, 32));
  const { signing, encryption } = identityFromSeed(SEED);
  const pkcs8 = createPrivateKey({ key: Buffer.from(signing.toPkcs8()), format: "der", type: "pkcs8" });
  t.strictSame(
    Buffer.from(pkcs8.export({ format: "jwk" }).d ?? "", "base64url"),
    Buffer.from(derive("zopp/v1/signing")),
  );
  t.equal(decryptionKeyFromRaw("xwing", derive("zopp/v1/encryption")).publicKey.text, encryption.publicKey.text);
});

t.test("deriving leaves the caller's seed alone", async (t) => {
  const seed = newSeed();
  const before = encodeHex(seed);
  identityFromSeed(seed);
  t.equal(encodeHex(seed), before);
});

t.test("public keys of ours are keys that we read", async (t) => {
  const { signing, encryption } = identityFromSeed(newSeed());
  t.not(parseVerifyKey(signing.verifyKey.text), null);
  t.equal(parseEncryptionKey(encryption.publicKey.text)?.kid, encryption.publicKey.kid);
  for (const kem of ["xwing", "x25519"] as const) {
    const { privateKey, public: publicKey } = newEnvironmentKey(kem);
    t.equal(parseEncryptionKey(publicKey.text)?.kem, kem);
    t.equal(decryptionKeyFromRaw(kem, privateKey).publicKey.text, publicKey.text);
    t.throws(() => decryptionKeyFromRaw(kem, privateKey.subarray(1)), TypeError);
  }
});

t.test("a signing key of its own signs for itself", async (t) => {
  const [one, other] = [newSigningKey(), newSigningKey()];
  const signature = one.sign(utf8("message"));
  t.ok(verify(one.verifyKey, utf8("message"), signature));
  t.notOk(verify(other.verifyKey, utf8("message"), signature));
});

t.test("a token reads back: 76 characters, the seed, and half of the owners' digest", async () => {
  const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const digests = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 64, maxLength: 64 });
  fc.assert(
    fc.property(seeds, digests, (seed, digest) => {
      const token = formatToken(seed, digest);
      const read = parseToken(token);
      const back = encodeHex(read.seed) === encodeHex(seed) && read.ownersPrefix === digest.slice(0, 32);
      return back && /^zopp_[0-9A-Za-z]{71}$/.test(token);
    }),
  );
});

/** True when the text is refused by one message, which repeats nothing of it. */
function refused(text: string): boolean {
  try {
    parseToken(text);
    return false;
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return error.code === "TokenInvalid" && error.message === REFUSAL;
  }
}

t.test("every single changed character is refused", async (t) => {
  const token = formatToken(SEED, DIGEST);
  const symbols = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_- "];
  let tried = 0;
  for (let at = 0; at < token.length; at += 1) {
    for (const symbol of symbols.filter((other) => other !== token[at])) {
      tried += 1;
      const other = token.slice(0, at) + symbol + token.slice(at + 1);
      if (!refused(other)) t.fail(`character ${at} may be ${symbol}`);
    }
  }
  t.equal(tried, 76 * 64);
});

t.test("two characters swapped, cut, doubled or wrapped in spaces: refused", async (t) => {
  const token = formatToken(newSeed(), DIGEST);
  for (let at = 0; at + 1 < token.length; at += 1) {
    const swapped = token.slice(0, at) + (token[at + 1] ?? "") + (token[at] ?? "") + token.slice(at + 2);
    if (swapped !== token && !refused(swapped)) t.fail(`characters ${at} and ${at + 1} may be swapped`);
  }
  for (const text of [
    "",
    "zopp_",
    token.slice(1),
    token.slice(0, -1),
    `${token}0`,
    ` ${token}`,
    `${token}\n`,
    token + token,
  ]) {
    t.ok(refused(text));
  }
});

t.test("a number above 48 bytes is refused although its checksum fits", async (t) => {
  const withChecksum = (digits: string): string => {
    const crc = new DataView(new ArrayBuffer(4));
    crc.setUint32(0, crc32(utf8(`zopp_${digits}`)));
    return `zopp_${digits}${encodeBase62(new Uint8Array(crc.buffer), 6)}`;
  };
  const token = formatToken(SEED, DIGEST);
  t.equal(withChecksum(token.slice(5, 70)), token, "the checksum is that of all characters before it");
  t.equal(
    parseToken(withChecksum(encodeBase62(new Uint8Array(48).fill(255), 65))).seed.length,
    32,
    "the highest number",
  );
  t.ok(refused(withChecksum("z".repeat(65))));
});

t.test("a token of other parts is a programmer's mistake", async (t) => {
  t.throws(() => formatToken(new Uint8Array(31), DIGEST), TypeError);
  t.throws(() => formatToken(SEED, DIGEST.toUpperCase()), TypeError);
  t.throws(() => formatToken(SEED, DIGEST.slice(1)), TypeError);
});
