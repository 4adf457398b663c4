// Entry keys that were opened and go to nobody are zeroed, whatever the call failed at.
import t, { type Test } from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { acme, bundle, production, world } from "../../hack/fixtures.js";
import { sent } from "../../hack/keyring-world.js";
import { OPERATOR, openingKeyring } from "../../hack/opening-keyring.js";
import { openBundles } from "./open.js";
import type { Opened, SentBundle } from "./open.types.js";
import { openInShares } from "./shares.js";

const [ACME, PRODUCTION] = [acme(), production()];
const { environment: ENVIRONMENT } = world(ACME, PRODUCTION);
const BUNDLES = ["api", "web", "jobs"].map((name) => bundle(ENVIRONMENT, { A: `${name} a`, B: `${name} b` }, { name }));
const SENT: readonly SentBundle[] = BUNDLES.map((secret) => sent(secret));
const FAILURE = new ZoppError("AuditUnavailable", "the log cannot be written");

const keysOf = (opened: readonly Opened[]) => opened.flatMap((one) => (one.ok ? [...one.keys.values()] : []));
const isZero = (key: Uint8Array) => key.every((byte) => byte === 0);

/** Opens a bundle a share, each by the same keyring; keeps what it gave. */
async function oneByOne() {
  const { open } = await openingKeyring(ACME, PRODUCTION);
  const given: Opened[] = [];
  const next = async ([first]: readonly SentBundle[]) => {
    const opened = first === undefined ? [] : await open(first);
    given.push(...opened);
    return opened;
  };
  return { given, next };
}

t.test("bundles are opened in shares, in order, and answered together", async (t) => {
  const { given, next } = await oneByOne();
  const answer = await openInShares(SENT, next, (opened) => opened.map(({ ok }) => ok));
  t.same(answer, [true, true, true]);
  t.equal(keysOf(given).length, 6);
  t.notOk(keysOf(given).some(isZero), "what is answered is whole");
});

t.test("a later share fails: the keys of the earlier ones are zeroed", async (t) => {
  const { given, next } = await oneByOne();
  const fails = (rest: readonly SentBundle[]) => (rest.length === 1 ? Promise.reject(FAILURE) : next(rest));
  await t.rejects(
    openInShares(SENT, fails, () => "never"),
    { code: "AuditUnavailable" },
  );
  t.equal(keysOf(given).length, 4);
  t.ok(keysOf(given).every(isZero));
});

t.test("the answer cannot be made: all keys are zeroed", async (t) => {
  const { given, next } = await oneByOne();
  const answer = () => {
    throw FAILURE;
  };
  await t.rejects(openInShares(SENT, next, answer), { code: "AuditUnavailable" });
  t.equal(keysOf(given).length, 6);
  t.ok(keysOf(given).every(isZero));
});

/** The entry keys of a bundle, and which of them something zeroes from now on. */
async function watched(t: Test, secret: ZoppSecret) {
  const { open } = await openingKeyring(ACME, PRODUCTION);
  const wanted = keysOf(await open(sent(secret))).map((key) => Buffer.from(key).toString("hex"));
  const zeroed = new Set<string>();
  for (const prototype of [Uint8Array.prototype, Buffer.prototype]) {
    const { fill } = prototype;
    const value = function (this: Buffer, ...args: Parameters<typeof fill>) {
      const is = Buffer.from(this).toString("hex");
      if (args[0] === 0 && wanted.includes(is)) zeroed.add(is);
      return fill.apply(this, args);
    };
    t.intercept(prototype, "fill", { value });
  }
  return { wanted, zeroed };
}

t.test("one entry of a bundle cannot be opened: the keys of those before it are zeroed", async (t) => {
  const [api] = BUNDLES;
  if (api === undefined) throw new TypeError("no bundle");
  const { world: around, book } = await openingKeyring(ACME, PRODUCTION);
  const served = book.policyFor(ENVIRONMENT.path);
  let asked = 0;
  const keys = new Map(served.keys);
  // the keyring has lost the environment's key between two entries
  Object.defineProperty(keys, "get", { value: (kid: string) => (asked++ === 0 ? served.keys.get(kid) : undefined) });
  t.intercept(book, "policyFor", { value: () => ({ ...served, keys }) });
  const { wanted, zeroed } = await watched(t, api);
  const [opened] = await openBundles([sent(api)], OPERATOR, around.opening(book));
  t.match(opened, { ok: false, error: { code: "CannotOpen" } });
  t.same([...zeroed], wanted.slice(0, 1));
});
