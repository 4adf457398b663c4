import t from "tap";
import {
  bundle,
  FOREIGN,
  foreign,
  ours,
  owner,
  PLACE,
  READY,
  REFUSED,
  situation,
  status,
  UID,
} from "../../hack/situations.js";
import { decide, type Situation, type Step } from "./secret.plan.js";

const CASES: Record<string, { given: Partial<Situation>; want: object }> = {
  // nothing to do
  "a ready bundle whose Secret is the one we wrote rests": {
    given: { status: READY, target: ours() },
    want: { do: "rest" },
  },
  "a ready bundle rests whatever policy is accepted": {
    given: { status: READY, target: ours(), policy: ["w2", "e2"] },
    want: { do: "rest" },
  },
  "a ready bundle rests while the keyring has not spoken": {
    given: { status: READY, target: ours(), policy: undefined },
    want: { do: "rest" },
  },
  "a ready bundle with the same digest rests in a new generation (an approval was added)": {
    given: { status: READY, target: ours(), bundle: bundle({ generation: 4 }) },
    want: { do: "rest" },
  },

  // something changed
  "a new bundle is opened without a look: its write only creates": {
    given: {},
    want: { do: "open", hold: { mode: "create" } },
  },
  "a new bundle whose name is taken has its target looked up": { given: { nameTaken: true }, want: { do: "look" } },
  "a new bundle without a Secret is opened": {
    given: { target: "absent" },
    want: { do: "open", hold: { mode: "create" } },
  },
  "another digest is opened": {
    given: { status: READY, target: ours(), digest: "e".repeat(64) },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a Secret that changed is written again": {
    given: { status: READY, target: ours({ metadata: { resourceVersion: "101" } }) },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a Secret made anew by somebody with our marks is written again": {
    given: { status: READY, target: ours({ metadata: { uid: "u2" } }) },
    want: { do: "open", hold: { mode: "update", uid: "u2" } },
  },
  "a Secret that vanished from the watch is looked up first": { given: { status: READY }, want: { do: "look" } },
  "a Secret that is gone is made again": {
    given: { status: READY, target: "absent" },
    want: { do: "open", hold: { mode: "create" } },
  },
  "a forged status does not hide a key that somebody else wrote": {
    given: { status: READY, target: ours({ writers: { ours: ["A"], others: ["B"] } }) },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a forged status does not hide a key that somebody else added": {
    given: { status: READY, target: ours({ writers: { others: ["C"] } }) },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a forged status does not hide a key of ours that is missing": {
    given: { status: READY, target: ours({ writers: { ours: ["A"] } }) },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a key of ours that the bundle no longer has is not left": {
    given: { status: READY, target: ours({ writers: { ours: ["A", "B", "C"] } }) },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a demand opens even what seems right": {
    given: { status: READY, target: ours(), demanded: true },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "another target name is looked up": {
    given: { status: READY, bundle: bundle({ generation: 4, target: { name: "other" } }), digest: "e".repeat(64) },
    want: { do: "look" },
  },

  // refused before
  "a terminal refusal rests while bundle and policy stay": {
    given: { status: REFUSED, target: ours() },
    want: { do: "rest" },
  },
  "a terminal refusal rests without a look": { given: { status: REFUSED }, want: { do: "rest" } },
  "a terminal refusal rests until the keyring has spoken": {
    given: { status: REFUSED, policy: undefined },
    want: { do: "rest" },
  },
  "a refusal under a policy that is not the accepted one is asked again": {
    given: { status: REFUSED, target: ours(), policy: ["w2", "e1"] },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a refusal is asked again once an environment is accepted": {
    given: { status: status("False", "UnknownEnvironment", { policy: ["w1"] }), target: "absent" },
    want: { do: "open", hold: { mode: "create" } },
  },
  "a refusal for lack of a policy rests while there is none": {
    given: { status: status("False", "NoPolicy", { policy: [] }), policy: [] },
    want: { do: "rest" },
  },
  "a bundle that waits for approval rests": {
    given: { status: status("False", "PendingApproval") },
    want: { do: "rest" },
  },
  "a refused bundle that was edited is asked again": {
    given: { status: REFUSED, target: ours(), bundle: bundle({ generation: 4 }) },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a transient failure is tried again": {
    given: { status: status("False", "KeyringUnavailable"), target: ours() },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a broken set-up of the keyring is no fault of the bundle": {
    given: { status: status("False", "EnrolmentRefused"), target: ours() },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "a demand opens what was refused": {
    given: { status: REFUSED, target: ours(), demanded: true },
    want: { do: "open", hold: { mode: "update", uid: "u1" } },
  },
  "an immutable Secret that is still there rests": {
    given: { status: status("False", "TargetImmutable"), target: ours() },
    want: { do: "rest" },
  },
  "an immutable Secret that was deleted is made again": {
    given: { status: status("False", "TargetImmutable"), target: "absent" },
    want: { do: "open", hold: { mode: "create" } },
  },
  "an immutable Secret that left the watch is looked up": {
    given: { status: status("False", "TargetImmutable") },
    want: { do: "look" },
  },

  // whose Secret is it
  "a foreign Secret is refused": {
    given: { target: foreign() },
    want: { do: "refuse", error: { code: "TargetConflict" }, afterMs: 300_000 },
  },
  "a foreign Secret without annotations is refused": {
    given: { target: { metadata: PLACE, writers: { ours: [], others: [], managers: [] } } },
    want: { do: "refuse", error: { code: "TargetConflict" } },
  },
  "a foreign Secret is left alone for five minutes": {
    given: { status: FOREIGN, foreignSinceMs: 60_000 },
    want: { do: "rest", afterMs: 240_000 },
  },
  "a foreign Secret is looked at again after five minutes": {
    given: { status: FOREIGN, foreignSinceMs: 300_000 },
    want: { do: "look" },
  },
  "a foreign Secret is looked at after a restart": { given: { status: FOREIGN }, want: { do: "look" } },
  "a foreign Secret is looked at when the bundle changes": {
    given: { status: FOREIGN, foreignSinceMs: 1000, bundle: bundle({ generation: 4 }) },
    want: { do: "look" },
  },
  "a foreign Secret that was looked at again and is still foreign is refused with the same words": {
    given: { status: FOREIGN, target: foreign() },
    want: {
      do: "refuse",
      error: {
        message:
          "bundle shop/api: the Secret api is there and is not made by zopp (its keys are written by kubectl-create); " +
          "taken over, its keys would be written anew: A; added: B",
      },
    },
  },
  "a foreign Secret that went away makes room": {
    given: { status: FOREIGN, target: "absent" },
    want: { do: "open", hold: { mode: "create" } },
  },
  "a Secret that asks to be adopted is taken over": {
    given: { target: foreign({ "zopp.dev/adopt": "api" }) },
    want: { do: "open", hold: { mode: "adopt", uid: "u1" } },
  },
  "a Secret that was refused and now asks to be adopted is taken over": {
    given: { status: FOREIGN, target: foreign({ "zopp.dev/adopt": "api" }) },
    want: { do: "open", hold: { mode: "adopt", uid: "u1" } },
  },
  "a Secret that asks to be adopted by another bundle is refused": {
    given: { target: foreign({ "zopp.dev/adopt": "web" }) },
    want: { do: "refuse", error: { code: "TargetConflict" } },
  },
  "a Secret that asks to be merged is merged into": {
    given: { target: foreign({ "zopp.dev/merge": "api" }) },
    want: { do: "open", hold: { mode: "merge", uid: "u1" } },
  },
  "a Secret of ours is written only over the version that was seen": {
    given: { target: ours({ metadata: { resourceVersion: "77" } }) },
    want: { do: "open", hold: { mode: "update", uid: "u1", resourceVersion: "77" } },
  },
  "so is one that is taken over": {
    given: { target: foreign({ "zopp.dev/adopt": "api" }, { resourceVersion: "77" }) },
    want: { do: "open", hold: { mode: "adopt", uid: "u1", resourceVersion: "77" } },
  },
  "so is one that is merged into": {
    given: { target: foreign({ "zopp.dev/merge": "api" }, { resourceVersion: "77" }) },
    want: { do: "open", hold: { mode: "merge", uid: "u1", resourceVersion: "77" } },
  },
  "a Secret that asks another bundle to merge is refused": {
    given: { target: foreign({ "zopp.dev/merge": "web" }) },
    want: { do: "refuse", error: { code: "TargetConflict" } },
  },
  "keys of others are welcome in a merged Secret": {
    given: {
      status: READY,
      target: ours({ metadata: { annotations: { "zopp.dev/merge": "api" } }, writers: { others: ["C"] } }),
    },
    want: { do: "rest" },
  },
  "a key of ours that somebody took in a merged Secret is not overlooked": {
    given: {
      status: READY,
      target: ours({ metadata: { annotations: { "zopp.dev/merge": "api" } }, writers: { ours: ["A"], others: ["B"] } }),
    },
    want: { do: "open", hold: { mode: "merge" } },
  },
  "a key that another writer still holds in a merged Secret is refused without opening": {
    given: { status: FOREIGN, target: foreign({ "zopp.dev/merge": "api" }) },
    want: {
      do: "refuse",
      afterMs: 300_000,
      error: {
        code: "TargetConflict",
        message:
          "bundle shop/api: the Secret api has A from another writer already (its keys are written by kubectl-create)",
      },
    },
  },
  "a key that another writer let go in a merged Secret is written": {
    given: {
      status: FOREIGN,
      target: { ...foreign({ "zopp.dev/merge": "api" }), writers: { ours: [], others: ["C"], managers: ["x"] } },
    },
    want: { do: "open", hold: { mode: "merge", uid: "u1" } },
  },
  "a demand tries again to write a key that another writer holds": {
    given: { status: FOREIGN, target: foreign({ "zopp.dev/merge": "api" }), demanded: true },
    want: { do: "open", hold: { mode: "merge", uid: "u1" } },
  },
  "a Secret of another bundle is refused by name": {
    given: { target: foreign({ "zopp.dev/bundle": "web" }) },
    want: {
      do: "refuse",
      error: { message: /^bundle shop\/api: the Secret api is there and is made from the bundle web / },
    },
  },
  "a Secret of another bundle that asks to be adopted changes hands": {
    given: {
      target: foreign(
        { "zopp.dev/bundle": "web", "zopp.dev/adopt": "api" },
        { ownerReferences: [owner("ZoppSecret", "u9")] },
      ),
    },
    want: { do: "open", hold: { mode: "adopt" } },
  },
  "a Secret that another controller makes is refused even when it asks to be adopted": {
    given: { target: foreign({ "zopp.dev/adopt": "api" }, { ownerReferences: [owner("Certificate", "u9")] }) },
    want: { do: "refuse", error: { message: "bundle shop/api: the Secret api is there and belongs to Certificate x" } },
  },
  "an owner that does not control is no obstacle": {
    given: { target: foreign({ "zopp.dev/adopt": "api" }, { ownerReferences: [owner("Deployment", "u9", false)] }) },
    want: { do: "open", hold: { mode: "adopt" } },
  },
  "a Secret whose marks were removed is ours by its owner reference": {
    given: { target: foreign({}, { ownerReferences: [owner("ZoppSecret", UID)] }) },
    want: { do: "open", hold: { mode: "update" } },
  },
  "a Secret that outlived an earlier bundle of this name is ours": {
    given: { target: ours({ metadata: { ownerReferences: [] } }) },
    want: { do: "open", hold: { mode: "update" } },
  },
  "a Secret that is being deleted is waited for, and meanwhile the bundle is not ready": {
    given: {
      target: ours({ metadata: { deletionTimestamp: "2026-11-23T10:11:12Z", finalizers: ["example.com/backup"] } }),
    },
    want: {
      do: "refuse",
      error: { code: "TargetTerminating", message: /the Secret api is being deleted, held by example.com\/backup/ },
    },
  },
};

for (const [title, { given, want }] of Object.entries(CASES)) {
  t.test(title, async (t) => {
    const step: Step = decide(situation(given));
    t.match(step, want);
    if (step.do !== "refuse") t.strictSame(Object.keys(step).sort(), Object.keys(want).sort(), "and says nothing else");
  });
}
