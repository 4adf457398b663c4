// What the judges of a fault run must not miss: histories that went wrong, made by hand.
import t from "tap";
import { BUNDLE_UID_LABEL, revisionName } from "../../crds/bundle/revision.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { Lease } from "../../operator/kube/lease.plan.js";
import type { KubeObject } from "../../operator/kube/resources.js";
import { usual } from "../fixtures.bundle.js";
import { refusedExpired } from "./judge.certificates.js";
import { judgeEvents, type SeenEvent } from "./judge.events.js";
import { digestsOf, recordedBefore } from "./judge.log.js";
import { grown } from "./judge.processes.js";
import type { Read, StoredSecret, Version } from "./judge.read.js";
import { revisionsKept } from "./judge.revisions.js";
import { neverOwned, neverWrong } from "./judge.secrets.js";
import { BY_HAND } from "./kinds.objects.js";
import { HISTORY, LEASE } from "./world.js";
import { Subject } from "./writer.js";

const PLACE = { namespace: "shop-prod", name: "api" };
const KEY = "shop-prod/api";
const subject = new Subject(usual.environment, PLACE);
for (let state = 0; state < 3; state += 1) subject.next();

/** A version of the Secret with this value, as its last writer left it. */
function secret(revision: number, value: string, manager = "zopp-operator", more: object = {}): Version<StoredSecret> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const data = Object.fromEntries(Object.entries({ A: value, B: "fixed", ...more }).map(([k, v]) => [k, base64(v)]));
  const managedFields = [{ manager, time: "2026-11-23T10:11:12Z", fieldsV1: { "f:data": { "f:A": {} } } }];
  return { key: KEY, revision, object: { metadata: { ...PLACE, managedFields }, data } };
}

function stored(revision: number, spec: ZoppSecret["spec"]): Version<ZoppSecret & KubeObject> {
  return { key: KEY, revision, object: { ...subject.last, metadata: { ...PLACE, uid: "u1" }, spec } };
}

const specOf = (state: number): ZoppSecret["spec"] => (subject.states[state] as ZoppSecret).spec;
const all = [0, 1, 2].map((state) => stored(10 * (state + 1), specOf(state)));
const read = (changes: Partial<Read>): Read => ({
  secrets: [],
  zoppsecrets: all,
  zoppauditsegments: [],
  controllerrevisions: [],
  leases: [],
  ...changes,
});
const secretsWrong = (...secrets: Version<StoredSecret>[]) => neverWrong([subject], read({ secrets })).wrong;

t.test("a Secret that follows its bundle was never wrong", async (t) => {
  t.strictSame(
    secretsWrong(secret(11, "state-0"), secret(21, "state-1"), secret(22, "state-1"), secret(31, "state-2")),
    [],
  );
});

t.test("what the operator wrote and nobody signed is found", async (t) => {
  t.match(secretsWrong(secret(11, "by mallory")), [/held by mallory in revision 11, by zopp-operator/]);
  t.match(secretsWrong(secret(11, "state-0", "zopp-operator", { C: "more" })), [/held state-0 in revision 11/]);
  t.match(secretsWrong(secret(11, "state-7")), [/before that was stored/]);
});

t.test("what was written before it was stored, signed and approved, is found", async (t) => {
  t.match(secretsWrong(secret(15, "state-1")), [/held state-1 in revision 15, before that was stored as signed/]);
});

t.test("a Secret that goes back to what it held earlier is found", async (t) => {
  t.match(secretsWrong(secret(31, "state-2"), secret(32, "state-1")), [/went back from state-2 to state-1/]);
});

t.test("what somebody changed by hand is his, until the operator says it too", async (t) => {
  t.strictSame(secretsWrong(secret(11, "changed by hand", BY_HAND)), []);
  t.match(secretsWrong(secret(11, "changed by hand")), [/held changed by hand/]);
  t.match(secretsWrong(secret(11, "state-0", "kubectl")), [/by kubectl/], "others do not write here");
});

t.test(
  "beside a value that somebody changed by hand, what the operator has there is judged all the same",
  async (t) => {
    const beside = (value: string): Version<StoredSecret> => {
      const version = secret(11, "changed by hand", BY_HAND, { B: value });
      const ours = { manager: "zopp-operator", fieldsV1: { "f:data": { ".": {}, "f:B": {} } } };
      const { metadata, data } = version.object as StoredSecret;
      const managedFields = [...((metadata.managedFields ?? []) as object[]), ours];
      return { ...version, object: { metadata: { ...metadata, managedFields }, data: data ?? {} } };
    };
    t.strictSame(secretsWrong(beside("fixed")), []);
    t.match(secretsWrong(beside("nobody signed this")), [/in revision 11, by by-hand, zopp-operator/]);
  },
);

t.test("a Secret with an owner is found where it must outlive its bundle, and nowhere else", async (t) => {
  const owned = secret(12, "state-0");
  const ownerReferences = [{ apiVersion: "zopp.dev/v1alpha1", kind: "ZoppSecret", name: "api", uid: "u1" }];
  const { metadata, data } = owned.object as StoredSecret;
  const secrets = [
    secret(11, "state-0"),
    { ...owned, object: { metadata: { ...metadata, ownerReferences }, data: data ?? {} } },
  ];
  const judged = (asksApproval: boolean) => neverOwned([{ key: KEY, asksApproval }], read({ secrets })).wrong;
  t.strictSame(judged(true), ["shop-prod/api had an owner in revision 12"]);
  t.strictSame(judged(false), []);
});

t.test("a Secret that no record released before is found", async (t) => {
  const { wrong } = recordedBefore([subject], read({ secrets: [secret(11, "state-0")] }));
  t.match(wrong, [/held state-0 in revision 11, released in none/]);
});

/** Applied in 11, 21 and 31, and named by a status in 12, 22 and 32. */
const secrets = [secret(11, "state-0"), secret(21, "state-1"), secret(31, "state-2")];
const named = (state: number): Version<ZoppSecret & KubeObject> => {
  const { object, ...version } = stored(10 * state + 12, specOf(state));
  return {
    ...version,
    object: { ...(object as ZoppSecret & KubeObject), status: { digest: digestsOf(subject)[state] ?? "" } },
  };
};
const gone = (key: string, revision: number) => ({ key, revision, object: undefined });
const nameOf = (state: number): string =>
  `shop-prod/${revisionName({ name: "api", uid: "u1" }, digestsOf(subject)[state] ?? "")}`;
/** The n-th state is kept in 15, 25 or 35. */
const made = (state: number): Version<KubeObject> => {
  const metadata = { ...PLACE, labels: { [BUNDLE_UID_LABEL]: "u1" } };
  return { key: nameOf(state), revision: 10 * state + 15, object: { metadata } };
};
const lease = (revision: number, holderIdentity: string): Version<Lease> => {
  return { key: LEASE, revision, object: { metadata: { name: "zopp-operator" }, spec: { holderIdentity } } };
};
/** What is said of these kept states, where all were named; `changes` come on top. */
function kept(states: readonly number[], { zoppsecrets = [], ...changes }: Partial<Read> = {}, until = 100) {
  const bundles = [...all, named(0), named(1), named(2), ...zoppsecrets];
  const inOrder = bundles.toSorted((one, other) => one.revision - other.revision);
  const controllerrevisions = states.map(made);
  return revisionsKept([subject], read({ secrets, controllerrevisions, zoppsecrets: inOrder, ...changes }), until);
}

t.test("a kept state that goes too early, and one that never came, are found", async (t) => {
  t.strictSame(kept([0, 1, 2]).wrong, []);
  t.match(kept([0, 1, 2]).said, /^3 of 3 applied states were kept/);
  t.strictSame(kept([0, 2]).wrong, ["shop-prod/api: state-1 was applied, and is not kept"]);
  t.strictSame(kept([0, 1]).wrong, ["shop-prod/api: state-2 was applied, and is not kept"]);
  const controllerrevisions = [made(0), made(1), made(2), gone(nameOf(0), 40)];
  t.match(kept([], { controllerrevisions }).wrong, [/was dropped, and only 3 were kept/]);
  t.ok(HISTORY > 3);
});

t.test(
  "a state may go with who led when it was applied, before a later one was kept, and at no other time",
  async (t) => {
    const handedOver = (revision: number, until?: number) =>
      kept([0, 2], { leases: [lease(1, "a"), lease(2, "a"), lease(revision, "b")] }, until);
    t.strictSame(handedOver(23).wrong, []);
    t.match(handedOver(23).said, /^2 of 3 applied states were kept, 1 went with the operator/);
    t.match(handedOver(19).wrong, [/state-1/], "it was not stored yet");
    t.match(handedOver(36).wrong, [/state-1/], "a later one was kept");
    t.match(handedOver(23, 22).wrong, [/state-1/], "all were told to end");
    t.match(kept([0, 2], { leases: [lease(1, "a"), lease(23, "a")] }).wrong, [/state-1/], "it was renewed");
    const another = { ...lease(23, "b"), key: "zopp-system/zopp-keyring" };
    t.match(kept([0, 2], { leases: [lease(1, "a"), another] }).wrong, [/state-1/], "that is another's Lease");
  },
);

t.test("a state may go with its bundle, before a later one was kept, and at no other time", async (t) => {
  const deleted = (revision: number) => kept([0, 2], { zoppsecrets: [gone(KEY, revision)] }).wrong;
  t.strictSame(deleted(24), []);
  t.match(deleted(19), [/state-1/]);
  t.match(deleted(36), [/state-1/]);
});

t.test("a state of whose Secret no operator was told may be lost: no status ever named it", async (t) => {
  t.match(kept([0, 2]).wrong, [/state-1/], "one did");
  const untold = revisionsKept([subject], read({ secrets, controllerrevisions: [made(0), made(2)] }), 100);
  t.strictSame(untold.wrong, []);
  t.match(untold.said, /^2 of 3 applied states were kept, .* 1 for want of an answer$/);
});

t.test("not many states may be lost, whatever the reason", async (t) => {
  const leases = [lease(1, "a"), lease(13, "b"), lease(23, "c")];
  t.strictSame(kept([1, 2], { leases }).wrong, []);
  t.strictSame(kept([2], { leases }).wrong, ["2 applied states were lost, and 1 at most may be"]);
});

t.test("of bundles, workspace and environments no reason is told too often", async (t) => {
  const event = (name: string, kind: string, reason: string, uid = "u1"): SeenEvent => {
    return { metadata: { name: "e", namespace: "shop-prod" }, involvedObject: { kind, name, uid }, reason, count: 1 };
  };
  const times = (count: number, seen: SeenEvent) => Array.from({ length: count }, () => seen);
  const judged = (...events: SeenEvent[]) => judgeEvents(events, [{ key: KEY, touched: 2 }]).wrong;
  const [bundle, workspace] = [event("api", "ZoppSecret", "Updated"), event("acme", "ZoppWorkspace", "Accepted")];
  const again = event("acme", "ZoppWorkspace", "Accepted", "u2");
  const environment = event("acme.shop.production", "ZoppEnvironment", "UnknownWorkspace");
  t.strictSame(judged(...times(2, bundle), ...times(2, workspace), ...times(2, again), ...times(2, environment)), []);
  t.match(judged(...times(3, bundle)), [/shop-prod\/api: Updated was told 3 times, and 2 things were done/]);
  t.match(judged(...times(3, workspace)), [/ZoppWorkspace acme of uid u1: Accepted was told 3 times/]);
  t.match(judged(...times(3, environment)), [/UnknownWorkspace was told 3 times/]);
  t.match(judged({ ...workspace, count: 5 }), [/Accepted was told 5 times as one/]);
});

t.test("who asks something of a server whose certificate has expired is found", async (t) => {
  const shown = (asked: number) => ({
    operators: { expired: { came: 3, asked } },
    keyring: { expired: { came: 0, asked: 0 } },
  });
  t.strictSame(refusedExpired(shown(0)), { wrong: [], said: "operators: 3 connections, keyring: 0 connections" });
  t.match(refusedExpired(shown(1)).wrong, [/operators asked 1 times/]);
});

t.test("a process that grew is found, and so is one that nobody looked at", async (t) => {
  const small = { heapMiB: 30, residentMiB: 100, handles: 30 };
  const footprints = (changes: Partial<typeof small>) =>
    grown(new Map([["keyring", small]]), new Map([["keyring", { ...small, ...changes }]])).wrong;
  t.strictSame(footprints({ residentMiB: 130 }), []);
  t.match(footprints({ heapMiB: 60 }), [/keyring: heapMiB 60, 2.00 times 30/]);
  t.match(footprints({ handles: 90 }), [/handles 90/]);
  const [one, none] = [new Map([["zopp-a", small]]), new Map()];
  t.strictSame(grown(one, none).wrong, ["zopp-a was not looked at afterwards"]);
  t.strictSame(grown(none, one).wrong, ["zopp-a was not looked at before"]);
});
