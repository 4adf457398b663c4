// What comes into force and what does not: pins, first use, restarts, other logs, and objects that nobody signed.
import t from "tap";
import { amendWorkspace, newWorkspace, workspaceContent } from "../../crds/policy/edit.js";
import type { ZoppWorkspace } from "../../crds/types.gen.js";
import { acme, identityOf, NOW, person, production } from "../../hack/fixtures.js";
import { KeyringWorld, pinOf, refusedOf, review } from "../../hack/keyring-world.js";
import type { Trust } from "./pins.js";

const ACME = acme();
const PRODUCTION = production();
const ALICE = { signingKeys: [identityOf("alice").signing], now: new Date("2026-11-23T11:00:00Z") };
const FIRST_USE: Trust = { pins: [], firstUse: true };

/** A workspace of this name whose only owner is a stranger. */
function stranger(name: string): ZoppWorkspace {
  const content = { owners: { threshold: 1, principals: ["mallory"] }, principals: [person("mallory")] };
  return newWorkspace(name, content, { signingKeys: [identityOf("mallory").signing], now: NOW });
}

t.test("a pinned workspace and its environment come into force, recorded in that order", async (t) => {
  const world = new KeyringWorld();
  const book = world.start();
  t.equal(book.notReady(), "NoPolicy");
  await review(book, PRODUCTION, ACME);
  t.equal(book.notReady(), null);
  t.equal(book.workspace("acme")?.version, ACME.spec.version);
  t.equal(book.policyFor("acme/shop/production").keys.size, 1);
  t.same(
    world.facts.map(({ action, object }) => [action, object]),
    [
      ["accept-workspace", "acme"],
      ["accept-environment", "acme.shop.production"],
    ],
  );
  await review(book, PRODUCTION, ACME);
  t.equal(world.facts.length, 2, "the same objects again are nothing new");
});

t.test("after a restart the log decides, whatever lies in the API", async (t) => {
  const world = new KeyringWorld();
  await review(world.start(), ACME, PRODUCTION);
  const book = world.start();
  t.equal(book.notReady(), null, "with nothing in the API at all");
  await review(book, stranger("acme"));
  t.equal(refusedOf(book, "acme"), "Forked");
  t.equal(book.workspace("acme")?.version, ACME.spec.version);
  t.equal(book.policyFor("acme/shop/production").keys.size, 1);
});

const NEVER: Record<string, { readonly offered: ZoppWorkspace; readonly trust?: Trust; readonly code: string }> = {
  "no pin names it": { offered: stranger("evil"), code: "NotPinned" },
  "its owners are not the pinned ones": { offered: stranger("acme"), code: "PinMismatch" },
  "it is below the pin's version": {
    offered: ACME,
    trust: { pins: [pinOf(ACME, { minVersion: ACME.spec.version + 1 })], firstUse: false },
    code: "PolicyRollback",
  },
  "too few owners signed it": {
    offered: acme({ owners: { threshold: 2, principals: ["alice", "bob"] } }),
    trust: { pins: [pinOf(acme({ owners: { threshold: 2, principals: ["alice", "bob"] } }))], firstUse: false },
    code: "PartlySigned",
  },
  "a byte of it was changed": {
    offered: { ...ACME, spec: { ...ACME.spec, groups: [] } },
    code: "PartlySigned",
  },
  "it serves the keyring's own namespace": {
    offered: acme({ environments: [{ name: "shop/production", namespaces: ["zopp-*"], clusters: ["eu-1"] }] }),
    code: "NamespaceConflict",
  },
  "it has a field that zopp does not know": {
    offered: { ...ACME, spec: { ...ACME.spec, extra: 1 } as never },
    code: "Malformed",
  },
};

for (const [why, { offered, trust, code }] of Object.entries(NEVER)) {
  t.test(`a workspace is refused when ${why}, and what was in force stays`, async (t) => {
    const world = new KeyringWorld();
    const fresh = world.start(trust);
    await review(fresh, offered);
    t.equal(refusedOf(fresh, offered.metadata.name), code);
    t.equal(fresh.notReady(), "NoPolicy");
    t.equal(world.facts.length, 0);
    t.match(world.refusals, [{ action: "accept-workspace", decision: "refused", reason: code }]);

    const later = new KeyringWorld();
    const book = later.start();
    await review(book, ACME, PRODUCTION);
    await review(book, offered, PRODUCTION);
    t.equal(book.workspace("acme")?.version, ACME.spec.version);
    t.equal(book.policyFor("acme/shop/production").keys.size, 1);
  });
}

t.test("a newer policy comes into force at once for its environments, an older one never again", async (t) => {
  const world = new KeyringWorld();
  const book = world.start();
  await review(book, ACME, PRODUCTION);
  const without = workspaceContent(ACME);
  const newer = amendWorkspace(ACME, { ...without, grants: [] }, ALICE);
  await review(book, newer, PRODUCTION);
  t.equal(book.policyFor("acme/shop/production").workspace.version, newer.spec.version);
  await review(book, ACME, PRODUCTION);
  t.equal(refusedOf(book, "acme"), "PolicyRollback");
  t.equal(book.policyFor("acme/shop/production").workspace.version, newer.spec.version);
});

t.test("first use takes the only workspace, records its pin, and never another", async (t) => {
  const world = new KeyringWorld();
  const book = world.start(FIRST_USE);
  await review(book, ACME);
  t.equal(book.notReady(), null);
  t.match(world.facts, [
    { action: "pin", object: "acme" },
    { action: "accept-workspace", object: "acme" },
  ]);
  await review(book, ACME, stranger("evil"));
  t.equal(refusedOf(book, "evil"), "NotPinned");
  const restarted = world.start(FIRST_USE);
  await review(restarted, stranger("evil"));
  t.equal(refusedOf(restarted, "evil"), "NotPinned", "not even when the first one is gone from the API");
  t.equal(restarted.workspace("acme")?.version, ACME.spec.version);
});

t.test("first use refuses to choose between two, until one of them is gone", async (t) => {
  const book = new KeyringWorld().start(FIRST_USE);
  await review(book, ACME, stranger("evil"));
  t.equal(refusedOf(book, "acme"), "AmbiguousFirstUse");
  t.equal(refusedOf(book, "evil"), "AmbiguousFirstUse");
  t.equal(book.notReady(), "NoPolicy");
  await review(book, ACME);
  t.equal(book.notReady(), null);
});

t.test("a workspace that is taken out of the trust list is served no more, with its environments", async (t) => {
  const world = new KeyringWorld();
  await review(world.start(), ACME, PRODUCTION);
  const book = world.start({ pins: [pinOf(stranger("other"))], firstUse: false });
  t.equal(book.notReady(), "NoPolicy");
  t.throws(() => book.policyFor("acme/shop/production"), { code: "NotPinned" });
  await review(book, ACME, PRODUCTION);
  t.throws(() => book.policyFor("acme/shop/production"), { code: "NotPinned" });
  t.equal(world.start().notReady(), null, "and again when it is put back");
});

t.test("nothing is in force before its record is: an audit log that fails leaves the old policy", async (t) => {
  const world = new KeyringWorld();
  const book = world.start();
  await review(book, ACME, PRODUCTION);
  const newer = amendWorkspace(ACME, { ...workspaceContent(ACME), grants: [] }, ALICE);
  world.broken = true;
  await review(book, newer, PRODUCTION);
  t.equal(refusedOf(book, "acme"), "AuditUnavailable");
  t.equal(book.workspace("acme")?.version, ACME.spec.version);
  world.broken = false;
  await review(book, newer, PRODUCTION);
  t.equal(book.workspace("acme")?.version, newer.spec.version);
});

t.test("an accepted object that is missing from the memory is a broken log, not another policy", async (t) => {
  const world = new KeyringWorld();
  await review(world.start(), ACME, PRODUCTION);
  world.stored.clear();
  t.throws(() => world.start(), { code: "LogBroken" });
});

t.test("new content is accepted only while policy names this keyring's log", async (t) => {
  const world = new KeyringWorld();
  await review(world.start(), ACME, PRODUCTION);
  t.equal(world.start().acceptsNew(world.start().policyFor("acme/shop/production")), true);
  world.log = "log-2";
  const lost = world.start();
  t.equal(lost.acceptsNew(lost.policyFor("acme/shop/production")), false);
});
