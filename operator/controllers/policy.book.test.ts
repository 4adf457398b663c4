import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import type { Description, PolicyState } from "../keyring/client.types.js";
import { silentLog } from "../kube/observe.js";
import type { Clock } from "../kube/queue.js";
import { acceptedFor, differences, PolicyBook, type PolicyChange, policyReasons } from "./policy.book.js";

function state(name: string, digest?: string, changes: Partial<PolicyState> = {}): PolicyState {
  const accepted = digest === undefined ? {} : { accepted: { version: 1, digest } };
  return { name, uid: `uid-${name}`, generation: 1, ...accepted, ...changes };
}

function description(
  workspaces: readonly PolicyState[],
  environments: readonly PolicyState[] = [],
  baselines: readonly PolicyState[] = [],
): Description {
  const cluster = { signingKey: "ed25519:", encryptionKey: "xwing:", log: "l" };
  return { cluster, ready: true, workspaces, environments, baselines };
}

const ACME = description([state("acme", "w1")], [state("acme.shop.prod", "e1"), state("acme.shop.dev")]);

t.test("accepted policy is told as workspace, environment, baseline", async (t) => {
  const listed = description(ACME.workspaces, ACME.environments, [state("acme.shop.prod", "b1")]);
  t.strictSame(acceptedFor(listed, "acme/shop/prod"), ["w1", "e1", "b1"]);
  t.strictSame(acceptedFor(ACME, "acme/shop/prod"), ["w1", "e1"]);
  t.strictSame(acceptedFor(ACME, "acme/shop/dev"), ["w1"]);
  t.strictSame(acceptedFor(ACME, "acme/shop/none"), ["w1"]);
  t.strictSame(acceptedFor(ACME, "other/shop/prod"), []);
});

t.test("what is refused counts as that, though a version before it is in force", async (t) => {
  const refused = { refused: { code: "LedgerLost", message: "another log" } } as const;
  const environments = [state("acme.shop.prod", "e1", refused), state("acme.shop.dev"), state("acme.shop.test", "e3")];
  t.strictSame(policyReasons(description([state("acme", "w1")], environments)), [
    { kind: "ZoppWorkspace", reason: "Accepted", count: 1 },
    { kind: "ZoppEnvironment", reason: "LedgerLost", count: 1 },
    { kind: "ZoppEnvironment", reason: "Waiting", count: 1 },
    { kind: "ZoppEnvironment", reason: "Accepted", count: 1 },
  ]);
  t.strictSame(policyReasons(undefined), [], "a keyring that has not spoken");
});

const CHANGES: Record<string, { now: Description; want: Record<keyof Omit<PolicyChange, "recovered">, string[]> }> = {
  "nothing changed": { now: ACME, want: { workspaces: [], environments: [], baselines: [], accepted: [] } },
  "a new workspace digest concerns all its environments": {
    now: description([state("acme", "w2")], ACME.environments),
    want: { workspaces: ["acme"], environments: [], baselines: [], accepted: ["acme/shop/dev", "acme/shop/prod"] },
  },
  "a new environment digest concerns that environment": {
    now: description(ACME.workspaces, [state("acme.shop.prod", "e2"), state("acme.shop.dev")]),
    want: { workspaces: [], environments: ["acme.shop.prod"], baselines: [], accepted: ["acme/shop/prod"] },
  },
  "a refusal is a change of state, not of what is accepted": {
    now: description(ACME.workspaces, [
      state("acme.shop.prod", "e1", { generation: 2, refused: { code: "SignatureInvalid", message: "no" } }),
      state("acme.shop.dev"),
    ]),
    want: { workspaces: [], environments: ["acme.shop.prod"], baselines: [], accepted: [] },
  },
  "a baseline that comes into force concerns its environment": {
    now: description(ACME.workspaces, ACME.environments, [state("acme.shop.prod", "b1")]),
    want: { workspaces: [], environments: [], baselines: ["acme.shop.prod"], accepted: ["acme/shop/prod"] },
  },
  "an environment that is gone is a change": {
    now: description(ACME.workspaces, [state("acme.shop.dev")]),
    want: { workspaces: [], environments: ["acme.shop.prod"], baselines: [], accepted: ["acme/shop/prod"] },
  },
};
for (const [title, { now, want }] of Object.entries(CHANGES)) {
  t.test(title, async (t) => {
    const change = differences(ACME, now, false);
    for (const name of ["workspaces", "environments", "accepted"] as const) {
      t.strictSame([...change[name]].sort(), want[name], name);
    }
  });
}

/** A book whose clock and keyring are driven by the test. */
function setup(answers: (Description | ZoppError)[]) {
  const timers: { delayMs: number; run: () => void }[] = [];
  const clock: Clock = {
    now: () => 0,
    after(delayMs, run) {
      const timer = { delayMs, run };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0);
    },
  };
  const waiting = { pending: false };
  const changes: PolicyChange[] = [];
  const asked = { times: 0 };
  const book = new PolicyBook({
    keyring: {
      describe: async () => {
        asked.times += 1;
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        if (answer instanceof ZoppError) throw answer;
        return answer as Description;
      },
    },
    log: silentLog,
    pending: () => waiting.pending,
    changed: (change) => changes.push(change),
    clock,
  });
  /** Lets the pending answer arrive; gives when the keyring will be asked next. */
  const settle = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return timers.map(({ delayMs }) => delayMs);
  };
  const next = async () => {
    timers.shift()?.run();
    return settle();
  };
  /** Lets the keyring be asked until all is quiet; gives the delays. */
  const calm = async () => {
    const delays: number[] = [];
    while (delays.at(-1) !== 30_000 && delays.length < 20) delays.push(...(await next()));
    return delays;
  };
  return { book, changes, asked, waiting, settle, next, calm };
}

/** The delays after a change, from the second question on, when nothing waits. */
const CALMING = [200, 400, 800, 1600, 3200, 5000, 30_000];

t.test("a quiet keyring is asked every 30 s, and no change is told twice", async (t) => {
  const { book, changes, settle, next, calm } = setup([ACME]);
  book.start();
  t.equal(book.problem, "keyring: not asked yet");
  t.equal(book.policyOf("acme/shop/prod"), undefined);
  t.strictSame(await settle(), CALMING.slice(0, 1));
  t.strictSame(await calm(), CALMING.slice(1));
  t.equal(changes.length, 1);
  t.equal(changes[0]?.recovered, true);
  t.strictSame(book.policyOf("acme/shop/prod"), ["w1", "e1"]);
  t.equal(book.problem, null);
  t.strictSame(await next(), [30_000]);
  t.equal(changes.length, 1);
  await book.stop();
});

t.test("nothing asks the keyring before its time, and that it was not asked is no problem", async (t) => {
  const { book, asked, next } = setup([ACME]);
  book.poke();
  await next();
  book.doubt();
  await book.refresh();
  t.equal(asked.times, 0);
  t.equal(book.problem, null);
  book.start();
  await book.stop();
  t.equal(asked.times, 1);
});

t.test(
  "after a change the keyring is asked soon, then more and more seldom, and as long as something waits",
  async (t) => {
    const { book, waiting, settle, next, calm } = setup([ACME]);
    book.start();
    await settle();
    await calm();
    waiting.pending = true;
    book.poke();
    t.strictSame(await settle(), [100]);
    const delays: number[] = [];
    for (let n = 0; n < 8; n += 1) delays.push(...(await next()));
    t.strictSame(delays, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    waiting.pending = false;
    t.strictSame(await next(), [30_000]);
    book.poke();
    await settle();
    t.strictSame(await calm(), CALMING);
    await book.stop();
  },
);

t.test(
  "policy that comes into force is followed to its end: environments may come seconds after their workspace",
  async (t) => {
    const lost = { refused: { code: "LedgerLost" as const, message: "another log" } };
    const before = description([state("acme", "w1")], [state("acme.shop.prod", undefined, lost)]);
    const between = description([state("acme", "w2")], before.environments);
    const after = description(between.workspaces, [state("acme.shop.prod", "e2")]);
    const answers = [before];
    const { book, settle, next, calm } = setup(answers);
    book.start();
    await settle();
    await calm();
    answers.splice(0, 1, between, between, between, after);
    t.strictSame(await next(), [200], "the keyring is still judging, though nothing in the API waits");
    t.strictSame([...(await next()), ...(await next())], [400, 800]);
    t.strictSame(await next(), [200], "and each piece of news is followed like the first");
    t.strictSame(book.policyOf("acme/shop/prod"), ["w2", "e2"]);
    t.strictSame(await calm(), CALMING.slice(1));
    await book.stop();
  },
);

t.test("a change while the keyring is being asked makes it be asked again", async (t) => {
  const { book, asked, settle, next, calm } = setup([ACME]);
  book.start();
  await settle();
  await calm();
  const before = asked.times;
  void book.refresh();
  book.poke();
  t.strictSame(await settle(), [200]);
  await next();
  t.equal(asked.times, before + 2);
  await book.stop();
});

t.test("a keyring that does not answer is a problem until it answers, which is told", async (t) => {
  const { book, changes, settle, next } = setup([ACME, new ZoppError("KeyringUnavailable", "no"), ACME]);
  book.start();
  await settle();
  await next();
  t.equal(book.problem, "keyring: KeyringUnavailable");
  t.strictSame(book.policyOf("acme/shop/prod"), ["w1", "e1"], "what it said before still holds");
  await next();
  t.equal(book.problem, null);
  t.strictSame(
    changes.map(({ recovered }) => recovered),
    [true, true],
  );
  await book.stop();
});

t.test("a keyring that does not answer is asked every second", async (t) => {
  const { book, settle, next } = setup([new ZoppError("KeyringUnavailable", "no")]);
  book.start();
  const delays = [...(await settle())];
  for (let n = 0; n < 5; n += 1) delays.push(...(await next()));
  t.strictSame(delays, [200, 400, 800, 1000, 1000, 1000]);
  await book.stop();
});

t.test(
  "a call without an answer makes a quiet keyring be asked at once, and no oftener when it is known to be away",
  async (t) => {
    const { book, asked, settle } = setup([ACME, new ZoppError("KeyringUnavailable", "no")]);
    book.start();
    await settle();
    book.doubt();
    t.strictSame(await settle(), [200]);
    t.equal(book.problem, "keyring: KeyringUnavailable");
    book.doubt();
    await settle();
    t.equal(asked.times, 2);
    await book.stop();
  },
);

t.test("whoever needs to know now is told what the keyring says now", async (t) => {
  const asking = state("acme.shop.prod", "e1", { approvals: true });
  const { book, asked, settle } = setup([
    description([state("acme", "w1")], [state("acme.shop.prod")]),
    description([state("acme", "w1")], [asking, state("acme.shop.dev", "e2")]),
  ]);
  book.start();
  await settle();
  t.equal(book.asksApprovals("acme/shop/prod"), undefined, "an environment that is not accepted says nothing");
  await Promise.all([book.refresh(), book.refresh()]);
  t.equal(book.asksApprovals("acme/shop/prod"), true);
  t.equal(book.asksApprovals("acme/shop/dev"), false);
  t.equal(asked.times, 2, "and two who ask at once share the answer");
  await book.stop();
});

t.test("a stopped book asks nothing", async (t) => {
  const { book, asked, settle } = setup([ACME]);
  book.start();
  await settle();
  await book.stop();
  book.poke();
  t.strictSame(await settle(), []);
  t.equal(asked.times, 1);
});
