import t from "tap";
import { atLeast, atMost, below, loadTable, none, type Row, verdictOf, wrongIn } from "./rows.js";

const row = (limits: Row["limits"]): Row => ({
  what: "burst",
  figures: { bundles: 1000, s: 7.126 },
  ratio: 0.748,
  limits,
});

t.test("a limit is kept exactly up to itself, and no rounding helps", async (t) => {
  t.equal(atLeast(0.75, 0.75).kept, true);
  t.equal(atLeast(0.7499, 0.75).kept, false);
  t.equal(atMost(1.1, 1.1, "the edits' time").kept, true);
  t.equal(atMost(1.1001, 1.1, "the edits' time").kept, false);
  t.equal(below(4, 4, "ms CPU").kept, true);
  t.equal(below(4.004, 4, "ms CPU").kept, false);
  t.equal(none(0, "writes").kept, true);
  t.equal(none(1, "writes").kept, false);
});

t.test("what is not a number keeps no limit", async (t) => {
  for (const limit of [
    atLeast(Number.NaN, 0.5),
    atMost(Number.NaN, 2, "raw"),
    below(Number.NaN, 2, "s"),
    none(Number.NaN, "opens"),
  ]) {
    t.equal(limit.kept, false, limit.text);
  }
});

t.test(
  "a row keeps its limits only if it keeps each of them, and is wrong where no machine is too slow for one",
  async (t) => {
    const [kept, slow, broken] = [atLeast(0.748, 0.5), atLeast(0.748, 0.75), none(3, "writes")];
    const figures = "bundles 1000, s 7.13";
    const cases = [
      { limits: [kept, none(0, "writes")], verdict: "ok", wrong: [] },
      { limits: [slow, none(0, "writes")], verdict: "over", wrong: [] },
      { limits: [atMost(2, 1.1, "raw")], verdict: "over", wrong: [] },
      { limits: [below(31, 30, "s")], verdict: "over", wrong: [] },
      { limits: [kept, broken], verdict: "wrong", wrong: [`burst: not 0 writes: ${figures}`] },
      {
        limits: [none(1, "opens"), slow, broken],
        verdict: "wrong",
        wrong: [`burst: not 0 opens: ${figures}`, `burst: not 0 writes: ${figures}`],
      },
      { limits: [none(Number.NaN, "opens")], verdict: "wrong", wrong: [`burst: not 0 opens: ${figures}`] },
    ];
    for (const { limits, verdict, wrong } of cases) {
      const what = limits.map(({ text }) => text).join(", ");
      t.equal(verdictOf(row(limits)), verdict, what);
      t.strictSame(wrongIn(row(limits)), wrong, what);
    }
  },
);

t.test("the table says what, ratio, figures, limits and the verdict", async (t) => {
  const text = loadTable([row([atLeast(0.748, 0.75)]), row([atLeast(0.748, 0.5)]), row([none(1, "writes")])]);
  const [, over, ok, wrong] = text.split("\n").map((line) => line.split(/ {2,}/));
  t.strictSame(over, ["burst", "75 %", "bundles 1000, s 7.13", ">= 75 % of raw", "over"]);
  t.strictSame(ok, ["burst", "75 %", "bundles 1000, s 7.13", ">= 50 % of raw", "ok"]);
  t.strictSame(wrong, ["burst", "75 %", "bundles 1000, s 7.13", "0 writes", "wrong"]);
});
