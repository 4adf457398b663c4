// Wrapped environment keys: they open for their recipient, at their epoch, and are what the environment says.
import t from "tap";
import { ZoppError } from "../errors.js";
import { decodeBase64, encodeBase64, encodeHex } from "./encoding.js";
import { entryKey, sealEntry } from "./entry.js";
import { identityFromSeed, newEnvironmentKey, newSeed } from "./identity.js";
import { concat } from "./labeled.js";
import { utf8 } from "./primitives.js";
import { committedKey, unwrapEnvironmentKey, unwrapPrivateKey, type WrappedKey, wrapEnvironmentKey } from "./wrap.js";

const EPOCH = { workspace: "acme", project: "shop", environment: "production", epoch: 2 };
const { encryption: recipient } = identityFromSeed(newSeed());

function outcome(attempt: () => unknown): string {
  try {
    attempt();
    return "opened";
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return `${error.code}: ${error.message} ${String(error.cause)}`;
  }
}

const REFUSED = "CannotOpen: it does not open with this key at this place undefined";

function changed(text: string, at: number): string {
  const bytes = Uint8Array.from(decodeBase64(text) ?? []);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return encodeBase64(bytes);
}

for (const kem of ["xwing", "x25519"] as const) {
  t.test(`${kem}: a wrapped key opens what was sealed to its public half`, async (t) => {
    const { privateKey, public: publicKey } = newEnvironmentKey(kem);
    const wrapped = wrapEnvironmentKey(recipient.publicKey, EPOCH, privateKey);
    t.equal(wrapped.to, recipient.publicKey.kid);
    t.equal(decodeBase64(wrapped.wrapped)?.length, 48);
    t.equal(encodeHex(unwrapPrivateKey(recipient, EPOCH, wrapped, publicKey)), encodeHex(privateKey));
    const key = unwrapEnvironmentKey(recipient, EPOCH, wrapped, publicKey);
    const place = { ...EPOCH, namespace: "shop-prod", name: "api", key: "A", version: 1 };
    const sealed = sealEntry(publicKey, place, utf8("value"));
    t.equal(entryKey(key, place, sealed).length, 32);
    t.equal(key.publicKey.text, publicKey.text);
  });

  t.test(`${kem}: a wrap that is anything else is refused with one text`, async (t) => {
    const { privateKey, public: publicKey } = newEnvironmentKey(kem);
    const other = newEnvironmentKey(kem).public;
    const { to, enc, wrapped } = wrapEnvironmentKey(recipient.publicKey, EPOCH, privateKey);
    const stranger = identityFromSeed(newSeed()).encryption;
    const attempt = (change: Partial<WrappedKey>, epoch = EPOCH, key = recipient, expected = publicKey): string =>
      outcome(() => unwrapEnvironmentKey(key, epoch, { to, enc, wrapped, ...change }, expected));
    t.equal(attempt({}), "opened");
    t.equal(attempt({}, EPOCH, stranger), REFUSED, "another recipient");
    t.equal(attempt({}, { ...EPOCH, epoch: 3 }), REFUSED, "another epoch");
    t.equal(attempt({}, { ...EPOCH, environment: "staging" }), REFUSED, "another environment");
    t.equal(attempt({}, { ...EPOCH, project: "blog" }), REFUSED, "another project");
    t.equal(attempt({}, { ...EPOCH, workspace: "other" }), REFUSED, "another workspace");
    t.equal(attempt({}, EPOCH, recipient, other), REFUSED, "not the key that the environment names");
    t.equal(attempt({ enc: changed(enc, 0) }), REFUSED, "a byte of the ML-KEM half");
    t.equal(attempt({ enc: changed(enc, 1119) }), REFUSED, "a byte of the X25519 half");
    t.equal(attempt({ wrapped: changed(wrapped, 0) }), REFUSED, "a byte of the key");
    t.equal(attempt({ wrapped: changed(wrapped, 47) }), REFUSED, "a byte of the tag");
    t.equal(attempt({ enc: enc.slice(4) }), REFUSED, "an encapsulation cut short");
    t.equal(attempt({ wrapped: "" }), REFUSED, "no key");
    t.equal(attempt({ wrapped: `${wrapped}\n` }), REFUSED, "base64 in another spelling");
    t.equal(attempt({ enc: "%" }), REFUSED, "no base64");
  });
}

t.test("the key commitment: bytes that are not the private half are refused and zeroed", async (t) => {
  const { privateKey, public: publicKey } = newEnvironmentKey("xwing");
  t.equal(committedKey(Uint8Array.from(privateKey), publicKey).publicKey.text, publicKey.text);
  const foreign = newEnvironmentKey("xwing").privateKey;
  for (const raw of [foreign, concat(privateKey, Uint8Array.of(0)), privateKey.slice(1), new Uint8Array(0)]) {
    t.equal(
      outcome(() => committedKey(raw, publicKey)),
      REFUSED,
    );
    t.notOk(
      raw.some((byte) => byte !== 0),
      "nothing is left of them",
    );
  }
});

t.test("a wrapped key of another length than 32 bytes is a programmer's mistake", async (t) => {
  t.throws(() => wrapEnvironmentKey(recipient.publicKey, EPOCH, new Uint8Array(31)), TypeError);
});
