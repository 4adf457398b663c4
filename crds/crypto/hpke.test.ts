// HPKE and its two encapsulations against known answers: RFC 9180 (X25519), hpke-pq (X-Wing), the X-Wing draft.
// The other direction, with keys of this minute, is hack/oracle's.
import { createHash } from "node:crypto";
import t, { type Test } from "tap";
import { readVectors, unhex } from "../../hack/vectors.js";
import { ZoppError } from "../errors.js";
import { encodeHex } from "./encoding.js";
import { type Aead, type Context, keySchedule, setupReceiver, setupSender } from "./hpke.js";
import { type DecryptionKey, decryptionKeyFromRaw, newEnvironmentKey } from "./identity.js";
import { decapsulate, ENC_BYTES, encapsulate, KEM_ID } from "./kem.js";
import type { Kem } from "./keys.js";
import { concat } from "./labeled.js";
import { utf8 } from "./primitives.js";

interface HpkeVector {
  readonly kem_id: number;
  readonly aead_id: number;
  readonly info: string;
  readonly skRm: string;
  readonly pkRm: string;
  readonly enc: string;
  readonly shared_secret?: string;
  readonly encryptions?: readonly { readonly aad: string; readonly pt: string; readonly ct: string }[];
  readonly exports?: readonly {
    readonly exporter_context: string;
    readonly L: number;
    readonly exported_value: string;
  }[];
  readonly encryptions_accumulated?: string;
  readonly exports_accumulated?: string;
}

const EMPTY = new Uint8Array(0);
const kemOf = (id: number): Kem => (id === KEM_ID.xwing ? "xwing" : "x25519");
const aeadOf = (id: number): Aead => (id === 0xffff ? "export" : "chacha20poly1305");

/** Both ends of a vector: ours receives; the sender's context comes from the shared secret that the vector implies. */
function contextsOf(vector: HpkeVector): {
  key: DecryptionKey;
  sender: Context;
  receiver: ReturnType<typeof setupReceiver>;
} {
  const [kem, aead, enc, info] = [kemOf(vector.kem_id), aeadOf(vector.aead_id), unhex(vector.enc), unhex(vector.info)];
  const key = decryptionKeyFromRaw(kem, unhex(vector.skRm));
  const sharedSecret = decapsulate(key, enc);
  if (sharedSecret === null) throw new Error("the vector's encapsulation is refused");
  return { key, sender: keySchedule(kem, aead, sharedSecret, info), receiver: setupReceiver(key, enc, info, aead) };
}

/** The pseudo-random inputs of the accumulated values: one byte of length, then so many bytes, from SHAKE128. */
function inputs(): () => Uint8Array {
  const stream = createHash("shake128", { outputLength: 2000 * 256 }).digest();
  let at = 0;
  return () => {
    const length = stream[at] ?? 0;
    at += 1 + length;
    return Uint8Array.from(stream.subarray(at - length, at));
  };
}

function accumulated(parts: readonly Uint8Array[]): string {
  const hash = createHash("shake128", { outputLength: 16 });
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function checkKnown(t: Test, vector: HpkeVector): void {
  const { sender, receiver } = contextsOf(vector);
  for (const { aad, pt, ct } of vector.encryptions ?? []) {
    t.equal(encodeHex(sender.seal(unhex(aad), unhex(pt))), ct, "the known ciphertext");
    t.equal(encodeHex(receiver.open(unhex(aad), unhex(ct))), pt, "opens to the known plaintext");
  }
  for (const { exporter_context: context, L: length, exported_value: value } of vector.exports ?? []) {
    t.equal(encodeHex(receiver.export(unhex(context), length)), value, "the known exported key");
  }
}

function checkAccumulated(t: Test, vector: HpkeVector): void {
  const { sender, receiver } = contextsOf(vector);
  if (vector.encryptions_accumulated !== undefined) {
    const draw = inputs();
    const ciphertexts = Array.from({ length: 1000 }, () => {
      const [aad, plaintext] = [draw(), draw()];
      const ciphertext = sender.seal(aad, plaintext);
      if (encodeHex(receiver.open(aad, ciphertext)) !== encodeHex(plaintext)) t.fail("a message opens to another one");
      return ciphertext;
    });
    t.equal(accumulated(ciphertexts), vector.encryptions_accumulated, "1,000 messages in one context");
  }
  if (vector.exports_accumulated !== undefined) {
    const draw = inputs();
    const exports = Array.from({ length: 1000 }, (_, length) => receiver.export(draw(), length));
    t.equal(accumulated(exports), vector.exports_accumulated, "1,000 exported keys of 0 to 999 bytes");
  }
}

for (const vector of readVectors<HpkeVector>("third-party/hpke.json")) {
  const title = `KEM 0x${vector.kem_id.toString(16)}, AEAD 0x${vector.aead_id.toString(16)}`;
  t.test(`HPKE known answers: ${title}`, async (t) => {
    const { key } = contextsOf(vector);
    t.equal(encodeHex(key.publicKey.raw), vector.pkRm, "the public key of the private one");
    if (vector.shared_secret !== undefined) {
      const sharedSecret = decapsulate(key, unhex(vector.enc));
      t.equal(sharedSecret === null ? null : encodeHex(sharedSecret), vector.shared_secret);
    }
    checkKnown(t, vector);
    checkAccumulated(t, vector);
  });
}

t.test("the HPKE vectors are X-Wing's, X25519's, and export-only", async (t) => {
  const suites = readVectors<HpkeVector>("third-party/hpke.json").map((vector) => [vector.kem_id, vector.aead_id]);
  t.strictSame(suites, [
    [0x20, 0x0003],
    [0x20, 0xffff],
    [0x647a, 0x0003],
  ]);
});

t.test("X-Wing's draft: seeds give the keys, ciphertexts the shared secrets", async (t) => {
  const vectors = readVectors<{ sk: string; pk: string; ct: string; ss: string }>("third-party/xwing.json");
  for (const { sk, pk, ct, ss } of vectors) {
    const key = decryptionKeyFromRaw("xwing", unhex(sk));
    t.equal(encodeHex(key.publicKey.raw), pk);
    t.equal(encodeHex(decapsulate(key, unhex(ct)) ?? EMPTY), ss);
  }
  t.equal(vectors.length, 3);
});

const INFO = utf8("info");
const CONTEXT = utf8("context");

for (const kem of ["xwing", "x25519"] as const) {
  t.test(`${kem}: what is sealed to a key opens with it, and with no other`, async (t) => {
    const [mine, theirs] = [freshKey(kem), freshKey(kem)];
    const sender = setupSender(mine.publicKey, INFO, "chacha20poly1305");
    const ciphertext = sender.seal(EMPTY, utf8("message"));
    t.equal(sender.enc.length, ENC_BYTES[kem]);
    t.strictSame(receive(mine, sender.enc).open(EMPTY, ciphertext), utf8("message"));
    t.strictSame(receive(mine, sender.enc).export(CONTEXT, 32), sender.export(CONTEXT, 32));
    t.notSame(receive(theirs, sender.enc).export(CONTEXT, 32), sender.export(CONTEXT, 32));
    const attempts: [string, () => unknown][] = [
      ["another key", () => receive(theirs, sender.enc).open(EMPTY, ciphertext)],
      ["another info", () => setupReceiver(mine, sender.enc, utf8("Info"), "chacha20poly1305").open(EMPTY, ciphertext)],
      ["other associated data", () => receive(mine, sender.enc).open(utf8("x"), ciphertext)],
      ["a ciphertext cut short", () => receive(mine, sender.enc).open(EMPTY, ciphertext.subarray(1))],
      ["a ciphertext shorter than its tag", () => receive(mine, sender.enc).open(EMPTY, new Uint8Array(15))],
      ["an encapsulation cut short", () => receive(mine, sender.enc.subarray(1))],
      ["an encapsulation too long", () => receive(mine, concat(sender.enc, Uint8Array.of(0)))],
      ["no encapsulation", () => receive(mine, EMPTY)],
      ["a share of zeros", () => receive(mine, withShare(sender.enc, new Uint8Array(32)))],
      ["a share of order one", () => receive(mine, withShare(sender.enc, Uint8Array.of(1, ...new Uint8Array(31))))],
    ];
    for (const [title, attempt] of attempts) t.strictSame(refusal(attempt), REFUSAL, title);
  });

  t.test(`${kem}: a context counts its messages`, async (t) => {
    const key = freshKey(kem);
    const sender = setupSender(key.publicKey, INFO, "chacha20poly1305");
    const [first, second] = [sender.seal(EMPTY, CONTEXT), sender.seal(EMPTY, CONTEXT)];
    t.notSame(first, second, "no nonce comes twice");
    const receiver = receive(key, sender.enc);
    t.strictSame(
      refusal(() => receiver.open(EMPTY, second)),
      REFUSAL,
      "the second does not open first",
    );
    t.strictSame(receiver.open(EMPTY, first), CONTEXT, "a failure does not count");
    t.strictSame(receiver.open(EMPTY, second), CONTEXT);
  });

  t.test(`${kem}: an export-only context carries no message, and exports at most 8,160 bytes`, async (t) => {
    const key = freshKey(kem);
    const sender = setupSender(key.publicKey, INFO, "export");
    t.throws(() => sender.seal(EMPTY, EMPTY), TypeError);
    t.throws(() => setupReceiver(key, sender.enc, INFO, "export").open(EMPTY, EMPTY), TypeError);
    t.throws(() => sender.export(CONTEXT, 8161), TypeError);
    t.equal(sender.export(CONTEXT, 8160).length, 8160);
  });
}

t.test("X-Wing: its own label is last in the combiner, so both halves count", async (t) => {
  const key = freshKey("xwing");
  const { enc, sharedSecret } = encapsulate(key.publicKey);
  const turned = Uint8Array.from(enc);
  turned[0] = (turned[0] ?? 0) ^ 1;
  t.strictSame(decapsulate(key, enc), sharedSecret);
  t.notSame(decapsulate(key, turned), sharedSecret, "the ML-KEM half");
  t.notSame(decapsulate(key, withShare(enc, freshKey("x25519").publicKey.raw)), sharedSecret, "the X25519 half");
});

const REFUSAL = { code: "CannotOpen", message: "it does not open with this key at this place", cause: undefined };

function freshKey(kem: Kem): DecryptionKey {
  return decryptionKeyFromRaw(kem, newEnvironmentKey(kem).privateKey);
}

function receive(key: DecryptionKey, enc: Uint8Array): ReturnType<typeof setupReceiver> {
  return setupReceiver(key, enc, INFO, "chacha20poly1305");
}

/** The encapsulation with another X25519 share: its last 32 bytes. */
function withShare(enc: Uint8Array, share: Uint8Array): Uint8Array {
  return concat(enc.subarray(0, enc.length - 32), share);
}

/** All that an attacker learns from an attempt. */
function refusal(attempt: () => unknown): unknown {
  try {
    attempt();
    return "opened";
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return { code: error.code, message: error.message, cause: error.cause };
  }
}
