// What one key may take, and that its excess costs nobody else anything.
import t from "tap";
import { Callers } from "./callers.js";

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

t.test("a key has so many connections; one that ends makes room, and another key has its own", async (t) => {
  const callers = new Callers(() => 0);
  t.ok(times(8, () => callers.came("a")).every(Boolean));
  t.notOk(callers.came("a"));
  t.ok(callers.came("b"));
  callers.left("a");
  t.ok(callers.came("a"));
});

t.test("calls beyond the rate are refused, and a key that goes on is cut off for a while", async (t) => {
  let now = 0;
  const callers = new Callers(() => now);
  t.ok(times(50, () => callers.calls("a")).every((verdict) => verdict === "call"));
  t.ok(times(100, () => callers.calls("a")).every((verdict) => verdict === "refuse"));
  t.equal(callers.calls("a"), "cut");
  t.notOk(callers.came("a"), "nor may it come again");
  t.equal(callers.calls("b"), "call");
  now += 10_001;
  t.ok(callers.came("a"));
  t.equal(callers.calls("a"), "call");
});

t.test("who is refused now and then is never cut off", async (t) => {
  let now = 0;
  const callers = new Callers(() => now);
  for (let minute = 0; minute < 10; minute += 1, now += 60_000)
    t.notOk(times(120, () => callers.calls("a")).includes("cut"));
});

t.test("an address begins so many handshakes a second; another one is not held up", async (t) => {
  let now = 0;
  const callers = new Callers(() => now);
  t.equal(times(200, () => callers.knocks("10.0.0.1")).filter(Boolean).length, 50);
  t.ok(callers.knocks("10.0.0.2"));
  now += 1000;
  t.ok(callers.knocks("10.0.0.1"));
});

t.test("strangers hold no door shut: the oldest of too many goes", async (t) => {
  const callers = new Callers(() => 0);
  const closed: number[] = [];
  const done = times(64, () => 0).map((_, at) => callers.stranger(() => closed.push(at)));
  t.same(closed, []);
  callers.stranger(() => closed.push(64));
  t.same(closed, [0]);
  done[1]?.(); // it was admitted, or left
  callers.stranger(() => closed.push(65));
  t.same(closed, [0]);
});
