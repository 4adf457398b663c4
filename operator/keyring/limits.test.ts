// Limits for callers: how many at once, how many a second, and that one caller's excess is not another's.
import t from "tap";
import { Quota, Rate } from "./limits.js";

t.test("a rate gives so many at once and refills evenly, never beyond", async (t) => {
  let nowMs = 0;
  const rate = new Rate(4, () => nowMs);
  const takes = (times: number) => Array.from({ length: times }, () => rate.take());
  t.same(takes(5), [true, true, true, true, false]);
  nowMs += 250;
  t.same(takes(2), [true, false]);
  nowMs += 60_000;
  t.same(takes(5), [true, true, true, true, false]);
});

t.test("a rate may give more at once than it refills in a second, and says when it is used up", async (t) => {
  let nowMs = 0;
  const rate = new Rate(0.1, () => nowMs, 3);
  t.same([rate.take(), rate.take(), rate.used, rate.take(), rate.used], [true, true, false, true, true]);
  nowMs += 10_000;
  t.notOk(rate.used);
  t.same([rate.take(), rate.take()], [true, false]);
});

t.test("a quota refuses a caller's next call, lets others in, and frees what ended or failed", async (t) => {
  const quota = new Quota(2);
  const gate = Promise.withResolvers<void>();
  const running = [quota.within("a", () => gate.promise), quota.within("a", () => gate.promise)];
  await t.rejects(
    quota.within("a", async () => {}),
    { code: "Overloaded" },
  );
  t.equal(await quota.within("b", async () => "fine"), "fine");
  gate.resolve();
  await Promise.all(running);
  await t.rejects(
    quota.within("a", async () => Promise.reject(new Error("inner"))),
    { message: "inner" },
  );
  t.equal(await quota.within("a", async () => "again"), "again");
});
