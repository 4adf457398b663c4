// What goes together into one call, and what becomes of those whose call was given up, failed or was answered in part.
import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import { Batcher } from "./batch.js";

/** A batcher whose calls a test answers; `sent` are their items. */
function setup(answer: (items: readonly string[]) => Promise<readonly string[]> = async (items) => items) {
  const sent: string[][] = [];
  const batcher = new Batcher<string, string>((items) => {
    sent.push(items);
    return answer(items);
  });
  return { batcher, sent };
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
  const { batcher, sent } = setup(async (items) => {
    if (fails) throw new ZoppError("AuditUnavailable", "nothing is released");
    return items;
  });
  const both = await Promise.allSettled([batcher.add("a", 1), batcher.add("b", 1)]);
  t.match(both, Array(2).fill({ status: "rejected", reason: { code: "AuditUnavailable" } }));
  fails = false;
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
