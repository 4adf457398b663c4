// How the number of requests at once follows what the API server answers, on a clock that only the test moves.
import t from "tap";
import { FakeClock } from "./fake-clock.js";
import { Limiter, laneOfWork, type Pass } from "./limiter.js";
import type { Clock, Lane } from "./queue.js";

/** So many refusals, one after the other, are one in three of the last answers. */
const HEARD = 13;

/** A limiter, its limits as they were told, and a clock; timers fire so much before their time. */
function make(most: number, earlyMs = 0) {
  const clock = new FakeClock();
  const early: Clock = {
    now: () => clock.now(),
    after: (delayMs, run) => clock.after(delayMs - earlyMs, run),
  };
  const limits: number[] = [];
  const limiter = new Limiter({ most, clock: early, limited: (limit) => void limits.push(limit) });
  const gone: string[] = [];
  const passes = new Map<string, Pass>();
  const settle = () => new Promise(setImmediate);
  return {
    limits,
    gone,
    settle,
    /** Asks for a request of this name to go out. */
    async send(name: string, lane: Lane = "urgent", signal?: AbortSignal): Promise<unknown> {
      const failed = laneOfWork
        .run(lane, () => limiter.enter(signal))
        .then(
          (pass) => {
            gone.push(name);
            passes.set(name, pass);
            return undefined;
          },
          (reason: unknown) => reason,
        );
      await settle();
      return signal === undefined ? undefined : failed;
    },
    async answer(name: string, status: number, more: { retryAfterMs?: number; isQuick?: boolean } = {}): Promise<void> {
      passes.get(name)?.end(status === 0 ? undefined : { status, isQuick: true, ...more });
      await settle();
    },
    /** Sends so many requests one after the other, of which each is refused. */
    async refuse(count: number): Promise<void> {
      for (let at = 0; at < count; at++) {
        await this.send(`refused${at}`);
        await this.pass(1);
        await this.answer(`refused${at}`, 429);
      }
    },
    /** Time goes on. */
    async pass(ms: number): Promise<void> {
      clock.advance(ms);
      await settle();
    },
  };
}

t.test("so many go out at once and no more; people's changes go first, and one place is kept for them", async (t) => {
  const { send, answer, gone, limits } = make(3);
  for (const name of ["b1", "b2", "b3"]) await send(name, "background");
  t.strictSame(gone, ["b1", "b2"]);
  for (const name of ["u1", "u2"]) await send(name, "urgent");
  t.strictSame(gone, ["b1", "b2", "u1"]);
  await answer("b1", 200);
  t.strictSame(gone, ["b1", "b2", "u1", "u2"], "before what had waited for longer");
  await answer("u1", 200);
  t.strictSame(gone, ["b1", "b2", "u1", "u2"], "the kept place stays free");
  await answer("u2", 200);
  t.strictSame(gone, ["b1", "b2", "u1", "u2", "b3"]);
  t.strictSame(limits, [3]);
});

for (const [what, respond] of Object.entries({
  "429": (answer: ReturnType<typeof make>["answer"], name: string) => answer(name, 429),
  "503": (answer: ReturnType<typeof make>["answer"], name: string) => answer(name, 503),
})) {
  t.test(
    `${what} halves the limit, once for all that were on their way, and good answers raise it again`,
    async (t) => {
      const { send, answer, limits, pass } = make(16);
      const names = Array.from({ length: 16 }, (_, at) => `r${at}`);
      for (const name of names) await send(name);
      await pass(10);
      for (const name of names) await respond(answer, name);
      t.strictSame(limits, [16, 8]);
      for (let at = 0; at < 300; at++) {
        await send(`good${at}`);
        await pass(1);
        await answer(`good${at}`, 200);
      }
      t.strictSame(limits, [16, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    },
  );
}

t.test("one refusal in five slows down nobody but whoever was refused", async (t) => {
  const { send, answer, limits, pass } = make(16);
  for (let at = 0; at < 200; at++) {
    await send(`r${at}`);
    await pass(1);
    await answer(`r${at}`, at % 5 === 4 ? 429 : 200, { retryAfterMs: 1000 });
  }
  t.strictSame(limits, [16]);
});

t.test(
  "an answer that takes a second halves the limit; a list that takes one does not, nor does no answer",
  async (t) => {
    const { send, answer, limits, pass } = make(16);
    for (const name of ["list", "lost", "write"]) await send(name);
    await pass(1000);
    await answer("list", 200, { isQuick: false });
    await answer("lost", 0);
    t.strictSame(limits, [16]);
    await answer("write", 200);
    t.strictSame(limits, [16, 8]);
  },
);

t.test(
  "when few are still too many, nothing goes out for as long as was asked, and then people's changes first",
  async (t) => {
    const limiter = make(4);
    const { send, answer, limits, gone, pass } = limiter;
    await limiter.refuse(HEARD);
    t.strictSame(limits, [4, 2]);
    await send("last");
    await pass(1);
    await answer("last", 429, { retryAfterMs: 5000 });
    await send("b", "background");
    await send("u", "urgent");
    await pass(4999);
    t.strictSame(gone.slice(HEARD), ["last"]);
    await pass(1);
    t.strictSame(gone.slice(HEARD), ["last", "u"]);
    await answer("u", 200);
    t.strictSame(gone.slice(HEARD), ["last", "u", "b"]);
  },
);

t.test("a pause ends also when its timer fires before its time, as Node's do by less than a millisecond", async (t) => {
  const limiter = make(2, 0.5);
  const { send, answer, gone, pass } = limiter;
  await limiter.refuse(HEARD - 1);
  await send("last");
  await pass(1);
  await answer("last", 429, { retryAfterMs: 5000 });
  await send("u");
  await pass(4999.5);
  t.strictSame(gone.slice(HEARD), [], "not before the time that was asked for");
  await pass(1);
  t.strictSame(gone.slice(HEARD), ["u"]);
});

t.test("who gives up waiting leaves the line, and takes nobody's place", async (t) => {
  const { send, answer, gone } = make(2);
  await send("a");
  await send("b");
  const aborted = new AbortController();
  const failed = send("c", "urgent", aborted.signal);
  await send("d");
  aborted.abort(new TypeError("enough"));
  t.match(await failed, { message: "enough" });
  await answer("a", 200);
  t.strictSame(gone, ["a", "b", "d"]);
  t.match(await send("e", "urgent", AbortSignal.abort(new TypeError("before"))), { message: "before" });
});
