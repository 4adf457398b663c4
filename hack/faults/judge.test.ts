// What the judges of a fault run must not miss: histories that went wrong, made by hand.
import t from "tap";
import { BUNDLE_UID_LABEL, revisionName } from "../../crds/bundle/revision.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
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
import { HISTORY } from "./world.js";
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

t.test("a kept state that goes too early, and one that never came, are found", async (t) => {
  const digests = digestsOf(subject);
  const name = (state: number) => `shop-prod/${revisionName({ name: "api", uid: "u1" }, digests[state] ?? "")}`;
  const made = (state: number): Version<KubeObject> => {
    const metadata = { ...PLACE, labels: { [BUNDLE_UID_LABEL]: "u1" } };
    return { key: name(state), revision: 10 * state + 15, object: { metadata } };
  };
  const secrets = [secret(11, "state-0"), secret(21, "state-1"), secret(31, "state-2")];
  const judged = (...controllerrevisions: Version<KubeObject>[]) =>
    revisionsKept([subject], read({ secrets, controllerrevisions }), []).wrong;
  t.strictSame(judged(made(0), made(1), made(2)), []);
  t.match(judged(made(0), made(2)), [/state-1 was applied, and never kept/]);
  const gone = { key: name(0), revision: 40, object: undefined };
  t.match(judged(made(0), made(1), made(2), gone), [/was dropped, and only 3 were kept/]);
  t.ok(HISTORY > 3);
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
