// What the ledger makes of records, whatever their order of places, and that a snapshot gives back the same.
import fc from "fast-check";
import t from "tap";
import { Ledger, type StoredPolicies } from "./ledger.js";
import type { AuditRecord, Fact } from "./records.js";

const accepted = (version: number) => ({ version, hash: String(version).padStart(64, "0") });

function record(index: number, fact: Partial<Fact>): AuditRecord {
  return { index, time: "2026-11-23T10:11:12.000Z", action: "open", decision: "released", actor: "keyring", ...fact };
}

const PLACE = { object: "shop-prod/api", environment: "acme/shop/production" };

t.test(
  "an acceptance binds the place and adds header and entries; later ones replace only what they carry",
  async (t) => {
    const ledger = new Ledger();
    ledger.apply(record(0, { ...PLACE, header: accepted(1), entries: { A: accepted(1), B: accepted(1) } }));
    ledger.apply(record(1, { ...PLACE, entries: { B: accepted(2) } }));
    const place = ledger.place("shop-prod/api");
    t.equal(place?.environment, "acme/shop/production");
    t.same(place?.header, accepted(1));
    t.same(
      [...(place?.entries ?? [])],
      [
        ["A", accepted(1)],
        ["B", accepted(2)],
      ],
    );
  },
);

const UNCHANGED: Record<string, Partial<Fact>> = {
  "a refusal": { ...PLACE, decision: "refused", header: accepted(9), entries: { A: accepted(9) } },
  "a release of what was accepted before": { object: "shop-prod/api", keys: ["A"] },
  "a start": { action: "start", decision: "done" },
  "an enrolment": { action: "enrol", decision: "done" },
};

for (const [what, fact] of Object.entries(UNCHANGED)) {
  t.test(`${what} changes no place`, async (t) => {
    const ledger = new Ledger();
    ledger.apply(record(0, { ...PLACE, header: accepted(1), entries: { A: accepted(1) } }));
    const before = [...ledger.stored()];
    ledger.apply(record(1, fact));
    t.same([...ledger.stored()], before);
  });
}

t.test("policies and pins are remembered by name, refused ones are not", async (t) => {
  const ledger = new Ledger();
  const digest = "d".repeat(64);
  ledger.apply(record(0, { action: "pin", decision: "done", object: "acme", pin: `acme@1:${digest}` }));
  ledger.apply(record(1, { action: "accept-workspace", decision: "accepted", object: "acme", version: 7, digest }));
  ledger.apply(
    record(2, { action: "accept-workspace", decision: "refused", object: "acme", version: 8, digest: "e".repeat(64) }),
  );
  ledger.apply(
    record(3, {
      action: "accept-environment",
      decision: "accepted",
      object: "acme.shop.production",
      version: 2,
      digest,
    }),
  );
  t.same([...ledger.workspaces], [["acme", { digest, version: 7 }]]);
  t.same([...ledger.environments], [["acme.shop.production", { digest, version: 2 }]]);
  t.same([...ledger.pins], [["acme", `acme@1:${digest}`]]);
});

t.test(
  "what was accepted of policy comes back whole from where a log begins whose first records are gone",
  async (t) => {
    const ledger = new Ledger();
    const digest = "c".repeat(64);
    const policy = (index: number, action: AuditRecord["action"], object: string) =>
      ledger.apply(record(index, { action, decision: "accepted", object, version: 7, digest }));
    ledger.apply(record(0, { action: "pin", decision: "done", object: "acme", pin: `acme@1:${digest}` }));
    policy(1, "accept-workspace", "acme");
    policy(2, "accept-environment", "acme.shop.production");
    policy(3, "accept-baseline", "acme.shop.production");
    const restored = new Ledger();
    restored.restorePolicies(JSON.parse(JSON.stringify(ledger.storedPolicies())) as StoredPolicies);
    for (const kind of ["pins", "workspaces", "environments", "baselines"] as const)
      t.same([...restored[kind]], [...ledger[kind]], kind);
  },
);

t.test("keys named like members of every object are ordinary keys", async (t) => {
  const ledger = new Ledger();
  const entries = JSON.parse('{"constructor":{"version":1,"hash":"x"},"toString":{"version":1,"hash":"y"}}') as Record<
    string,
    never
  >;
  ledger.apply(record(0, { ...PLACE, header: accepted(1), entries }));
  t.same([...(ledger.place("shop-prod/api")?.entries.keys() ?? [])], ["constructor", "toString"]);
  t.equal(ledger.place("constructor"), undefined);
});

const fact = fc.record({
  object: fc.constantFrom("a/x", "a/y", "b/x"),
  environment: fc.constantFrom("acme/shop/production", "acme/shop/dev"),
  header: fc.integer({ min: 1, max: 99 }).map(accepted),
  entries: fc.dictionary(fc.constantFrom("A", "B", "C"), fc.integer({ min: 1, max: 99 }).map(accepted)),
});

t.test("a ledger put back from its places and then told the rest equals one that was told everything", async (t) => {
  fc.assert(
    fc.property(fc.array(fact, { maxLength: 20 }), fc.nat(20), (facts, cut) => {
      const records = facts.map((one, index) => record(index, one));
      const whole = new Ledger();
      for (const one of records) whole.apply(one);
      const early = new Ledger();
      for (const one of records.slice(0, cut)) early.apply(one);
      const restored = new Ledger();
      for (const [name, place] of early.stored()) restored.restore(name, JSON.parse(JSON.stringify(place)) as never);
      for (const one of records.slice(cut)) restored.apply(one);
      const sorted = (ledger: Ledger) => JSON.stringify([...ledger.stored()].sort());
      return sorted(whole) === sorted(restored);
    }),
  );
  t.pass("for any records and any moment of the snapshot");
});

t.test(
  "what was anticipated is taken back, but for what was settled: the ledger is then the fold of what is stored",
  async (t) => {
    const ACTIONS = ["open", "pin", "accept-workspace", "accept-environment", "accept-baseline", "start"] as const;
    const facts = fc.array(fc.record({ action: fc.constantFrom(...ACTIONS), object: fc.constantFrom("a/b", "c/d") }));
    const everything = (ledger: Ledger) => JSON.stringify([[...ledger.stored()].sort(), ledger.storedPolicies()]);
    fc.assert(
      fc.property(facts, fc.nat(), fc.nat(), (made, some, more) => {
        const records = made.map((fact, index) =>
          record(index, {
            ...fact,
            ...{ environment: "acme/shop/production", header: accepted(index), entries: { A: accepted(index) } },
            ...{ pin: `pin ${index}`, version: index, digest: `digest ${index}` },
          }),
        );
        const stored = some % (records.length + 1);
        const settled = stored + (more % (records.length - stored + 1));
        const [ledger, expected] = [new Ledger(), new Ledger()];
        for (const each of records.slice(0, stored)) ledger.apply(each);
        for (const each of records.slice(stored)) ledger.anticipate(each);
        ledger.settle(settled);
        ledger.takeBack();
        for (const each of records.slice(0, settled)) expected.apply(each);
        t.equal(everything(ledger), everything(expected)) || t.fail();
      }),
    );
  },
);
