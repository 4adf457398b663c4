// Makes workspaces.json: policies that a reader accepts from a pin or after another, and what else is refused.
// Who the people are is vectors.world.ts' business.
import { amendWorkspace, type WorkspaceContent, workspaceContent } from "../crds/policy/edit.js";
import { formatPin, type Pin } from "../crds/policy/pin.js";
import { MAX_ANCESTORS, readWorkspace } from "../crds/policy/workspace.js";
import { signStatement, workspaceStatement } from "../crds/statement.js";
import type { Principal, ZoppWorkspace } from "../crds/types.gen.js";
import { changed, withUnusedBit } from "./field-table.js";
import { acme, digestOfOwners, identityOf } from "./fixtures.js";
import type { ObjectVector, ObjectVectors, WorkspaceGiven } from "./vectors.js";
import {
  accepted,
  eu1,
  firstChanged,
  LATER,
  newcomer,
  people,
  peopleWith,
  plusOrder,
  policy,
  refused,
  signedBy,
} from "./vectors.world.js";

type WorkspaceVector = ObjectVector<WorkspaceGiven>;

const first = policy();
const second = amend(first, { groups: [] });
const third = amend(second, { grants: [] });
const fork = amend(first, { grants: [] });
const toBob = amend(first, { owners: { threshold: 1, principals: ["bob"] } }, ["alice", "bob"]);
const both = { owners: { threshold: 1, principals: ["alice", "bob"] } };
const toBoth = amend(first, both, ["alice", "bob"]);
const backToAlice = amend(toBoth, { owners: { threshold: 1, principals: ["alice"] } });
const toCarol = amend(toBob, { owners: { threshold: 1, principals: ["carol"] } }, ["bob", "carol"]);
const afterCarol = amend(toCarol, { groups: [] }, ["carol"]);
const twoOwners = { owners: { threshold: 2, principals: ["alice", "carol"] } };

function amend(
  from: ZoppWorkspace,
  changes: Partial<WorkspaceContent>,
  signers = ["alice"],
  now = LATER,
): ZoppWorkspace {
  return amendWorkspace(from, { ...workspaceContent(from), ...changes }, signedBy(signers, now));
}

const hoursAhead = (hours: number): ZoppWorkspace =>
  amend(first, {}, ["alice"], new Date(LATER.getTime() + hours * 3600_000));
const pinOf = (object: ZoppWorkspace, changes: Partial<Pin> = {}): string =>
  formatPin({ workspace: "acme", owners: digestOfOwners(object), minVersion: 1, ...changes });
const pinned = (object: unknown, pin = pinOf(first)) => ({ pin, object });
const after = (name: "first" | "second" | "backToAlice", object: unknown) => ({ accepted: name, object });
const withSpec = (object: ZoppWorkspace, spec: object): ZoppWorkspace => ({
  ...object,
  spec: { ...object.spec, ...spec },
});
const digest = (object: ZoppWorkspace): string => readWorkspace(object).digest;

function good(name: string, why: string, given: WorkspaceGiven & { readonly object: ZoppWorkspace }): WorkspaceVector {
  return accepted(name, why, digest(given.object), given);
}

function accepts(): readonly WorkspaceVector[] {
  const xwing = acme({ clusters: [eu1] });
  const signed = policy(twoOwners, ["alice", "carol/phone"]);
  return [
    good("first", "the pin names its owners, and one of one owners signed it", { pin: pinOf(first), object: first }),
    good("first-xwing", "the same with X-Wing keys", { pin: pinOf(xwing), object: xwing }),
    good("later", "a higher version that names the accepted one", { accepted: "first", object: second }),
    good("version-skipped", "the accepted one is its second ancestor", { accepted: "first", object: third }),
    good("accepted-again", "the accepted digest is no change", { accepted: "first", object: first }),
    good("two-owners", "two persons, one by a second device", { pin: pinOf(signed), object: signed }),
    good("almost-a-day-ahead", "a version of 23 hours later", { accepted: "first", object: hoursAhead(23) }),
    good("handover", "the accepted owners and the new ones signed step and policy", {
      accepted: "first",
      object: toBob,
    }),
    good("rotations-from-accepted", "two steps lead to its owners", { accepted: "first", object: afterCarol }),
    good("rotations-from-pin", "two steps lead from the pin to its owners", { pin: pinOf(first), object: afterCarol }),
    good("rotation-and-back", "a step was taken back by the next", { accepted: "first", object: backToAlice }),
    good("rotation-signed-more", "no digest covers the signatures of a step", {
      accepted: "first",
      object: withSpec(toBoth, { rotations: amend(first, both, ["alice", "bob", "carol"]).spec.rotations }),
    }),
  ];
}

function unpinned(): readonly WorkspaceVector[] {
  const zero = "0".repeat(64);
  return [
    refused<WorkspaceGiven>("no-pin", "nothing is served without a pin", "NotPinned", { object: first }),
    refused(
      "pin-of-another",
      "the pin is for another workspace",
      "NotPinned",
      pinned(first, pinOf(first, { workspace: "other" })),
    ),
    refused(
      "pin-of-other-owners",
      "its owners are not the pin's",
      "PinMismatch",
      pinned(first, pinOf(first, { owners: zero })),
    ),
    refused(
      "below-the-pin",
      "its version is below the pin's",
      "PolicyRollback",
      pinned(first, pinOf(first, { minVersion: first.spec.version + 1 })),
    ),
    refused(
      "first-rotation-missing",
      "no step starts from the pin",
      "PinMismatch",
      pinned(withSpec(afterCarol, { rotations: afterCarol.spec.rotations?.slice(1) })),
    ),
    refused(
      "last-rotation-missing",
      "the steps do not reach its owners",
      "PinMismatch",
      pinned(withSpec(afterCarol, { rotations: afterCarol.spec.rotations?.slice(0, 1) })),
    ),
    refused(
      "rotation-forged",
      "the first step carries the second one's signatures",
      "PinMismatch",
      pinned(withSpec(afterCarol, { rotations: forgedRotations() })),
    ),
  ];
}

function forgedRotations(): unknown {
  const [one, two] = afterCarol.spec.rotations ?? [];
  return [{ ...one, signatures: two?.signatures }, two];
}

function outOfOrder(): readonly WorkspaceVector[] {
  const full = Array.from({ length: MAX_ANCESTORS }, (_, at) => String(at).padStart(64, "0"));
  const elsewhere = amend(fork, { groups: [] });
  return [
    refused("lower-version", "older than the accepted one", "PolicyRollback", after("second", first)),
    refused("same-version", "the accepted version with another digest", "Forked", after("second", fork)),
    refused("other-branch", "its short list of ancestors lacks the accepted one", "Forked", after("second", elsewhere)),
    refused(
      "gap",
      "its list of ancestors is full without the accepted one",
      "PolicyGap",
      after("second", withSpec(third, { ancestors: full })),
    ),
    refused("too-far", "a version of 25 hours later", "VersionTooFar", after("first", hoursAhead(25))),
  ];
}

function underSigned(): readonly WorkspaceVector[] {
  const { signatures } = first.spec;
  const devices = policy(twoOwners, ["carol", "carol/phone"]);
  const bob = { owners: { threshold: 1, principals: ["bob"] } };
  const kid = identityOf("bob").signing.verifyKey.kid;
  return [
    refused("no-signature", "nobody signed it", "PartlySigned", pinned(withSpec(first, { signatures: [] }))),
    refused("no-owner", "signed by somebody who is no owner", "PartlySigned", pinned(policy({}, ["bob"]))),
    refused(
      "changed-after",
      "a field was changed after it was signed",
      "PartlySigned",
      pinned(withSpec(first, { groups: [] })),
    ),
    refused(
      "other-kid",
      "the owner's signature under another kid",
      "PartlySigned",
      pinned(withSpec(first, { signatures: signatures.map(({ value }) => ({ by: kid, value })) })),
    ),
    refused(
      "signature-s-plus-l",
      "S is not below the group's order",
      "PartlySigned",
      pinned(withSpec(first, { signatures: firstChanged(signatures, plusOrder) })),
    ),
    refused("one-of-two", "one of two owners", "PartlySigned", pinned(policy(twoOwners), pinOf(devices))),
    refused("two-devices", "two devices of one owner count once", "PartlySigned", pinned(devices, pinOf(devices))),
    refused("usurper", "the new owner alone signed the step", "PolicyGap", after("first", amend(first, bob, ["bob"]))),
    refused("unwilling", "the new owner did not sign the step", "PartlySigned", after("first", amend(first, bob))),
    refused(
      "unwilling-from-pin",
      "the new owner did not sign the step that leads from the pin",
      "PartlySigned",
      pinned(amend(first, bob)),
    ),
    refused(
      "one-of-two-on-a-step",
      "the step takes the signature of one more new owner",
      "PartlySigned",
      after("first", withSpec(amend(first, twoOwners, ["alice", "carol"]), { rotations: lonely() })),
    ),
    refused(
      "rotation-replayed",
      "the step is from before the accepted version, and was taken back",
      "PolicyGap",
      after("backToAlice", replayed()),
    ),
    refused(
      "no-rotation",
      "other owners without a step",
      "PolicyGap",
      after("first", withSpec(toBob, { rotations: [] })),
    ),
    refused(
      "policy-unsigned-by-accepted",
      "the step is signed, but not this very policy",
      "PartlySigned",
      after("first", withSpec(toBob, { signatures: toBob.spec.signatures.slice(1) })),
    ),
  ];
}

function lonely(): unknown {
  return amend(first, twoOwners, ["alice"]).spec.rotations;
}

/** Who was an owner once brings the step that made him one, and says that the accepted policy is not the one before. */
function replayed(): ZoppWorkspace {
  const taken = amend(backToAlice, both, ["bob"]);
  const ancestors = ["0".repeat(64), ...(taken.spec.ancestors ?? [])];
  const spec = { ...taken.spec, ancestors, rotations: toBoth.spec.rotations };
  const { signing } = identityOf("bob");
  const signature = { by: signing.verifyKey.kid, value: signStatement(signing, workspaceStatement("acme", spec)) };
  return withSpec(taken, { ...spec, signatures: [signature] });
}

function unusable(): readonly WorkspaceVector[] {
  const environments = (one: string[], other: string[]) => [
    { name: "shop/production", namespaces: one },
    { name: "shop/dev", namespaces: other },
  ];
  const twin = { ...newcomer("alice"), name: "twin" };
  const [device] = newcomer("bob").devices ?? [];
  const zero = `${"A".repeat(43)}=`;
  const keyed = (key: object) => {
    const devices = [{ ...device, ...key }] as NonNullable<Principal["devices"]>;
    return pinned(withSpec(first, { principals: peopleWith("bob", { devices }) }));
  };
  return [
    refused(
      "namespace-of-two",
      "two environments share a namespace",
      "NamespaceConflict",
      pinned(policy({ environments: environments(["shop-prod"], ["shop-*"]) })),
    ),
    refused(
      "namespace-of-the-cluster",
      "kube-system belongs to no environment",
      "NamespaceConflict",
      pinned(policy({ environments: environments(["kube-*"], ["shop"]) })),
    ),
    refused(
      "key-twice",
      "one key for two principals",
      "KeyAmbiguous",
      pinned(policy({ principals: [...people, twin] })),
    ),
    refused("low-order-signing-key", "the identity point", "Malformed", keyed({ signingKey: `ed25519:${zero}` })),
    refused("low-order-encryption-key", "u = 0", "Malformed", keyed({ encryptionKey: `x25519:${zero}` })),
  ];
}

function malformed(): readonly WorkspaceVector[] {
  const wrong = (name: string, why: string, path: readonly (string | number)[], value: unknown) =>
    refused<WorkspaceGiven>(name, why, "Malformed", pinned(changed(first, path, value)));
  const { signatures } = first.spec;
  return [
    wrong("unknown-field", "no field is ignored", ["spec", "comment"], "x"),
    wrong("unknown-field-of-a-device", "nor further down", ["spec", "principals", 0, "devices", 0, "note"], "x"),
    wrong("proto", "no field has that name", ["spec", "__proto__"], {}),
    wrong("null", "absent is written by leaving it out", ["spec", "expires"], null),
    wrong("no-such-day", "2027 has no 29 February", ["spec", "expires"], "2027-02-29T00:00:00Z"),
    wrong("signature-unused-bit", "not canonical base64", ["spec", "signatures", 0, "value"], unusedBit()),
    wrong("signer-twice", "a signer stands there once", ["spec", "signatures"], [...signatures, ...signatures]),
    wrong("name-twice", "a principal stands there once", ["spec", "principals"], [...people, people[1]]),
    wrong("owner-unknown", "owners are principals", ["spec", "owners", "principals"], ["zoe"]),
    wrong("threshold-too-high", "two of one owner", ["spec", "owners", "threshold"], 2),
    wrong("version-fraction", "versions are integers", ["spec", "version"], first.spec.version + 0.5),
  ];
}

function unusedBit(): string {
  return withUnusedBit(first.spec.signatures[0]?.value ?? "");
}

/** The vectors of workspaces.json. */
export function workspaceVectors(): ObjectVectors<WorkspaceGiven> {
  const vectors = [accepts, unpinned, outOfOrder, underSigned, unusable, malformed].flatMap((make) => make());
  return { objects: { first, second, backToAlice }, vectors };
}
