// What goes together into one call, and what becomes of those whose call was given up, failed or was answered in part.
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import { FakeClock } from "../kube/fake-clock.js";
import { laneOfWork } from "../kube/limiter.js";
import { Batcher } from "./batch.js";

/** A batcher whose calls a test answers; `sent` are their items. */
function setup(answer: (items: readonly string[]) => Promise<readonly string[]> = async (items) => items) {
  const sent: string[][] = [];
  const clock = new FakeClock();
  const call = (items: readonly string[]) => {
    sent.push([...items]);
    return answer(items);
  };
  return { batcher: new Batcher<string, string>(call, clock), clock, sent };
}

t.test("what is asked for in one turn goes together, and each gets its own answer", async (t) => {
  const { batcher, sent } = setup(async (items) => items.map((item) => `${item}!`));
  t.strictSame(await Promise.all(["a", "b", "c"].map((item) => batcher.add(item, 1))), ["a!", "b!", "c!"]);
  t.strictSame(sent, [["a", "b", "c"]]);
});

t.test("a call that nobody waits for any more is not sent, and says so in our own words", async (t) => {
  const { batcher, sent } = setup();
  const abort = new AbortController();
  const gone = batcher.add("gone", 1, abort.signal);
  const stayed = batcher.add("stayed", 1, new AbortController().signal);
  abort.abort();
  const message = "the call was aborted before it was sent";
  await t.rejects(gone, { constructor: ZoppError, code: "KeyringUnavailable", message });
  t.equal(await stayed, "stayed");
  t.strictSame(sent, [["stayed"]]);
});

t.test("a call that fails fails all that were in it, and the next one is made all the same", async (t) => {
  let fails = true;
  const { batcher, clock, sent } = setup(async (items) => {
    if (fails) throw new ZoppError("AuditUnavailable", "nothing is released");
    return items;
  });
  const both = await Promise.allSettled([batcher.add("a", 1), batcher.add("b", 1)]);
  t.match(both, Array(2).fill({ status: "rejected", reason: { code: "AuditUnavailable" } }));
  fails = false;
  clock.advance(100);
  t.equal(await batcher.add("c", 1), "c");
  t.strictSame(sent, [["a", "b"], ["c"]]);
});

t.test("too few answers are an error of those that have none", async (t) => {
  const { batcher } = setup(async ([first = ""]) => [first]);
  const [one, other] = await Promise.allSettled([batcher.add("a", 1), batcher.add("b", 1)]);
  t.match(one, { status: "fulfilled", value: "a" });
  t.match(other, { status: "rejected", reason: TypeError });
});

t.test("a call holds no more than its size allows, but always one", async (t) => {
  const { batcher, sent } = setup();
  const large = 1.5 * 1024 * 1024;
  await Promise.all([batcher.add("a", 2 * large), batcher.add("b", large), batcher.add("c", large)]);
  t.strictSame(sent, [["a"], ["b"], ["c"]]);
});

t.test("after a call of several the next one gathers, for less long where a person's change waits", async (t) => {
  const { batcher, clock, sent } = setup();
  const backgroundWork = (item: string) => laneOfWork.run("background", () => batcher.add(item, 1));
  await Promise.all([backgroundWork("a"), backgroundWork("b")]);
  const first = [backgroundWork("c")];
  await turn();
  clock.advance(150);
  t.strictSame(sent, [["a", "b"]], "only what is looked at again waits");
  first.push(batcher.add("urgent", 1));
  await Promise.all(first);
  t.strictSame(sent.at(-1), ["c", "urgent"], "all that waits goes with it");
  const second = [backgroundWork("d"), batcher.add("e", 1)];
  await turn();
  clock.advance(99);
  t.equal(sent.length, 2);
  clock.advance(1);
  await Promise.all(second);
  t.strictSame(sent.at(-1), ["d", "e"]);
  const third = backgroundWork("f");
  await turn();
  clock.advance(199);
  t.equal(sent.length, 3);
  clock.advance(1);
  await third;
  clock.advance(1000);
  await backgroundWork("after a pause, at once");
  t.equal(sent.length, 5);
});
