// Entries: what is sealed opens at its place, and nothing else does, always with one and the same text.
import fc from "fast-check";
import t from "tap";
import { ZoppError } from "../errors.js";
import { encodeHex } from "./encoding.js";
import { type EntryContext, entryKey, openEntry, sealEntry } from "./entry.js";
import { type DecryptionKey, decryptionKeyFromRaw, newEnvironmentKey } from "./identity.js";
import { ENC_BYTES } from "./kem.js";
import type { Kem } from "./keys.js";
import { concat } from "./labeled.js";
import { paddedLength } from "./padding.js";
import { randomBytes, utf8 } from "./primitives.js";

const PLACE: EntryContext = {
  workspace: "acme",
  project: "shop",
  environment: "production",
  epoch: 2,
  namespace: "shop-prod",
  name: "api",
  key: "DB_PASSWORD",
  version: 20261120101112,
};

function freshKey(kem: Kem): DecryptionKey {
  return decryptionKeyFromRaw(kem, newEnvironmentKey(kem).privateKey);
}

function open(key: DecryptionKey, place: EntryContext, sealed: Uint8Array): Uint8Array {
  return openEntry(entryKey(key, place, sealed), key.publicKey.kem, sealed);
}

/** All that somebody learns who tries. */
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

const ELSEWHERE: readonly Partial<EntryContext>[] = [
  { workspace: "other" },
  { project: "blog" },
  { environment: "staging" },
  { epoch: 3 },
  { namespace: "shop-dev" },
  { name: "web" },
  { key: "DB_USER" },
  { version: 20261120101113 },
  { namespace: "*" },
  { namespace: "shop-prodapi", name: "" },
  { project: "shopproduction", environment: "" },
];

for (const kem of ["xwing", "x25519"] as const) {
  const key = freshKey(kem);

  t.test(`${kem}: any value of up to 64 KiB comes back, and takes its bucket`, async () => {
    const values = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 0, max: 65_536 }).map((length) => randomBytes(length)),
    );
    fc.assert(
      fc.property(values, (value) => {
        const sealed = sealEntry(key.publicKey, PLACE, value);
        const expected = ENC_BYTES[kem] + 24 + 16 + paddedLength(value.length);
        return sealed.length === expected && encodeHex(open(key, PLACE, sealed)) === encodeHex(value);
      }),
      { numRuns: 60, examples: [[new Uint8Array(0)], [new Uint8Array(65_536)]] },
    );
  });

  t.test(`${kem}: every byte matters, and every change has one text`, async (t) => {
    const sealed = sealEntry(key.publicKey, PLACE, utf8("correct horse"));
    for (let at = 0; at < sealed.length; at += 1) {
      const flipped = Uint8Array.from(sealed, (byte, place) => (place === at ? byte ^ (1 << (at % 8)) : byte));
      const result = outcome(() => open(key, PLACE, flipped));
      if (result !== REFUSED) t.equal(result, REFUSED, `byte ${at}`);
    }
    t.equal(
      outcome(() => open(key, PLACE, sealed)),
      "opened",
      "unchanged it opens",
    );
  });

  t.test(`${kem}: cut or lengthened, it does not open`, async (t) => {
    const sealed = sealEntry(key.publicKey, PLACE, utf8("correct horse"));
    const lengths = [0, 1, 31, 32, 33, ENC_BYTES[kem] - 1, ENC_BYTES[kem], ENC_BYTES[kem] + 39, sealed.length - 1];
    for (const length of lengths)
      t.equal(
        outcome(() => open(key, PLACE, sealed.subarray(0, length))),
        REFUSED,
      );
    t.equal(
      outcome(() => open(key, PLACE, concat(sealed, Uint8Array.of(0)))),
      REFUSED,
    );
  });

  t.test(`${kem}: moved anywhere else, it does not open`, async (t) => {
    const sealed = sealEntry(key.publicKey, PLACE, utf8("correct horse"));
    for (const change of ELSEWHERE) {
      t.equal(
        outcome(() => open(key, { ...PLACE, ...change }, sealed)),
        REFUSED,
        Object.keys(change).join(" and "),
      );
    }
    t.equal(
      outcome(() => open(freshKey(kem), PLACE, sealed)),
      REFUSED,
      "another environment key",
    );
  });

  t.test(`${kem}: the box of one entry does not open with the key of another`, async (t) => {
    const [one, other] = ["first", "second"].map((text) => sealEntry(key.publicKey, PLACE, utf8(text)));
    if (one === undefined || other === undefined) throw new Error("nothing was sealed");
    const swapped = concat(one.subarray(0, ENC_BYTES[kem]), other.subarray(ENC_BYTES[kem]));
    t.equal(
      outcome(() => open(key, PLACE, swapped)),
      REFUSED,
    );
    t.equal(
      outcome(() => openEntry(entryKey(key, PLACE, one), kem, other)),
      REFUSED,
    );
    t.equal(
      outcome(() => openEntry(new Uint8Array(31), kem, one)),
      REFUSED,
      "an entry key of 31 bytes",
    );
  });

  t.test(`${kem}: the same value never has the same bytes`, async (t) => {
    const [one, other] = [sealEntry(key.publicKey, PLACE, utf8("x")), sealEntry(key.publicKey, PLACE, utf8("x"))];
    t.notSame(one.subarray(0, 32), other.subarray(0, 32), "a new encapsulation");
    t.notSame(one.subarray(-80), other.subarray(-80), "another box");
  });
}

t.test("sealed for one kind of key, it does not open with the other", async (t) => {
  const [hybrid, compact] = [freshKey("xwing"), freshKey("x25519")];
  t.equal(
    outcome(() => open(compact, PLACE, sealEntry(hybrid.publicKey, PLACE, utf8("x")))),
    REFUSED,
  );
  t.equal(
    outcome(() => open(hybrid, PLACE, sealEntry(compact.publicKey, PLACE, utf8("x")))),
    REFUSED,
  );
});
