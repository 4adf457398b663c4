// What is said of ends, and when: tables. That it is said on a cluster, and once, is hack/e2e/expiry.slow.ts.
import t from "tap";
import { expiringOf, expiryCondition, expiryHappenings, nextStageMs } from "./expiry.plan.js";

const END = "2027-02-18T00:00:00Z";
const DAY_MS = 24 * 3600_000;
const WARNING_MS = 14 * DAY_MS;
const before = (ms: number) => new Date(Date.parse(END) - ms);
const A = { key: "A", expires: END };

const STAGES: readonly (readonly [
  title: string,
  leftMs: number,
  warningMs: number,
  said: string | undefined,
  nextMs: number | undefined,
])[] = [
  ["a year before", 365 * DAY_MS, WARNING_MS, undefined, 351 * DAY_MS],
  ["a moment before the warning", WARNING_MS + 1, WARNING_MS, undefined, 1],
  ["at the warning", WARNING_MS, WARNING_MS, "ExpiresSoon", 13 * DAY_MS],
  ["two days before", 2 * DAY_MS, WARNING_MS, "ExpiresSoon", DAY_MS],
  ["a day before", DAY_MS, WARNING_MS, "ExpiresWithinADay", DAY_MS],
  ["a moment before", 1, WARNING_MS, "ExpiresWithinADay", 1],
  ["at the end", 0, WARNING_MS, "Expired", undefined],
  ["a year later", -365 * DAY_MS, WARNING_MS, "Expired", undefined],
  ["two seconds before, where the warning is an hour", 2_000, 3600_000, "ExpiresWithinADay", 2_000],
  ["a day before, where the warning is a day", DAY_MS, DAY_MS, "ExpiresWithinADay", DAY_MS],
  ["two days before, where the warning is a day", 2 * DAY_MS, DAY_MS, undefined, DAY_MS],
  ["a second before, where there is no warning", 1_000, 0, undefined, 1_000],
];
for (const [title, leftMs, warningMs, said, nextMs] of STAGES) {
  t.test(`${title}: ${said ?? "nothing is said"}`, async (t) => {
    const now = before(leftMs);
    t.strictSame(expiringOf([A], now, warningMs), said === undefined ? [] : [{ ...A, reason: said }]);
    t.equal(nextStageMs([A], now, warningMs), nextMs);
  });
}

t.test(
  "of several values the first stage that comes is waited for, and the end that is nearest gives the reason",
  async (t) => {
    const later = { key: "B", expires: "2027-02-28T00:00:00Z" };
    t.equal(nextStageMs([A, later], before(DAY_MS / 2), WARNING_MS), DAY_MS / 2);
    t.equal(nextStageMs([], before(0), WARNING_MS), undefined);
    const [said] = expiryCondition(expiringOf([A, later], before(0), WARNING_MS));
    t.match(said, { type: "Expiring", status: "True", reason: "Expired" });
    t.match(said?.message, "zopp expire`: A (2027-02-18T00:00:00Z), B (2027-02-28T00:00:00Z)");
    t.strictSame(expiryCondition([]), [], "and where there is nothing to say there is no condition");
  },
);

const soon = { ...A, reason: "ExpiresSoon" };
const ended = { ...A, reason: "Expired" };
const NEWS: Record<
  string,
  readonly [previous: readonly (typeof soon)[], next: readonly (typeof soon)[], said: readonly string[]]
> = {
  "a value that comes near": [[], [soon], ["ExpiresSoon"]],
  "a value of which that was said": [[soon], [soon], []],
  "a value that has ended since": [[soon], [ended], ["Expired"]],
  "a value that has ended while nobody looked": [[], [ended], ["Expired"]],
  "a clock that went back": [[ended], [soon], []],
  "a clock that went back before the warning": [[ended], [], []],
  "the same value under another end": [[ended], [{ ...soon, expires: "2027-03-01T00:00:00Z" }], ["ExpiresSoon"]],
  "another value beside one that was spoken of": [[soon], [soon, { ...soon, key: "B" }], ["ExpiresSoon"]],
  "two values with one end": [[], [soon, { ...soon, key: "B" }], ["ExpiresSoon"]],
  "two values with two ends": [
    [],
    [soon, { ...soon, key: "B", expires: "2027-02-19T00:00:00Z" }],
    ["ExpiresSoon", "ExpiresSoon"],
  ],
};
for (const [title, [previous, next, said]] of Object.entries(NEWS)) {
  t.test(`${title}: ${said.join(" and ") || "no event"}`, async (t) => {
    t.strictSame(
      expiryHappenings(previous, next).map(({ reason }) => reason),
      said,
    );
  });
}

t.test("an event names keys, end and next step, and of one stage it is the same whenever it is said", async (t) => {
  const B = { ...ended, key: "B" };
  const [first] = expiryHappenings([soon], [ended, B]);
  t.match(first, { type: "Warning", message: /^A, B ended at 2027-02-18T00:00:00Z: write new values with `zopp set`/ });
  t.match(expiryHappenings([], [soon])[0]?.message, /^A ends at 2027/);
  const [again] = expiryHappenings([], [ended, B]);
  t.strictSame([again?.digest, again?.reason], [first?.digest, first?.reason]);
  t.not(expiryHappenings([], [ended])[0]?.digest, first?.digest);
});
