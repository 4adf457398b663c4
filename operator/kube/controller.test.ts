// What a controller does with each way in which a reconcile can end.

import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import { eventually } from "../../hack/eventually.js";
import { Controller, type Reconcile } from "./controller.js";
import { apiError } from "./errors.js";
import { type Log, silentLog } from "./observe.js";
import { Queue } from "./queue.js";

interface Run {
  readonly queue: Queue;
  readonly controller: Controller;
  readonly results: string[];
  readonly logged: { level: string; fields: unknown }[];
}

function run(reconcile: Reconcile, timeoutMs = 5000): Run {
  const results: string[] = [];
  const logged: Run["logged"] = [];
  const into = (level: string) => (fields: object) => void logged.push({ level, fields });
  const log: Log = { debug: into("debug"), info: into("info"), warn: into("warn"), error: into("error") };
  const queue = new Queue({ name: "test", backoff: { firstMs: 1, capMs: 5 } });
  const hooks = { reconciled: (_: string, result: string) => void results.push(result) };
  const controller = new Controller({ name: "test", queue, workers: 2, reconcile, log, hooks, timeoutMs });
  controller.start();
  return { queue, controller, results, logged };
}

const endings = {
  "success is not repeated": { error: null, results: ["success"], level: null },
  "a terminal error waits for a change": {
    error: new ZoppError("SignatureInvalid", "no"),
    results: ["terminal"],
    level: "info",
  },
  "a transient error is tried again": {
    error: new ZoppError("KeyringUnavailable", "no"),
    results: ["error", "success"],
    level: "warn",
  },
  "a conflict is tried again quietly": {
    error: apiError("apply x", 409, {}),
    results: ["conflict", "success"],
    level: "debug",
  },
  "an unknown error is Internal and tried again": {
    error: new RangeError("hunter2"),
    results: ["error", "success"],
    level: "error",
  },
};
for (const [title, { error, results, level }] of Object.entries(endings)) {
  t.test(title, async (t) => {
    let calls = 0;
    const ran = run(async () => {
      calls += 1;
      if (calls === 1 && error !== null) throw error;
    });
    ran.queue.add("shop/api");
    await eventually(() => ran.results.length >= results.length);
    await ran.controller.stop();
    t.same(ran.results, results);
    t.equal(calls, results.length);
    t.equal(ran.queue.failuresOf("shop/api"), 0, "forgotten in the end");
    t.same(
      ran.logged.map((line) => line.level),
      level === null ? [] : [level],
    );
    t.notMatch(JSON.stringify(ran.logged.map((line) => line.fields)), /hunter2/);
  });
}

t.test("Retry-After is the least that is waited", async (t) => {
  const ran = run(async () => {
    throw apiError("apply x", 429, {}, "30");
  });
  ran.queue.add("a");
  await eventually(() => ran.logged.length > 0);
  t.match(ran.logged[0]?.fields, { waitMs: 30_000 });
  await ran.controller.stop();
});

t.test("a reconcile that asks for it comes again, in the background", async (t) => {
  let calls = 0;
  const ran = run(async () => (++calls === 1 ? { requeueAfterMs: 1 } : undefined));
  ran.queue.add("a");
  await eventually(() => ran.results.length >= 2);
  await ran.controller.stop();
  t.same(ran.results, ["requeue_after", "success"]);
});

t.test("a reconcile that takes too long is aborted, and is not stuck before twice its time", async (t) => {
  let aborted = 0;
  const ran = run((_key, signal) => {
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted += 1;
        reject(new ZoppError("ApiUnreachable", "aborted"));
      });
    });
  }, 20);
  ran.queue.add("a");
  await eventually(() => aborted > 0);
  t.equal(ran.controller.stuck(), null);
  await ran.controller.stop(10);
});

t.test("a reconcile that ignores its signal is reported as stuck", async (t) => {
  const never = Promise.withResolvers<void>();
  const ran = run(() => never.promise, 10);
  ran.queue.add("shop/api");
  await eventually(() => ran.controller.stuck() !== null);
  t.match(ran.controller.stuck(), /test: shop\/api has been worked on/);
  never.resolve();
  await ran.controller.stop();
  t.equal(ran.controller.stuck(), null);
});

t.test("stop waits for the active ones and starts no more; a second start is refused", async (t) => {
  const gate = Promise.withResolvers<void>();
  const finished: string[] = [];
  const ran = run(async (key) => {
    await gate.promise;
    finished.push(key);
  });
  t.throws(() => ran.controller.start(), TypeError);
  for (const key of ["a", "b", "c"]) ran.queue.add(key);
  await eventually(() => ran.queue.activeCount === 2);
  const stopped = ran.controller.stop();
  gate.resolve();
  await stopped;
  t.same(finished.sort(), ["a", "b"], "c waited and was dropped");
});

t.test("one key that fails does not hold up the others", async (t) => {
  const done: string[] = [];
  const queue = new Queue({ name: "test" });
  const reconcile = async (key: string) => {
    if (key === "bad") throw new ZoppError("KeyringUnavailable", "no");
    done.push(key);
  };
  const controller = new Controller({ name: "test", queue, workers: 1, reconcile, log: silentLog });
  controller.start();
  for (const key of ["bad", "a", "b"]) queue.add(key);
  await eventually(() => done.length >= 2);
  await controller.stop();
  t.same(done, ["a", "b"]);
});
