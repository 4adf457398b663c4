import t from "tap";
import { judgeChanges, judgeQueue, judgeRate, type Look } from "./judge.js";

const KEPT = { heapMiB: 20, residentMiB: 100, handles: 30 };
const QUIET: Look = {
  atMs: 0,
  processes: { operator: KEPT, keyring: KEPT },
  depth: 0,
  oldestS: 0,
  live: "",
  changes: 0,
  applied: 0,
};

/** A look a minute; `of` tells what is not quiet. */
const looks = (minutes: number, of: (minute: number) => Partial<Look>): Look[] =>
  Array.from({ length: minutes }, (_, minute) => ({ ...QUIET, atMs: minute * 60_000, ...of(minute) }));

t.test(
  "a queue is stuck when its oldest key has waited for longer than any machine takes, at whatever look",
  async (t) => {
    const at = (oldestS: number) =>
      judgeQueue(
        looks(20, (minute) => (minute === 7 ? { oldestS, depth: 3 } : {})),
        "",
      );
    t.strictSame(at(60).wrong, []);
    t.equal(at(60).said, "at most 3 waited, the oldest for 60.0 s");
    t.strictSame(at(60.1).wrong, ["the oldest had waited for 60.1 s after 7.0 min"]);
  },
);

t.test("a queue is stuck when the operator says so, or when it does not get empty", async (t) => {
  const told = looks(20, (minute) => (minute === 3 ? { live: "/healthz: shop/api has been worked on for 200 s" } : {}));
  t.strictSame(judgeQueue(told, "").wrong, ["/healthz: shop/api has been worked on for 200 s"]);
  t.strictSame(
    judgeQueue(
      looks(20, () => ({})),
      "Error: not quiet",
    ).wrong,
    ["Error: not quiet"],
  );
});

t.test("fewer changes than were asked for are over, and nothing of it is wrong", async (t) => {
  const judged = (changes: number) => judgeRate({ changes }, 60, 50);
  t.equal(judged(2700).said, "45.0 changes a second, 50 asked for");
  t.strictSame(judged(2700).over, []);
  t.strictSame(judged(2699).over, ["less than 90 % of what was asked for: nothing is said of 50 a second"]);
  t.strictSame(judged(2699).wrong, []);
});

t.test("a change that was lost, applied twice or in the wrong order is wrong", async (t) => {
  const outcome = { changes: 10, applied: 9, repeated: [], wrong: [], lost: [], longestMs: 12 };
  t.strictSame(judgeChanges(outcome, []).wrong, []);
  t.equal(judgeChanges(outcome, []).said, "10 changes, 9 seen one by one, the longest wait 12 ms");
  const broken = { ...outcome, repeated: ["load-001: 3"], wrong: ["load-002 was deleted"], lost: ["load-003"] };
  t.strictSame(judgeChanges(broken, ["values changed no more"]).wrong, [
    "values changed no more",
    "load-002 was deleted",
    "lost: load-003",
    "written twice: load-001: 3",
  ]);
});
