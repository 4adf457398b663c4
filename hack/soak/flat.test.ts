import t from "tap";
import { growth, isFlat, type Sample } from "./flat.js";

const samples = (valueAt: (minute: number) => number): Sample[] =>
  Array.from({ length: 30 }, (_, minute) => ({ atMs: minute * 60_000, value: valueAt(minute) }));
const ALLOWED = { share: 0.1, noise: 5 };

t.test("what grows only while it warms up is flat", async (t) => {
  t.ok(
    isFlat(
      samples((minute) => Math.min(100, 50 + 6 * minute)),
      ALLOWED,
    ),
  );
});

t.test("what goes up and down is flat", async (t) => {
  t.ok(
    isFlat(
      samples((minute) => 100 + (minute % 2 === 0 ? 20 : -20)),
      ALLOWED,
    ),
  );
});

t.test("what falls is flat", async (t) => {
  t.ok(
    isFlat(
      samples((minute) => 100 - minute),
      ALLOWED,
    ),
  );
});

t.test("what grows by a little with each sample is not", async (t) => {
  t.notOk(
    isFlat(
      samples((minute) => 100 + minute),
      ALLOWED,
    ),
  );
  t.equal(Math.round(growth(samples((minute) => 100 + minute)).grew), 19, "from the eleventh sample to the last");
});

t.test("of small numbers a little noise is no growth", async (t) => {
  t.ok(
    isFlat(
      samples((minute) => 20 + minute / 10),
      ALLOWED,
    ),
  );
});

t.test("two samples say nothing", async (t) => {
  t.throws(() => growth(samples((minute) => minute).slice(0, 2)), { message: /too few/ });
});
