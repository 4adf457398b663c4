// Recovery keys and identity files, as the stock age tool reads them.
import { Decrypter, Encrypter, generateX25519Identity } from "age-encryption";
import t from "tap";
import { ZoppError } from "../errors.js";
import { MAX_AGE_BYTES, newRecovery, openWithPassphrase, sealWithPassphrase, unwrapAge, wrapToAge } from "./age.js";
import { decodeBase64, encodeBase64 } from "./encoding.js";
import { newEnvironmentKey } from "./identity.js";
import { randomBytes, utf8 } from "./primitives.js";
import { committedKey } from "./wrap.js";

/** A light work factor: what is tested is not scrypt's slowness. */
const LIGHT = 10;

async function outcome(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return "opened";
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return `${error.code}: ${error.message} ${String(error.cause)}`;
  }
}

const REFUSED = "CannotOpen: it does not open with this key at this place undefined";

t.test("a recovery key is hybrid, and opens the environment key that was wrapped to it", async (t) => {
  const { identity, recipient } = await newRecovery();
  t.match(identity, /^AGE-SECRET-KEY-PQ-1/);
  t.match(recipient, /^age1pq1/);
  const { privateKey, public: publicKey } = newEnvironmentKey("xwing");
  const text = await wrapToAge(recipient, privateKey);
  t.ok((decodeBase64(text)?.length ?? 0) <= MAX_AGE_BYTES);
  const unwrapped = await unwrapAge(identity, text);
  t.equal(committedKey(unwrapped, publicKey).publicKey.text, publicKey.text);
});

t.test("age itself opens it: a whole binary age file", async (t) => {
  const { identity, recipient } = await newRecovery();
  const file = decodeBase64(await wrapToAge(recipient, utf8("0123456789abcdef0123456789abcdef")));
  if (file === null) throw new Error("no base64");
  t.equal(new TextDecoder().decode(file.subarray(0, 21)), "age-encryption.org/v1");
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  t.equal(await decrypter.decrypt(file, "text"), "0123456789abcdef0123456789abcdef");
});

t.test("whatever does not open has one text", async (t) => {
  const [mine, other] = [await newRecovery(), await newRecovery()];
  const text = await wrapToAge(mine.recipient, randomBytes(32));
  const file = Uint8Array.from(decodeBase64(text) ?? []);
  const flipped = Uint8Array.from(file, (byte, at) => (at === file.length - 1 ? byte ^ 1 : byte));
  t.equal(await outcome(unwrapAge(other.identity, text)), REFUSED, "another identity");
  t.equal(await outcome(unwrapAge(await generateX25519Identity(), text)), REFUSED, "another kind of identity");
  t.equal(await outcome(unwrapAge("AGE-SECRET-KEY-PQ-1", text)), REFUSED, "no identity");
  t.equal(await outcome(unwrapAge(mine.identity, encodeBase64(flipped))), REFUSED, "a changed byte");
  t.equal(await outcome(unwrapAge(mine.identity, encodeBase64(file.subarray(0, 100)))), REFUSED, "cut");
  t.equal(await outcome(unwrapAge(mine.identity, `${text}\n`)), REFUSED, "base64 in another spelling");
  t.equal(await outcome(unwrapAge(mine.identity, "")), REFUSED, "nothing");
});

t.test("an age file above 4 KiB is not even read", async (t) => {
  const { identity, recipient } = await newRecovery();
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const large = await encrypter.encrypt(new Uint8Array(MAX_AGE_BYTES));
  t.equal(await outcome(unwrapAge(identity, encodeBase64(large))), REFUSED);
});

t.test("an unusable recipient is malformed, and the message does not repeat it", async (t) => {
  for (const recipient of ["", "age1", "age1pq1xyz", "ssh-ed25519 AAAA"]) {
    const result = await outcome(wrapToAge(recipient, randomBytes(32)));
    t.match(result, /^Malformed: the recovery recipient is no age recipient/);
  }
});

t.test("an identity file is armored, and opens with its passphrase only", async (t) => {
  const seed = randomBytes(32);
  const file = await sealWithPassphrase("correct horse", seed, LIGHT);
  t.match(file, /^-----BEGIN AGE ENCRYPTED FILE-----\n/);
  t.match(file, /-----END AGE ENCRYPTED FILE-----\n?$/);
  t.strictSame(Uint8Array.from(await openWithPassphrase("correct horse", file)), seed);
  t.match(await outcome(openWithPassphrase("correct hors", file)), /^WrongPassphrase: /);
  t.match(await outcome(openWithPassphrase("", file)), /^WrongPassphrase: /);
  t.match(await outcome(openWithPassphrase("correct horse", file.slice(0, 120))), /^WrongPassphrase: /, "damaged");
  t.match(await outcome(openWithPassphrase("correct horse", "")), /^WrongPassphrase: /, "empty");
});

t.test("the usual work factor is 2^17, and a stranger's file cannot make us work much longer", async (t) => {
  const usual = decodeArmor(await sealWithPassphrase("x", randomBytes(32)));
  t.match(usual, /-> scrypt \S+ 17\n/);
  const light = await sealWithPassphrase("x", randomBytes(32), LIGHT);
  const greedy = decodeArmor(light).replace(/(-> scrypt \S+) 10\n/, "$1 30\n");
  const started = performance.now();
  t.match(await outcome(openWithPassphrase("x", armored(greedy))), /^WrongPassphrase: /);
  t.ok(performance.now() - started < 5000, "2^30 rounds were not tried");
});

function decodeArmor(file: string): string {
  return Buffer.from(file.replace(/-----[^-]+-----|\n/g, ""), "base64").toString("latin1");
}

function armored(binary: string): string {
  const lines =
    Buffer.from(binary, "latin1")
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN AGE ENCRYPTED FILE-----\n${lines.join("\n")}\n-----END AGE ENCRYPTED FILE-----\n`;
}
