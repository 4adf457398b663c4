import t from "tap";
import { atLeast, atMost, below, isKept, loadTable, none, type Row } from "./rows.js";

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

t.test("a row keeps its limits only if it keeps each of them", async (t) => {
  t.equal(isKept(row([atLeast(0.748, 0.5), none(0, "writes")])), true);
  t.equal(isKept(row([atLeast(0.748, 0.5), none(1, "writes")])), false);
});

t.test("the table says what, ratio, figures, limits and the verdict", async (t) => {
  const text = loadTable([row([atLeast(0.748, 0.75)]), row([atLeast(0.748, 0.5)])]);
  const [, over, ok] = text.split("\n").map((line) => line.split(/ {2,}/));
  t.strictSame(over, ["burst", "75 %", "bundles 1000, s 7.13", ">= 75 % of raw", "over"]);
  t.strictSame(ok, ["burst", "75 %", "bundles 1000, s 7.13", ">= 50 % of raw", "ok"]);
});
