// Parts of the ledger as they are stored: they fit, they say who wrote them, and nothing changed in one is believed.
import t from "tap";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import { ZoppError } from "../../crds/errors.js";
import { parseLedger } from "../../crds/validate.js";
import { acme, identityOf } from "../../hack/fixtures.js";
import type { StoredPlace } from "./ledger.js";
import { contentOf, MAX_SHARD_BYTES, placeParts, policyPart } from "./parts.js";

const OURS = identityOf("cluster eu-1").signing;
const AT = { namespace: "zopp-system", log: "log-1", through: 12 };
const accepted = { version: 20261123101112, hash: "a".repeat(64) };
const place: StoredPlace = {
  environment: "acme/shop/production",
  header: accepted,
  entries: { A: accepted, B: accepted },
};

t.test("an accepted policy comes back whole", async (t) => {
  const part = parseLedger(policyPart(AT, "d".repeat(64), acme(), OURS));
  t.same(contentOf(part, OURS.verifyKey), JSON.parse(JSON.stringify(acme())));
  t.equal(part.metadata.name, `log-1-${"d".repeat(64)}`);
  t.equal(part.spec.through, 12);
});

t.test("ten thousand places come back from shards, each below the limit and valid by the schema", async (t) => {
  const places = Array.from({ length: 10_000 }, (_, at) => [`shop-prod/bundle-${at}`, place] as const);
  const parts = placeParts(AT, places, OURS);
  const found = new Map<string, unknown>();
  for (const part of parts) {
    const content = contentOf(parseLedger(part), OURS.verifyKey) as Record<string, unknown>;
    t.ok(JSON.stringify(content).length <= MAX_SHARD_BYTES, "a shard is within its limit") || t.fail();
    for (const [name, stored] of Object.entries(content)) found.set(name, stored);
  }
  t.equal(found.size, 10_000);
  t.equal(new Set(parts.map(({ metadata }) => metadata.name)).size, parts.length);
});

t.test("no places make one empty shard", async (t) => {
  const parts = placeParts(AT, [], OURS);
  t.equal(parts.length, 1);
  t.same(
    parts.map((part) => contentOf(part, OURS.verifyKey)),
    [{}],
  );
});

const [PART] = placeParts(AT, [["shop-prod/api", place]], OURS);
if (PART === undefined) throw new TypeError("no part");
const { spec, ...rest } = PART;
const [other] = placeParts(AT, [["shop-prod/api", { ...place, entries: {} }]], OURS);

const CHANGED: Record<string, Partial<typeof spec>> = {
  "other content": { content: other?.spec.content ?? "" },
  "content that is not base64": { content: "?" },
  "content that does not unpack": { content: encodeBase64(utf8("plain")) },
  "another log": { log: "log-2" },
  "a later index": { through: 13 },
  "an earlier index": { through: 11 },
  "another name": { name: "1" },
  "another kind": { kind: "Policy" },
  "another signature": { signature: other?.spec.signature ?? "" },
};

for (const [what, changes] of Object.entries(CHANGED)) {
  t.test(`a part with ${what} is not believed`, async (t) => {
    try {
      contentOf({ ...rest, spec: { ...spec, ...changes } }, OURS.verifyKey);
      t.fail("it was believed");
    } catch (error) {
      t.equal(error instanceof ZoppError && error.code, "LogBroken");
    }
  });
}

t.test("a part that another keyring signed is not believed", async (t) => {
  t.throws(() => contentOf(PART, identityOf("cluster eu-2").signing.verifyKey), { code: "LogBroken" });
});
