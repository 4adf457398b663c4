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

t.test(
  "a quota refuses a caller's next call and says why, lets others in, and has room again for each that ended",
  async (t) => {
    const quota = new Quota(2, "calls");
    const [free] = [quota.take("a"), quota.take("a")];
    t.throws(() => quota.take("a"), { code: "Overloaded", message: "a has 2 calls running, which is the limit" });
    quota.take("b");
    free();
    quota.take("a");
    t.throws(() => quota.take("a"), { code: "Overloaded" });
  },
);
