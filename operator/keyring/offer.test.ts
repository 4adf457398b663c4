// What comes into force straight from whoever has it, and what does not: as from the API, and the API's older object after it.
import t from "tap";
import { utf8 } from "../../crds/crypto/primitives.js";
import { amendEnvironment, amendWorkspace, environmentContent, workspaceContent } from "../../crds/policy/edit.js";
import { baseline } from "../../hack/fixtures.baseline.js";
import { acme, cluster, identityOf, production, world } from "../../hack/fixtures.js";
import { baselineRefused, KeyringWorld, LATER, pinned, refusedOf, review } from "../../hack/keyring-world.js";
import { takeOffer } from "./offer.js";
import type { PolicyBook } from "./policy.js";
import { failureOf } from "./server.case.js";

const ACME = acme();
const PRODUCTION = production();
const now = new Date("2026-11-23T11:00:00Z");
const ALICE = { signingKeys: [identityOf("alice").signing], now };
const NEWER = amendWorkspace(ACME, { ...workspaceContent(ACME), groups: [] }, ALICE);
const NEWER_ENVIRONMENT = amendEnvironment(PRODUCTION, environmentContent(PRODUCTION), ALICE);

const offer = (book: PolicyBook, object: unknown, actor = "carol/laptop") =>
  takeOffer(utf8(JSON.stringify(object)), { actor }, book);

async function started(workspace = ACME) {
  const keyrings = new KeyringWorld();
  const book = keyrings.start(pinned(workspace));
  await review(book, workspace, PRODUCTION);
  return { keyrings, book };
}

t.test(
  "a newer policy comes into force, in the name of who brought it, and the older one in the API follows no more",
  async (t) => {
    const { keyrings, book } = await started();
    t.match(await offer(book, NEWER), { version: BigInt(NEWER.spec.version) });
    t.match(await offer(book, NEWER_ENVIRONMENT), { version: BigInt(NEWER_ENVIRONMENT.spec.version) });
    t.match(keyrings.facts.slice(2), [
      { action: "accept-workspace", actor: "carol/laptop", version: NEWER.spec.version },
      { action: "accept-environment", actor: "carol/laptop", version: NEWER_ENVIRONMENT.spec.version },
    ]);
    await review(book, ACME, PRODUCTION);
    t.equal(refusedOf(book, "acme"), "PolicyRollback");
    t.equal(refusedOf(book, "acme.shop.production"), "PolicyRollback");
    const later = keyrings.start();
    t.equal(later.workspace("acme")?.version, NEWER.spec.version, "nor after a restart");
    t.equal(later.environment("acme.shop.production")?.environment.version, NEWER_ENVIRONMENT.spec.version);
  },
);

t.test("what is in force already is answered with its version, and is no second record", async (t) => {
  const { keyrings, book } = await started();
  t.match(await offer(book, ACME), { version: BigInt(ACME.spec.version) });
  t.equal(keyrings.facts.length, 2);
});

const forked = amendWorkspace(ACME, { ...workspaceContent(ACME), groups: [] }, ALICE, acme({ groups: [] }));
const TWO = acme({ owners: { threshold: 2, principals: ["alice", "bob"] } }, ["alice", "bob"]);
interface Refused {
  readonly workspace?: typeof ACME;
  readonly object: unknown;
  readonly code: string;
  readonly after?: unknown;
}
const REFUSED: Record<string, Refused> = {
  "one of another line": { object: forked, code: "Forked" },
  "an older one": { object: ACME, after: NEWER, code: "PolicyRollback" },
  "one with the accepted version and another content": {
    object: amendWorkspace(ACME, workspaceContent(ACME), ALICE),
    after: NEWER,
    code: "Forked",
  },
  "a partly signed one": {
    workspace: TWO,
    object: amendWorkspace(TWO, { ...workspaceContent(TWO), groups: [] }, ALICE),
    code: "PartlySigned",
  },
  "one that no owner signed": {
    object: amendWorkspace(
      ACME,
      { ...workspaceContent(ACME), groups: [] },
      { ...ALICE, signingKeys: [identityOf("bob").signing] },
    ),
    code: "PartlySigned",
  },
  "one of a workspace that is not pinned": { object: { ...ACME, metadata: { name: "other" } }, code: "NotPinned" },
  "an environment that a writer signed": {
    object: amendEnvironment(PRODUCTION, environmentContent(PRODUCTION), {
      ...ALICE,
      signingKeys: [identityOf("bob").signing],
    }),
    code: "NotAuthorised",
  },
  "a bundle": {
    object: { apiVersion: "zopp.dev/v1alpha1", kind: "ZoppSecret", metadata: { name: "a" }, spec: {} },
    code: "Malformed",
  },
  "an object with an unknown field": { object: { ...NEWER, spec: { ...NEWER.spec, extra: 1 } }, code: "Malformed" },
  "no object": { object: [], code: "Malformed" },
};
for (const [what, { workspace, object, code, after }] of Object.entries(REFUSED)) {
  t.test(`an offer of ${what} is refused, and what was in force stays`, async (t) => {
    const { book } = await started(workspace);
    if (after !== undefined) await offer(book, after);
    const before = book.workspace("acme")?.digest;
    t.equal((await failureOf(offer(book, object))).code, code);
    t.equal(book.workspace("acme")?.digest, before);
    t.equal(book.environment("acme.shop.production")?.environment.version, PRODUCTION.spec.version);
  });
}

t.test("a refused offer is on record with who made it", async (t) => {
  const { keyrings, book } = await started();
  await offer(book, forked).catch(() => undefined);
  t.match(keyrings.refusals, [
    { action: "accept-workspace", decision: "refused", actor: "carol/laptop", reason: "Forked" },
  ]);
});

t.test("an offer is never a first use", async (t) => {
  const keyrings = new KeyringWorld();
  const book = keyrings.start({ pins: [], firstUse: true });
  t.equal((await failureOf(offer(book, ACME))).code, "NotPinned");
  await review(book, ACME);
  t.match(await offer(book, NEWER), { version: BigInt(NEWER.spec.version) });
});

const WORLD = world();
const LISTED = baseline(WORLD, []);
const FRESH = baseline(WORLD, [], { now: LATER });

t.test(
  "a baseline comes into force beside its environment, outlives a restart, and goes back to no older one",
  async (t) => {
    const { keyrings, book } = await started();
    await review(book, ACME, PRODUCTION, LISTED);
    t.equal(book.environment("acme.shop.production")?.baseline?.version, LISTED.spec.version);
    await offer(book, FRESH);
    const later = keyrings.start();
    t.equal(later.environment("acme.shop.production")?.baseline?.version, FRESH.spec.version);
    await review(later, ACME, PRODUCTION, LISTED);
    t.equal(baselineRefused(later, "acme.shop.production"), "PolicyRollback");
  },
);

t.test("a baseline before its environment is refused for now", async (t) => {
  const book = new KeyringWorld().start();
  await review(book, ACME, LISTED);
  t.equal(baselineRefused(book, "acme.shop.production"), "UnknownEnvironment");
  await review(book, ACME, PRODUCTION, LISTED);
  t.equal(baselineRefused(book, "acme.shop.production"), undefined);
});

t.test("a baseline of what other clusters serve waits for nothing here", async (t) => {
  const book = new KeyringWorld().start();
  const rule = { name: "shop/production", namespaces: ["shop-prod"], clusters: ["eu-2"] };
  const elsewhere = acme({ clusters: [cluster("eu-1"), cluster("eu-2")], environments: [rule] });
  const theirs = production({ keys: PRODUCTION.spec.keys.map((key) => ({ ...key, sealed: [] })) });
  await review(book, elsewhere, theirs, LISTED);
  t.equal(refusedOf(book, "acme.shop.production"), "NotServedHere");
  t.equal(baselineRefused(book, "acme.shop.production"), "NotServedHere", "as its environment");
});

t.test(
  "a keyring that lost its log serves an environment only for a baseline that is newer than its new one",
  async (t) => {
    const lost = new KeyringWorld();
    lost.log = "20261123110000-00ff";
    const book = lost.start(pinned());
    await review(book, ACME, PRODUCTION);
    t.equal(refusedOf(book, "acme.shop.production"), "LedgerLost");
    await review(book, ACME, PRODUCTION, LISTED);
    t.equal(refusedOf(book, "acme.shop.production"), "LedgerLost", "an old baseline from git history does not count");
    await review(book, ACME, PRODUCTION, baseline(WORLD, [], { now: LATER, signers: ["bob"] }));
    t.equal(refusedOf(book, "acme.shop.production"), "LedgerLost", "nor one that nobody may sign");
    const forNewer = { ...WORLD, workspace: { ...WORLD.workspace, version: NEWER.spec.version } };
    await review(book, ACME, PRODUCTION, baseline(forNewer, [], { now: LATER }));
    t.equal(refusedOf(book, "acme.shop.production"), "LedgerLost", "nor under an older policy than it was made for");
    await review(book, ACME, PRODUCTION, FRESH);
    t.equal(refusedOf(book, "acme.shop.production"), undefined);
    const served = book.policyFor("acme/shop/production");
    t.equal(served.baseline?.version, FRESH.spec.version);
    t.equal(book.acceptsNew(served), false);
  },
);
