// Refusals in the log: each once, and at the cost of whoever asks, so that nobody fills it.
import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import { silentLog } from "../kube/observe.js";
import type { Fact } from "./records.js";
import { Refusals } from "./refusals.js";

/** A list in the log's place. */
function listed() {
  const facts: Fact[] = [];
  const audit = { note: (fact: Fact) => void facts.push(fact), flush: async () => undefined };
  return { audit, facts };
}

const refused = (digest: string, actor = "eve/laptop"): Fact => ({
  action: "read",
  decision: "refused",
  actor,
  object: "shop-prod/api",
  digest,
  reason: "NotAuthorised",
});

t.test("the same refusal is one record, and costs once", async (t) => {
  const { audit, facts } = listed();
  const refusals = new Refusals(silentLog);
  for (let at = 0; at < 500; at += 1) refusals.note(audit, refused("the same"));
  t.equal(facts.length, 1);
  t.doesNotThrow(() => refusals.admit("eve/laptop"));
});

t.test("a refusal that found no place in the queue is recorded when it comes again", async (t) => {
  const { audit, facts } = listed();
  const refusals = new Refusals(silentLog);
  const full = {
    ...audit,
    note: () => {
      throw new ZoppError("AuditUnavailable", "too much waits to be recorded");
    },
  };
  refusals.note(full, refused("the same"));
  refusals.note(audit, refused("the same"));
  t.equal(facts.length, 1);
});

t.test("who is refused for a hundred different things is not judged again for now; others are", async (t) => {
  const { audit, facts } = listed();
  const refusals = new Refusals(silentLog);
  for (let at = 0; at < 99; at += 1) refusals.note(audit, refused(`${at}`));
  t.doesNotThrow(() => refusals.admit("eve/laptop"));
  refusals.note(audit, refused("99"));
  t.equal(facts.length, 100);
  t.throws(() => refusals.admit("eve/laptop"), { code: "Overloaded", message: /eve\/laptop were refused/ });
  t.doesNotThrow(() => refusals.admit("bob/laptop"));
});

t.test("what a caller calls a thing is cut to what a name may be", async (t) => {
  const { audit, facts } = listed();
  const refusals = new Refusals(silentLog);
  refusals.note(audit, { ...refused("a"), object: "x".repeat(200_000) });
  refusals.note(audit, { ...refused("b"), action: "wrap", to: "z".repeat(200_000) });
  t.ok(JSON.stringify(facts).length < 2_000);
  t.equal(facts.length, 2);
});

t.test("strangers, who take a new key for each try, are one record an hour for each cause", async (t) => {
  const { audit, facts } = listed();
  const refusals = new Refusals(silentLog);
  const rightNow = Date.now;
  t.teardown(() => {
    Date.now = rightNow;
  });
  Date.now = () => Date.UTC(2026, 0, 1, 12, 30);
  for (const why of ["forged", "forged", "ended"])
    for (let at = 0; at < 50; at += 1) refusals.noteStranger(audit, refused(`${at}`, `zk1${at}`), why);
  t.equal(facts.length, 2);
  Date.now = () => Date.UTC(2026, 0, 1, 13);
  refusals.noteStranger(audit, refused("later", "zk1later"), "forged");
  t.equal(facts.length, 3);
});
