import t from "tap";
import { lineOf, plan } from "./plan.js";
import { KINDS } from "./run.js";

const SEED = 7;

t.test("the same seed gives the same faults, to the letter, and more of them begin with the same", async (t) => {
  const lines = (count: number) => plan(KINDS, SEED, count).map(lineOf);
  t.strictSame(lines(200), lines(200));
  t.strictSame(lines(200).slice(0, 25), lines(25));
});

t.test("another seed gives others", async (t) => {
  t.notSame(plan(KINDS, SEED, 25).map(lineOf), plan(KINDS, SEED + 1, 25).map(lineOf));
});

t.test("faults overlap, but never two of one lane", async (t) => {
  const planned = plan(KINDS, SEED, 200);
  const together = (one: (typeof planned)[number]) =>
    planned.filter((other) => other !== one && other.atMs >= one.atMs && other.atMs < one.atMs + one.forMs);
  t.ok(planned.filter((one) => together(one).length > 0).length > 100, "most begin while another one lasts");
  for (const one of planned)
    t.notOk(
      together(one).some(({ kind }) => kind.lane === one.kind.lane),
      lineOf(one),
    );
});

t.test("every kind comes once before any comes again, in an order of the seed", async (t) => {
  const drawn = plan(KINDS, SEED, 200).map(({ kind }) => kind);
  t.ok(KINDS.length < 200);
  t.equal(new Set(drawn.slice(0, KINDS.length)).size, KINDS.length);
  t.notSame(drawn.slice(0, KINDS.length), KINDS);
});

t.test("no two kinds have one name", async (t) => {
  t.equal(new Set(KINDS.map(({ title }) => title)).size, KINDS.length);
});
