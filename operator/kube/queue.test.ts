// The queue's promises, on a clock that only the test moves.

import t from "tap";
import { backoffMs } from "./backoff.js";
import { FakeClock } from "./fake-clock.js";
import { Queue, type QueueOptions } from "./queue.js";

function make(options: Partial<QueueOptions> = {}): { queue: Queue; clock: FakeClock } {
  const clock = new FakeClock();
  return { clock, queue: new Queue({ name: "test", clock, random: () => 0.5, ...options }) };
}

/** Takes everything that waits, in order, giving each key back. */
async function takeAll(queue: Queue): Promise<string[]> {
  const taken: string[] = [];
  while (queue.depth > 0) {
    const key = await queue.get();
    if (key === null) break;
    taken.push(key);
    queue.done(key);
  }
  return taken;
}

t.test("a key added twice is worked on once", async (t) => {
  const { queue } = make();
  queue.add("a");
  queue.add("b");
  queue.add("a");
  t.same(await takeAll(queue), ["a", "b"]);
});

t.test("urgent keys overtake background ones, and a waiting key moves up", async (t) => {
  const { queue } = make();
  for (const key of ["a", "b", "c"]) queue.add(key, "background");
  queue.add("x", "urgent");
  queue.add("c", "urgent");
  queue.add("x", "background");
  t.same(await takeAll(queue), ["x", "c", "a", "b"]);
});

t.test("no key is worked on twice at once; one added meanwhile comes again, once", async (t) => {
  const { queue } = make();
  queue.add("a");
  t.equal(await queue.get(), "a");
  queue.add("a");
  queue.add("a");
  t.equal(queue.depth, 0);
  queue.done("a");
  t.same(await takeAll(queue), ["a"]);
});

t.test("a key added while active keeps the more urgent of its lanes", async (t) => {
  const { queue } = make();
  queue.add("a");
  await queue.get();
  queue.add("a", "urgent");
  queue.add("a", "background");
  queue.add("b", "background");
  queue.done("a");
  t.same(await takeAll(queue), ["a", "b"]);
});

t.test("giving back a key that was not taken is a programmer's error", async (t) => {
  t.throws(() => make().queue.done("a"), TypeError);
});

t.test("get waits for a key, and waiters are served in turn", async (t) => {
  const { queue } = make();
  const first = queue.get();
  const second = queue.get();
  queue.add("a");
  queue.add("b");
  t.same(await Promise.all([first, second]), ["a", "b"]);
});

t.test("of two delays the earlier counts, whichever came first", async (t) => {
  const { queue, clock } = make();
  queue.addAfter("a", 1000);
  queue.addAfter("a", 100);
  queue.addAfter("a", 5000);
  clock.advance(99);
  t.equal(queue.depth, 0);
  clock.advance(1);
  t.same(await takeAll(queue), ["a"]);
  clock.advance(10_000);
  t.equal(queue.depth, 0, "the other delays are gone");
});

t.test("an immediate add takes a delay's place, and a waiting key is not delayed", async (t) => {
  const { queue, clock } = make();
  queue.addAfter("a", 100);
  queue.add("a");
  queue.addAfter("a", 50);
  t.same(await takeAll(queue), ["a"]);
  t.equal(clock.pending, 0);
});

t.test("a delay longer than a timer can hold does not fire at once", async (t) => {
  const { queue, clock } = make();
  queue.addAfter("a", 2 ** 40);
  clock.advance(86_400_000);
  t.equal(queue.depth, 0);
  t.equal(clock.pending, 1);
});

t.test("failures double the delay up to the cap, in the lane the key was in, until forgotten", async (t) => {
  const { queue, clock } = make({ backoff: { firstMs: 10, capMs: 40 } });
  const delays: number[] = [];
  for (let failure = 0; failure < 4; failure++) {
    queue.add("a", "urgent");
    await queue.get();
    delays.push(queue.addRateLimited("a"));
    queue.done("a");
  }
  t.same(delays, [10, 20, 40, 40]);
  queue.add("b", "background");
  clock.advance(40);
  t.same(await takeAll(queue), ["a", "b"], "the retry of an urgent key is urgent");
  queue.forget("a");
  t.equal(queue.addRateLimited("a"), 10);
  t.equal(queue.addRateLimited("c", 7000), 7000, "the server's wish is respected");
});

t.test("backoff stays within a fifth of its value and below its cap", async (t) => {
  const limits = { firstMs: 5, capMs: 300_000 };
  t.equal(
    backoffMs(1, limits, () => 0),
    4,
  );
  t.equal(Math.round(backoffMs(1, limits, () => 1)), 6);
  t.equal(
    backoffMs(5000, limits, () => 0.5),
    300_000,
  );
});

t.test("shutdown drops what waits, refuses what comes, and waits for what is active", async (t) => {
  const { queue, clock } = make();
  queue.add("a");
  queue.add("b");
  queue.addAfter("c", 10);
  await queue.get();
  const waiting = make().queue;
  const idle = waiting.get();
  await waiting.shutdown();
  t.equal(await idle, null, "waiters are told");

  let drained = false;
  const shutdown = queue.shutdown().then(() => {
    drained = true;
  });
  queue.add("d");
  clock.advance(100);
  t.equal(await queue.get(), null);
  t.equal(drained, false, "a is still being worked on");
  queue.add("a");
  queue.done("a");
  await shutdown;
  t.equal(queue.depth, 0, "not even again");
});

t.test("ages tell what waits and what is stuck", async (t) => {
  const { queue, clock } = make();
  t.equal(queue.oldestWaitingMs, 0);
  t.equal(queue.longestActive, null);
  queue.add("a", "background");
  clock.advance(50);
  queue.add("b");
  t.equal(queue.oldestWaitingMs, 50, "over both lanes");
  t.equal(await queue.get(), "b");
  clock.advance(70);
  t.equal(await queue.get(), "a");
  t.same(queue.longestActive, { key: "b", forMs: 70 });
  queue.done("b");
  t.same(queue.longestActive, { key: "a", forMs: 0 });
});

t.test("hooks see adds, waits, work and retries", async (t) => {
  const seen: unknown[] = [];
  const hooks = {
    added: () => seen.push("added"),
    retried: () => seen.push("retried"),
    started: (_: string, seconds: number) => seen.push(["started", seconds]),
    finished: (_: string, seconds: number) => seen.push(["finished", seconds]),
  };
  const { queue, clock } = make({ hooks });
  queue.add("a");
  queue.add("a");
  clock.advance(2000);
  await queue.get();
  clock.advance(1000);
  queue.addRateLimited("a");
  queue.done("a");
  t.same(seen, ["added", ["started", 2], "retried", ["finished", 1]]);
});
