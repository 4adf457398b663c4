// Opening bundles: what is released and recorded, and what every kind of bad bundle hears.
import t from "tap";
import type { AcceptedEnvironment } from "../../crds/policy/environment.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import {
  acme,
  bundle,
  production,
  withTombstone,
  withValue,
  world as worldOf,
  writingBy,
} from "../../hack/fixtures.js";
import { LATER, sent } from "../../hack/keyring-world.js";
import { OPERATOR, openingKeyring, valuesOf } from "../../hack/opening-keyring.js";
import type { SentBundle } from "./open.types.js";

const ACME = acme();
const PRODUCTION = production();
const ENVIRONMENT: AcceptedEnvironment = worldOf(ACME, PRODUCTION).environment;
const API = bundle(ENVIRONMENT, { DB_USER: "shop", DB_PASSWORD: "hunter2" });

const keyring = () => openingKeyring(ACME, PRODUCTION);

t.test("the keys of exactly the verified entries are released, and recorded with what was accepted", async (t) => {
  const { open, recorded } = await keyring();
  const [opened] = await open(sent(API));
  t.same(valuesOf(API, opened), { DB_USER: "shop", DB_PASSWORD: "hunter2" });
  const [fact] = recorded();
  t.match(fact, {
    action: "open",
    decision: "released",
    actor: OPERATOR.actor,
    evidence: "delegated",
    object: "shop-prod/api",
    keys: ["DB_USER", "DB_PASSWORD"],
    environment: "acme/shop/production",
    header: { version: API.spec.header.version },
    request: "r1",
  });
  t.same(Object.keys(fact?.entries ?? {}), ["DB_USER", "DB_PASSWORD"]);
  t.equal(fact?.digest, opened?.ok && opened.digest);
  t.same(fact?.policy, opened?.policy);
  t.notMatch(JSON.stringify(recorded()), /hunter2/);
});

t.test("every release is recorded, but what was accepted only once", async (t) => {
  const { open, recorded } = await keyring();
  await open(sent(API));
  await open(sent(API));
  const changed = withValue(API, "DB_USER", "shop2", writingBy("alice", ENVIRONMENT, LATER));
  await open(sent(changed));
  t.same(
    recorded().map(({ entries, header }) => [Object.keys(entries ?? {}), header !== undefined]),
    [
      [["DB_USER", "DB_PASSWORD"], true],
      [[], false],
      [["DB_USER"], false],
    ],
  );
});

t.test("two versions of a bundle in one call: the later one is judged by what the earlier one brought", async (t) => {
  const { open } = await keyring();
  const changed = withValue(API, "DB_USER", "shop2", writingBy("alice", ENVIRONMENT, LATER));
  const [first, second] = await open(sent(changed), sent(API));
  t.equal(first?.ok, true);
  t.equal(second?.ok === false && second.error.code, "RollbackRefused");
});

t.test("a tombstone releases nothing for its key", async (t) => {
  const { open } = await keyring();
  const retired = withTombstone(API, "DB_USER", writingBy("alice", ENVIRONMENT, LATER));
  const [opened] = await open(sent(retired));
  t.same(valuesOf(retired, opened), { DB_PASSWORD: "hunter2" });
});

const moved = (changes: Partial<ZoppSecret["metadata"]>): ZoppSecret => ({
  ...API,
  metadata: { ...API.metadata, ...changes },
});
const changed = (spec: Partial<ZoppSecret["spec"]>): ZoppSecret => ({ ...API, spec: { ...API.spec, ...spec } });
const { DB_USER, DB_PASSWORD } = API.spec.data ?? {};
if (DB_USER?.sealed === undefined || DB_PASSWORD === undefined) throw new TypeError("the fixture has two entries");
const flipped = `${DB_USER.sealed.slice(0, 40)}${DB_USER.sealed[40] === "A" ? "B" : "A"}${DB_USER.sealed.slice(41)}`;
const text = JSON.stringify(API.spec);

const REFUSED: Record<string, readonly [sent: SentBundle, code: string]> = {
  "a flipped byte": [
    sent(changed({ data: { DB_PASSWORD, DB_USER: { ...DB_USER, sealed: flipped } } })),
    "SignatureInvalid",
  ],
  "an entry under another key": [sent(changed({ data: { DB_PASSWORD, DB_USER, OTHER: DB_USER } })), "PlaceMismatch"],
  "two entries swapped": [sent(changed({ data: { DB_PASSWORD: DB_USER, DB_USER: DB_PASSWORD } })), "PlaceMismatch"],
  "another name": [sent(moved({ name: "web" })), "SignatureInvalid"],
  "another namespace": [sent(moved({ namespace: "shop-dev" })), "NamespaceNotAllowed"],
  "a value by somebody whom policy does not name": [
    sent(bundle(ENVIRONMENT, { A: "x" }, { by: "mallory" })),
    "UnknownSigner",
  ],
  "a value by somebody without a grant": [sent(bundle(ENVIRONMENT, { A: "x" }, { by: "carol" })), "NotAuthorised"],
  "a job with all values, by a writer": [
    sent(
      bundle(
        ENVIRONMENT,
        { A: "x" },
        {
          by: "bob",
          generate: { TOKEN: { version: 1, kind: "uuid", previous: "TOKEN_OLD" } },
          rotation: { image: "bobs", keys: ["A"] },
        },
      ),
    ),
    "NotAuthorised",
  ],
  "a changed target": [sent(changed({ target: { name: "stolen" } })), "SignatureInvalid"],
  "an environment that nobody knows": [sent(changed({ environment: "acme/shop/dev" })), "UnknownEnvironment"],
  "a workspace that is not pinned": [sent(changed({ environment: "evil/shop/production" })), "NotPinned"],
  "an environment path with dots": [sent(changed({ environment: "acme/shop.production/x" })), "Malformed"],
  "an unknown field": [sent(changed({ extra: 1 } as never)), "Malformed"],
  "no JSON": [sent(API, "{"), "Malformed"],
  "JSON with a member twice": [
    sent(API, text.replace('{"environment"', '{"environment":"x","environment"')),
    "Malformed",
  ],
  "JSON with spaces": [sent(API, `${text} `), "Malformed"],
  "bytes that are not UTF-8": [
    { ...sent(API), spec: Buffer.concat([Buffer.from(text), Buffer.of(0xff)]) },
    "Malformed",
  ],
  "an entry called __proto__": [sent(API, text.replace('"DB_USER"', '"__proto__"')), "Malformed"],
  "no namespace": [{ ...sent(API), namespace: "" }, "Malformed"],
  "a namespace with a slash": [{ ...sent(API), namespace: "shop-prod/x" }, "Malformed"],
};

for (const [what, [bad, code]] of Object.entries(REFUSED)) {
  t.test(`${what} is refused, releases nothing, and does not keep others from their keys`, async (t) => {
    const { open, recorded, world } = await keyring();
    const good = bundle(ENVIRONMENT, { A: "x" }, { name: "good" });
    const results = await open(bad, sent(good));
    t.equal(results[0]?.ok === false && results[0].error.code, code);
    t.same(valuesOf(good, results[1]), { A: "x" });
    t.same(
      recorded().map(({ object }) => object),
      ["shop-prod/good"],
    );
    t.match(world.refusals.at(-1), { action: "open", decision: "refused", reason: code });
  });
}

t.test("when the record fails nothing is released; once it does not, everything is", async (t) => {
  const { open, world, recorded } = await keyring();
  world.broken = true;
  await t.rejects(open(sent(API), sent(API)), { code: "AuditUnavailable" });
  t.same(recorded(), []);
  world.broken = false;
  t.same(valuesOf(API, (await open(sent(API)))[0]), { DB_USER: "shop", DB_PASSWORD: "hunter2" });
});

t.test("other work gets its turn between bundles", async (t) => {
  const { open } = await keyring();
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  }, 0);
  await open(...Array.from({ length: 32 }, (_, at) => sent(bundle(ENVIRONMENT, { A: "x" }, { name: `b-${at}` }))));
  clearInterval(ticking);
  t.ok(turns >= 8, `${turns} turns`);
});

t.test("a key that was refused is named by no record, and its value by nothing at all", async (t) => {
  const { open, world } = await keyring();
  const [refused] = await open(sent(bundle(ENVIRONMENT, { A: "hunter3" }, { by: "mallory" })));
  t.notMatch(JSON.stringify([world.refusals, refused?.ok === false && refused.error.message]), /hunter3/);
  t.match(world.refusals[0]?.digest, /^[0-9a-f]{64}$/, "which content was refused can be told apart");
});
