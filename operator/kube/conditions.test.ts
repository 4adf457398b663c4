// Conditions: times move only with status, and equal lists are seen as equal.

import t from "tap";
import { condition, conditionsOf, sameConditions } from "./conditions.js";

const at = (time: string, generation = 1) => ({ generation, now: new Date(time) });
const READY = condition("Ready", true, "Synced", "5 keys");

t.test("the first list carries the time in whole seconds and the generation, in a fixed order", async (t) => {
  const wanted = [condition("Expiring", true, "Soon", ""), condition("Synced", null, "NotYet", "x"), READY];
  t.same(conditionsOf(undefined, wanted, at("2026-11-23T10:11:12.999Z", 3)), [
    { ...READY, observedGeneration: 3, lastTransitionTime: "2026-11-23T10:11:12Z" },
    {
      type: "Synced",
      status: "Unknown",
      reason: "NotYet",
      message: "x",
      observedGeneration: 3,
      lastTransitionTime: "2026-11-23T10:11:12Z",
    },
    {
      type: "Expiring",
      status: "True",
      reason: "Soon",
      message: "",
      observedGeneration: 3,
      lastTransitionTime: "2026-11-23T10:11:12Z",
    },
  ]);
});

t.test("another reason or message keeps the time, another status moves it", async (t) => {
  const first = conditionsOf(undefined, [READY], at("2026-11-23T10:00:00Z"));
  const reworded = conditionsOf(first, [{ ...READY, message: "6 keys" }], at("2026-11-23T11:00:00Z", 2));
  t.match(reworded, [{ message: "6 keys", observedGeneration: 2, lastTransitionTime: "2026-11-23T10:00:00Z" }]);
  const failed = conditionsOf(reworded, [{ ...READY, status: "False" }], at("2026-11-23T12:00:00Z"));
  t.match(failed, [{ status: "False", lastTransitionTime: "2026-11-23T12:00:00Z" }]);
});

t.test("the same again later is the same; each difference is seen", async (t) => {
  const first = conditionsOf(undefined, [READY, condition("Synced", true, "Synced", "")], at("2026-11-23T10:00:00Z"));
  const again = conditionsOf(first, [READY, condition("Synced", true, "Synced", "")], at("2026-11-23T11:00:00Z"));
  t.ok(sameConditions(first, again));
  t.ok(sameConditions([...first].reverse(), again));
  t.notOk(sameConditions(undefined, again));
  t.notOk(sameConditions(first, again.slice(1)));
  t.notOk(
    sameConditions(
      first,
      conditionsOf(first, [READY, condition("Stalled", true, "x", "")], at("2026-11-23T10:00:00Z")),
    ),
  );
  for (const change of [{ status: "False" }, { reason: "x" }, { message: "x" }, { observedGeneration: 2 }] as const) {
    t.notOk(sameConditions(first, [{ ...first[0], ...change }, first[1]] as typeof first), JSON.stringify(change));
  }
});

t.test("a message longer than the API server takes is cut", async (t) => {
  const built = conditionsOf(undefined, [{ ...READY, message: "x".repeat(40_000) }], at("2026-11-23T10:00:00Z"));
  t.equal(built[0]?.message.length, 32_768);
});
