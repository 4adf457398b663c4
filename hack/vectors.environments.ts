// Makes environments.json: environments that a reader accepts under a policy, and what else is refused.
// Who the people are is vectors.world.ts' business.
import { encodeBase64 } from "../crds/crypto/encoding.js";
import { type EncryptionKey, parseEncryptionKey } from "../crds/crypto/keys.js";
import { amendEnvironment, type EnvironmentContent, environmentContent, newEnvironment } from "../crds/policy/edit.js";
import { readEnvironment } from "../crds/policy/environment.js";
import type { EnvironmentKey, ZoppEnvironment, ZoppWorkspace } from "../crds/types.gen.js";
import { changed, withUnusedBit } from "./field-table.js";
import { acmeContent, NOW, person } from "./fixtures.js";
import type { EnvironmentGiven, ObjectVector, ObjectVectors } from "./vectors.js";
import {
  accepted,
  compact,
  environment,
  epochOf,
  firstChanged,
  keyring,
  newcomer,
  people,
  peopleWith,
  plusOrder,
  policyWith,
  refused,
  signedBy,
} from "./vectors.world.js";

type EnvironmentVector = ObjectVector<EnvironmentGiven>;

const grants = acmeContent().grants ?? [];
const first = environment();
const second = amend(first, {});
const bobAdmin = amend(first, { grants: [{ subject: "bob", role: "admin" }] });

/** Dora's device has the key that everything in wraps.json is wrapped to. */
const dora = {
  ...newcomer("dora"),
  devices: [
    {
      name: "laptop",
      signingKey: keyring.signing.verifyKey.text,
      encryptionKey: keyring.encryption.publicKey.text,
    },
  ],
};

const direct = { principals: [...people, dora], clusters: [] };
const WORKSPACES: Readonly<Record<string, ZoppWorkspace>> = {
  usual: policyWith(),
  "approval-of-one": policyWith({ approvals: { required: 1, approvers: ["group:sre"] } }),
  "approval-of-two": policyWith(
    { approvals: { required: 2, approvers: ["group:sre", "alice"] } },
    { principals: peopleWith("alice", compact(person("alice", ["laptop", "phone"]))) },
  ),
  unnamed: policyWith({ name: "shop/dev" }),
  "no-cluster": policyWith({ clusters: [] }),
  "newer-demanded": policyWith({ minVersion: first.spec.version + 1 }),
  "epoch-demanded": policyWith({ minEpoch: 3 }),
  auditor: policyWith({}, { grants: [...grants, { subject: "alice", role: "audit", scope: "*" }] }),
  "dora-reads": policyWith(
    { clusters: [] },
    { ...direct, grants: [...grants, { subject: "dora", role: "read", scope: "shop" }] },
  ),
  "dora-reads-not": policyWith({ clusters: [] }, direct),
  "alice-ended": policyWith({}, { principals: peopleWith("alice", { expires: "2026-11-23T10:12:12Z" }) }),
  "alice-ends": policyWith({}, { principals: peopleWith("alice", { expires: "2026-11-23T10:12:13Z" }) }),
  "bob-ended": policyWith(
    { approvals: { required: 1, approvers: ["group:sre"] } },
    { principals: peopleWith("bob", { expires: "2026-11-23T10:12:12Z" }) },
  ),
};

function amend(from: ZoppEnvironment, changes: Partial<EnvironmentContent>, signers = ["alice"]): ZoppEnvironment {
  return amendEnvironment(from, { ...environmentContent(from), ...changes }, signedBy(signers));
}

const ahead = (hours: number): ZoppEnvironment =>
  newEnvironment(environmentContent(first), signedBy(["alice"], new Date(NOW.getTime() + hours * 3600_000)));
const under = (workspace: string, object: unknown) => ({ workspace, object });
const usual = (object: unknown) => under("usual", object);
const after = (name: string, object: unknown) => ({ ...usual(object), accepted: name });
const withSpec = (object: ZoppEnvironment, spec: object): ZoppEnvironment => ({
  ...object,
  spec: { ...object.spec, ...spec },
});

function good(
  name: string,
  why: string,
  given: EnvironmentGiven & { readonly object: ZoppEnvironment },
): EnvironmentVector {
  return accepted<EnvironmentGiven>(name, why, readEnvironment(given.object).digest, given);
}

/** The newest epoch wrapped (in appearance) to somebody. */
function wrappedTo(key: Pick<EncryptionKey, "kid"> | null): Partial<EnvironmentContent> {
  const { sealed, ...epoch } = epochOf("x25519", 2);
  return { keys: [{ ...epoch, sealed: sealed.map((wrapped) => ({ ...wrapped, to: key?.kid ?? "" })) }] };
}

const deviceOf = (name: string): EncryptionKey | null =>
  parseEncryptionKey(newcomer(name).devices?.[0]?.encryptionKey ?? "");

function accepts(): readonly EnvironmentVector[] {
  const epochs = [epochOf("x25519", 1), epochOf("x25519", 2)];
  return [
    good("first", "an admin signed it, within the owners' rule", { workspace: "usual", object: first }),
    good("first-xwing", "the same with X-Wing keys", {
      workspace: "usual",
      object: environment({ keys: [epochOf("xwing", 2)] }),
    }),
    good("two-epochs", "the newest comes last", { workspace: "usual", object: environment({ keys: epochs }) }),
    good("later", "a higher version", { workspace: "usual", accepted: "first", object: second }),
    good("accepted-again", "the accepted digest is no change", {
      workspace: "usual",
      accepted: "second",
      object: second,
    }),
    good("approved", "an approver signed its approval", {
      workspace: "approval-of-one",
      object: environment({}, ["alice", "bob"]),
    }),
    good("approved-by-two", "two persons beside the author", {
      workspace: "approval-of-two",
      object: environment({}, ["alice", "bob", "carol/phone"]),
    }),
    good("admin-by-the-accepted", "bob is an admin by the version before", {
      workspace: "usual",
      accepted: "bob-admin",
      object: amend(bobAdmin, {}, ["bob"]),
    }),
    good("audit-by-an-auditor", "who has audit may grant it", {
      workspace: "auditor",
      object: environment({ grants: [{ subject: "bob", role: "audit" }] }),
    }),
    good("direct", "where access is direct, a reader is a recipient", {
      workspace: "dora-reads",
      object: environment({ access: "direct" }),
    }),
    good("admin-ends-in-a-second", "an end counts from its very second on", { workspace: "alice-ends", object: first }),
    good("almost-a-day-ahead", "a version of 23 hours later", { workspace: "usual", object: ahead(23) }),
  ];
}

function underSigned(): readonly EnvironmentVector[] {
  const { signatures } = first.spec;
  const admin = { grants: [{ subject: "bob", role: "admin" as const }] };
  return [
    refused<EnvironmentGiven>("by-a-writer", "a writer is no admin", "NotAuthorised", usual(environment({}, ["bob"]))),
    refused("by-a-stranger", "nobody whom the policy names", "UnknownSigner", usual(environment({}, ["mallory"]))),
    refused("no-signature", "nobody signed it", "PartlySigned", usual(withSpec(first, { signatures: [] }))),
    refused(
      "changed-after",
      "a field was changed after it was signed",
      "SignatureInvalid",
      usual(withSpec(first, { access: "direct" })),
    ),
    refused(
      "signature-s-plus-l",
      "S is not below the group's order",
      "SignatureInvalid",
      usual(withSpec(first, { signatures: firstChanged(signatures, plusOrder) })),
    ),
    refused("own-admin", "by the grants that he signs", "NotAuthorised", usual(environment(admin, ["bob"]))),
    refused("own-admin-later", "nor in a later version", "NotAuthorised", after("first", amend(first, admin, ["bob"]))),
    refused(
      "audit-by-an-admin",
      "an admin grants no more than he has",
      "NotAuthorised",
      usual(environment({ grants: [{ subject: "bob", role: "audit" }] })),
    ),
    refused("admin-ended", "its signer's end has come", "NotAuthorised", under("alice-ended", first)),
  ];
}

function unapproved(): readonly EnvironmentVector[] {
  const [author] = environment({}, ["alice"]).spec.signatures;
  const [asAuthor] = environment({}, ["bob"]).spec.signatures;
  const lacking = (name: string, why: string, workspace: string, object: ZoppEnvironment) =>
    refused<EnvironmentGiven>(name, why, "PartlySigned", under(workspace, object));
  return [
    lacking("no-approval", "the owners ask for one", "approval-of-one", first),
    lacking("approval-of-no-approver", "ci may not approve", "approval-of-one", environment({}, ["alice", "ci"])),
    lacking(
      "approval-of-two-devices",
      "two devices of one person count once",
      "approval-of-two",
      environment({}, ["alice", "carol", "carol/phone"]),
    ),
    lacking(
      "approval-of-the-author",
      "who wrote it does not count, by another device either",
      "approval-of-two",
      environment({}, ["alice", "alice/phone", "bob"]),
    ),
    lacking(
      "approval-as-author",
      "an author's signature is another statement",
      "approval-of-one",
      withSpec(first, { signatures: [author, asAuthor] }),
    ),
    lacking("approval-of-one-who-ended", "bob's end has come", "bob-ended", environment({}, ["alice", "bob"])),
  ];
}

function unknownRecipients(): readonly EnvironmentVector[] {
  const recovery = [{ ...epochOf("x25519", 2), sealed: [{ to: "age1pqstranger", age: "AAAA" }] }];
  const strange = (name: string, why: string, workspace: string, changes: Partial<EnvironmentContent>) =>
    refused<EnvironmentGiven>(name, why, "UnknownRecipient", under(workspace, environment(changes)));
  return [
    strange("to-a-stranger", "a key that the policy does not name", "usual", wrappedTo(deviceOf("mallory"))),
    strange("to-an-unnamed-cluster", "not one of the environment's clusters", "no-cluster", {}),
    strange("to-a-reader-brokered", "people are recipients only where access is direct", "dora-reads", {}),
    strange("to-no-reader-direct", "dora may not read", "dora-reads-not", { access: "direct" }),
    strange("to-unnamed-recovery", "a recovery key that nobody named", "usual", { keys: recovery as never }),
  ];
}

function outsideTheRule(): readonly EnvironmentVector[] {
  const [epoch] = first.spec.keys as [EnvironmentKey];
  const wide = { keys: [{ ...epoch, binding: "environment" as const }] };
  const other = { keys: [{ ...epochOf("x25519", 1), epoch: 2 }] };
  const limited = { access: "direct" as const, grants: [{ subject: "bob", role: "read" as const, keys: ["DB_*"] }] };
  return [
    refused<EnvironmentGiven>("unnamed", "the owners do not name it", "UnknownEnvironment", under("unnamed", first)),
    refused("below-min-version", "the owners ask for more", "EnvironmentOutdated", under("newer-demanded", first)),
    refused("below-min-epoch", "the owners ask for more", "EnvironmentOutdated", under("epoch-demanded", first)),
    refused("lower-version", "older than the accepted one", "PolicyRollback", after("second", first)),
    refused(
      "same-version",
      "the accepted version with another digest",
      "Forked",
      after("second", amend(first, { rollback: "allow" })),
    ),
    refused("too-far", "a version of 25 hours later", "VersionTooFar", usual(ahead(25))),
    refused(
      "epoch-of-another-key",
      "an epoch keeps its key",
      "EnvironmentRefused",
      after("first", amend(first, other)),
    ),
    refused("epoch-of-another-binding", "and its binding", "EnvironmentRefused", after("first", amend(first, wide))),
    refused(
      "wide-binding-with-approvals",
      "binding environment and approvals exclude each other",
      "EnvironmentRefused",
      under("approval-of-one", environment(wide, ["alice", "bob"])),
    ),
    refused(
      "limited-read-direct",
      "a read of some keys cannot be enforced without a keyring",
      "GrantNotEnforceable",
      under("dora-reads", environment(limited)),
    ),
  ];
}

function malformed(): readonly EnvironmentVector[] {
  const wrong = (name: string, why: string, path: readonly (string | number)[], value: unknown) =>
    refused<EnvironmentGiven>(name, why, "Malformed", usual(changed(first, ["spec", ...path], value)));
  const [epoch] = first.spec.keys as [EnvironmentKey];
  const [wrapped] = epoch.sealed;
  const notReduced = Uint8Array.from({ length: 32 }, (_, at) => [0xf6, 0x7f][[0, 31].indexOf(at)] ?? 0xff);
  return [
    wrong("unknown-field", "no field is ignored", ["namespaces"], ["kube-system"]),
    wrong("proto", "no field has that name", ["__proto__"], {}),
    wrong("name-of-another", "its name is workspace.project.environment", ["environment"], "staging"),
    wrong("no-keys", "it has one epoch at least", ["keys"], []),
    wrong("epochs-backwards", "the newest comes last", ["keys"], [epoch, { ...epochOf("x25519", 1) }]),
    wrong("epoch-twice", "an epoch stands there once", ["keys"], [epoch, epoch]),
    wrong("low-order-key", "u = 1", ["keys", 0, "public"], `x25519:AQ${"A".repeat(41)}=`),
    wrong("key-not-reduced", "u = 2^255 - 19 + 9", ["keys", 0, "public"], `x25519:${encodeBase64(notReduced)}`),
    wrong("recipient-twice", "a recipient stands there once", ["keys", 0, "sealed"], [wrapped, wrapped]),
    wrong("wrapped-both-ways", "to a kid or to an age recipient", ["keys", 0, "sealed", 0, "age"], "AAAA"),
    wrong(
      "signature-unused-bit",
      "not canonical base64",
      ["signatures", 0, "value"],
      withUnusedBit(first.spec.signatures[0]?.value ?? ""),
    ),
    wrong(
      "signer-twice",
      "a signer stands there once",
      ["signatures"],
      [...first.spec.signatures, ...first.spec.signatures],
    ),
  ];
}

/** The vectors of environments.json. */
export function environmentVectors(): ObjectVectors<EnvironmentGiven> {
  const vectors = [accepts, underSigned, unapproved, unknownRecipients, outsideTheRule, malformed].flatMap((make) =>
    make(),
  );
  return { objects: { ...WORKSPACES, first, second, "bob-admin": bobAdmin }, vectors };
}
