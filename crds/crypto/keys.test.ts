// Public keys as texts: every unusable or second spelling is refused, and what a bad key would have allowed is shown.
// Which keys a policy may hold is policy's business.
import t from "tap";
import nacl from "tweetnacl";
import { readVectors, unbase64 } from "../../hack/vectors.js";
import { encodeBase64 } from "./encoding.js";
import { decryptionKeyFromRaw, identityFromSeed, newSeed } from "./identity.js";
import { type EncryptionKey, encryptionKey, kidOf, parseEncryptionKey, parseVerifyKey, verify } from "./keys.js";
import { concat } from "./labeled.js";
import { ed25519Public, utf8 } from "./primitives.js";

const identity = identityFromSeed(new Uint8Array(32).fill(7));
const signing = identity.signing.verifyKey;
const compact = decryptionKeyFromRaw("x25519", new Uint8Array(32).fill(8)).publicKey;
const hybrid = identity.encryption.publicKey;
const P = 2n ** 255n - 19n;
/** The group order L of Ed25519 (RFC 8032, section 5.1). */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function littleEndian(number: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, at) => Number((number >> BigInt(8 * at)) & 255n));
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function withTopBit(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes, (byte, at) => (at === 31 ? byte | 0x80 : byte));
}

t.test("keys read back from their text, and are read once", async (t) => {
  t.equal(parseVerifyKey(signing.text), signing);
  const read = parseEncryptionKey(hybrid.text);
  t.equal(read?.kem, "xwing");
  t.equal(read?.kid, hybrid.kid);
  t.equal(parseEncryptionKey(hybrid.text), read, "the second time it is the same object");
  t.equal(parseEncryptionKey(compact.text)?.kem, "x25519");
  t.match(signing.kid, /^zk1[a-z2-7]{16}$/);
});

t.test("a kid depends on the prefix and on every byte", async (t) => {
  t.not(kidOf("ed25519", compact.raw), kidOf("x25519", compact.raw));
  t.not(
    kidOf(
      "x25519",
      Uint8Array.from(compact.raw, (byte, at) => (at === 31 ? byte ^ 1 : byte)),
    ),
    compact.kid,
  );
});

const BAD_TEXTS: Readonly<Record<string, string>> = {
  "no prefix": encodeBase64(signing.raw),
  "an unknown prefix": `rsa:${encodeBase64(signing.raw)}`,
  "a prefix in capitals": signing.text.replace("ed25519", "Ed25519"),
  "a space after the colon": signing.text.replace(":", ": "),
  "a line break at the end": `${signing.text}\n`,
  "31 bytes": `ed25519:${encodeBase64(signing.raw.subarray(1))}`,
  "33 bytes": `ed25519:${encodeBase64(concat(signing.raw, Uint8Array.of(0)))}`,
  "no padding": signing.text.replace("=", ""),
  hex: `ed25519:${"ab".repeat(32)}`,
  "a megabyte": `ed25519:${"A".repeat(1 << 20)}`,
  nothing: "",
};
for (const [title, text] of Object.entries(BAD_TEXTS)) {
  t.test(`a key is refused: ${title}`, async (t) => {
    t.equal(parseVerifyKey(text), null);
    t.equal(parseEncryptionKey(text.replace("ed25519", "x25519")), null);
    t.equal(parseEncryptionKey(text.replace("ed25519", "xwing")), null);
  });
}

t.test("a key of one use is not read as one of another", async (t) => {
  t.equal(parseVerifyKey(compact.text), null);
  t.equal(parseVerifyKey(hybrid.text), null);
  t.equal(parseEncryptionKey(signing.text), null);
  t.equal(parseEncryptionKey(hybrid.text.replace("xwing", "x25519")), null);
});

/** y of a point of order 8; the other one is its negative (those of order 1, 2 and 4 are 1, -1 and 0). */
const Y_OF_ORDER_8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const SMALL_Y = [1n, P - 1n, 0n, Y_OF_ORDER_8, P - Y_OF_ORDER_8];

t.test("signing keys of small order are refused, in all their spellings", async (t) => {
  const spellings = SMALL_Y.flatMap((y) => (y + P < 2n ** 255n ? [y, y + P] : [y])).flatMap((y) => {
    const raw = littleEndian(y);
    return [raw, withTopBit(raw)];
  });
  t.equal(spellings.length, 14);
  for (const raw of spellings) t.equal(parseVerifyKey(`ed25519:${encodeBase64(raw)}`), null);
});

t.test("with a key of small order one signature would fit every message: the attack is real", async (t) => {
  const identityPoint = littleEndian(1n);
  const forged = concat(identityPoint, new Uint8Array(32));
  t.ok(nacl.sign.detached.verify(utf8("any message"), forged, identityPoint), "a naive verifier accepts it");
  t.ok(nacl.sign.detached.verify(utf8("another one"), forged, identityPoint));
});

t.test("a signing key with a y that is not reduced is refused: it would be a second spelling", async (t) => {
  for (let excess = 2n; excess < 19n; excess += 1n) {
    for (const raw of [littleEndian(P + excess), withTopBit(littleEndian(P + excess))]) {
      t.equal(parseVerifyKey(`ed25519:${encodeBase64(raw)}`), null);
    }
  }
});

t.test("encryption keys of low order are refused, alone and inside X-Wing", async (t) => {
  const vectors = readVectors<{ public: string; shared: string }>("third-party/wycheproof-x25519.json");
  const low = new Set(vectors.filter(({ shared }) => /^0+$/.test(shared)).map(({ public: raw }) => raw));
  t.ok(low.size >= 12, "the known low-order points and their spellings");
  for (const raw of low) {
    const share = Uint8Array.from(Buffer.from(raw, "hex"));
    t.equal(parseEncryptionKey(`x25519:${encodeBase64(share)}`), null);
    t.equal(parseEncryptionKey(`xwing:${encodeBase64(withShare(hybrid, share))}`), null);
  }
});

t.test("encryption keys with a u that is not reduced, or its top bit set, are refused", async (t) => {
  for (const raw of [littleEndian(P + 9n), withTopBit(compact.raw), withTopBit(littleEndian(9n))]) {
    t.equal(encryptionKey("x25519", raw), null);
    t.equal(encryptionKey("xwing", withShare(hybrid, raw)), null);
  }
  t.not(encryptionKey("x25519", littleEndian(9n)), null, "the base point itself is a usable key");
  t.not(encryptionKey("x25519", littleEndian(P - 2n)), null, "and so is the largest reduced u of full order");
});

t.test("X-Wing keys with an ML-KEM half that is not reduced are refused", async (t) => {
  const vectors = readVectors<{ ek: string }>("third-party/wycheproof-mlkem768-encapsulate.json");
  const whole = vectors.map(({ ek }) => unbase64(ek)).filter(({ length }) => length === 1184);
  for (const mlkem of whole) t.equal(encryptionKey("xwing", concat(mlkem, compact.raw)), null);
  t.ok(whole.length > 50, `${whole.length} were tried`);
});

t.test("a signature holds for its message and key only", async (t) => {
  const message = utf8("message");
  const signature = identity.signing.sign(message);
  const stranger = identityFromSeed(newSeed()).signing.verifyKey;
  t.ok(verify(signing, message, signature));
  t.notOk(verify(stranger, message, signature), "another key");
  t.notOk(verify(signing, utf8("Message"), signature), "another message");
  t.notOk(verify(signing, message, signature.subarray(0, 63)), "63 bytes");
  t.notOk(verify(signing, message, concat(signature, Uint8Array.of(0))), "65 bytes");
  t.notOk(verify(signing, message, new Uint8Array(64)), "zeros");
  for (let at = 0; at < 64; at += 1) {
    const flipped = Uint8Array.from(signature, (byte, place) => (place === at ? byte ^ 1 : byte));
    if (verify(signing, message, flipped)) t.fail(`byte ${at} does not matter`);
  }
});

t.test("S + L is a second spelling of a signature and is refused, though tweetnacl takes it", async (t) => {
  const message = utf8("message");
  const signature = identity.signing.sign(message);
  const malleated = concat(signature.subarray(0, 32), littleEndian(numberOf(signature.subarray(32)) + ORDER));
  t.ok(nacl.sign.detached.verify(message, malleated, signing.raw), "which is why it does not decide policy");
  t.notOk(verify(signing, message, malleated));
});

t.test("strangers' texts fill no memory: what was refused is not remembered", async (t) => {
  const handle = ed25519Public(signing.raw);
  t.not(handle, null);
  for (let at = 0; at < 5000; at += 1) parseVerifyKey(`ed25519:${at}`);
  t.equal(parseVerifyKey(signing.text), signing, "known keys stay known");
});

/** The X-Wing key with another X25519 half. */
function withShare(key: EncryptionKey, share: Uint8Array): Uint8Array {
  return concat(key.raw.subarray(0, 1184), share);
}
