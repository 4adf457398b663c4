// Each thing is said once, failures are no errors, and names are those of before a restart.

import t from "tap";
import { apiError } from "./errors.js";
import { eventName, type Happening, Recorder } from "./events.js";
import { type Log, silentLog } from "./observe.js";
import { type ObjectMeta, ZOPP_SECRETS, ZOPP_WORKSPACES } from "./resources.js";

const API: ObjectMeta = { name: "api", namespace: "shop", uid: "u-1", resourceVersion: "7" };
const SYNCED: Happening = { type: "Normal", reason: "Synced", message: "wrote 5 keys", digest: "d1" };

interface Posted {
  metadata: { name: string; namespace: string };
  message: string;
}

const NOW = new Date("2026-11-23T10:11:12.345Z");

function make(
  fail: (nth: number) => unknown = () => null,
  now: () => Date = () => NOW,
): {
  recorder: Recorder;
  posted: Posted[];
  logged: unknown[];
} {
  const posted: Posted[] = [];
  const logged: unknown[] = [];
  const client = {
    async create<T>(_: unknown, object: object): Promise<T> {
      posted.push(object as Posted);
      const error = fail(posted.length);
      if (error !== null) throw error;
      return object as T;
    },
  };
  const log: Log = { ...silentLog, warn: (fields) => void logged.push(fields) };
  return {
    recorder: new Recorder({ client, component: "zopp-operator", instance: "pod-1", log, now }),
    posted,
    logged,
  };
}

t.test("an event names object, time and speaker", async (t) => {
  const { recorder, posted } = make();
  await recorder.event(ZOPP_SECRETS, API, SYNCED);
  t.match(posted[0], {
    metadata: { namespace: "shop", name: /^api\.[0-9a-f]{16}$/ },
    involvedObject: { apiVersion: "zopp.dev/v1alpha1", kind: "ZoppSecret", name: "api", namespace: "shop", uid: "u-1" },
    type: "Normal",
    reason: "Synced",
    message: "wrote 5 keys",
    firstTimestamp: "2026-11-23T10:11:12Z",
    source: { component: "zopp-operator" },
    reportingInstance: "pod-1",
  });
});

t.test("the same about the same content is said once; another reason, digest or object is news", async (t) => {
  const { recorder, posted } = make();
  await recorder.event(ZOPP_SECRETS, API, SYNCED);
  await recorder.event(ZOPP_SECRETS, { ...API, resourceVersion: "8" }, { ...SYNCED, message: "other words" });
  t.equal(posted.length, 1);
  await recorder.event(ZOPP_SECRETS, API, { ...SYNCED, reason: "Refused" });
  await recorder.event(ZOPP_SECRETS, API, { ...SYNCED, digest: "d2" });
  await recorder.event(ZOPP_SECRETS, { ...API, uid: "u-2" }, SYNCED);
  t.equal(posted.length, 4);
  t.equal(new Set(posted.map((event) => event.metadata.name)).size, 4);
});

t.test("after a restart the name is the same, and AlreadyExists means that it was said", async (t) => {
  const before = make();
  await before.recorder.event(ZOPP_SECRETS, API, SYNCED);
  const after = make(() => apiError("create events", 409, { reason: "AlreadyExists" }));
  await after.recorder.event(ZOPP_SECRETS, API, SYNCED);
  t.equal(after.posted[0]?.metadata.name, before.posted[0]?.metadata.name);
  await after.recorder.event(ZOPP_SECRETS, API, SYNCED);
  t.equal(after.posted.length, 1);
  t.same(after.logged, []);
});

t.test("a failure is logged, not thrown, and the event can be said later", async (t) => {
  const { recorder, posted, logged } = make((nth) => (nth === 1 ? apiError("create events", 500, {}) : null));
  await recorder.event(ZOPP_SECRETS, API, SYNCED);
  t.equal(logged.length, 1);
  await recorder.event(ZOPP_SECRETS, API, SYNCED);
  t.equal(posted.length, 2);
});

t.test(
  "long messages and names stay within what the API server takes; cluster-scoped objects speak in default",
  async (t) => {
    const { recorder, posted } = make();
    const metadata = { name: `${"a".repeat(235)}.${"b".repeat(17)}`, uid: "u" };
    await recorder.event(ZOPP_WORKSPACES, metadata, { ...SYNCED, message: "x".repeat(5000) });
    t.equal(posted[0]?.metadata.namespace, "default");
    t.ok((posted[0]?.message.length ?? 0) <= 1024);
    const name = eventName(metadata, SYNCED);
    t.ok(name.length <= 253);
    t.match(name, /^a+\.[0-9a-f]{16}$/, "no label is empty or ends in a dash");
  },
);

t.test("memory of what was said is bounded", async (t) => {
  const { recorder, posted } = make();
  for (let digest = 0; digest <= 4096; digest++) {
    await recorder.event(ZOPP_SECRETS, API, { ...SYNCED, digest: String(digest) });
  }
  await recorder.event(ZOPP_SECRETS, API, { ...SYNCED, digest: "4096" });
  t.equal(posted.length, 4097, "the newest is remembered");
  await recorder.event(ZOPP_SECRETS, API, { ...SYNCED, digest: "0" });
  t.equal(posted.length, 4098, "the oldest is asked of the API server again");
});

t.test("what happens again when the API server has forgotten it is said again", async (t) => {
  let now = NOW;
  const { recorder, posted } = make(undefined, () => now);
  await recorder.event(ZOPP_SECRETS, API, SYNCED);
  now = new Date(NOW.getTime() + 59 * 60_000);
  await recorder.event(ZOPP_SECRETS, API, SYNCED);
  t.equal(posted.length, 1);
  now = new Date(NOW.getTime() + 60 * 60_000);
  await recorder.event(ZOPP_SECRETS, API, SYNCED);
  t.equal(posted.length, 2);
});
