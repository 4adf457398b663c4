// Makes baselines.json: baselines that a keyring accepts under a policy and by its own log, and what it refuses.
// What a baseline does for a bundle is bundles.json's (vectors.bundles.listed.ts).
import { readBaseline } from "../crds/policy/baseline.js";
import { approveBaseline } from "../crds/policy/edit.js";
import type { BaselineSpec, ZoppBaseline, ZoppEnvironment, ZoppWorkspace } from "../crds/types.gen.js";
import { changed, withUnusedBit } from "./field-table.js";
import { authorOf, type BaselineOptions, baseline } from "./fixtures.baseline.js";
import { acmeContent, identityOf, NOW, person, world } from "./fixtures.js";
import type { BaselineGiven, ObjectVector, ObjectVectors } from "./vectors.js";
import { bobs, empty } from "./vectors.places.js";
import {
  accepted,
  compact,
  environment,
  firstChanged,
  LATER,
  newcomer,
  people,
  peopleWith,
  plusOrder,
  policyWith,
  refused,
  withReferences,
} from "./vectors.world.js";

type BaselineVector = ObjectVector<BaselineGiven>;

const grants = acmeContent().grants ?? [];
const approvals = { required: 1, approvers: ["group:sre"] };
const phoned = { principals: peopleWith("alice", compact(person("alice", ["laptop", "phone"]))) };
const ended = (expires: string) => policyWith({}, { principals: peopleWith("alice", { expires }) });

const WORKSPACES = {
  usual: policyWith(),
  "approval-of-one": policyWith({ approvals }),
  "approval-of-two": policyWith({ approvals: { required: 2, approvers: ["group:sre", "alice"] } }, phoned),
  "bob-left": policyWith({}, { principals: people.slice(0, 1), groups: [], grants: grants.slice(0, 1) }),
  "dora-elsewhere": policyWith(
    {},
    {
      principals: [...people, newcomer("dora")],
      grants: [...grants, { subject: "dora", role: "admin", scope: "web" }],
    },
  ),
  "alice-ended": ended("2026-11-23T10:12:12Z"),
  "alice-ends": ended("2026-11-23T10:12:13Z"),
  expired: policyWith({}, { expires: "2026-11-23T10:12:12Z" }),
} as const satisfies Readonly<Record<string, ZoppWorkspace>>;

const ENVIRONMENTS = {
  usual: environment(),
  "bob-admin": environment({ grants: [{ subject: "bob", role: "admin" }] }),
} as const satisfies Readonly<Record<string, ZoppEnvironment>>;

type WorkspaceName = keyof typeof WORKSPACES;

/** What bob wrote, and a bundle of alice's, listed under the usual policy with bob's key. */
const LISTED = [bobs, empty({ name: "web" })];
const make = (options: BaselineOptions = {}): ZoppBaseline =>
  baseline(world(WORKSPACES.usual, ENVIRONMENTS.usual), LISTED, { authors: ["bob"], ...options });
const later = new Date(NOW.getTime() + 30_000);
const first = make();
const second = make({ now: later });
const BASELINES = { first, second };

const usual = { workspace: "usual", environment: "usual" } as const;
const hours = (count: number) => make({ now: new Date(LATER.getTime() + count * 3_600_000) });
const withSpec = (spec: Partial<BaselineSpec>): ZoppBaseline => ({ ...first, spec: { ...first.spec, ...spec } });
const approved = (...devices: string[]): ZoppBaseline => make({ signers: ["alice", ...devices] });

function good(name: string, why: string, given: BaselineGiven & { readonly object: ZoppBaseline }): BaselineVector {
  return accepted<BaselineGiven>(name, why, readBaseline(given.object).digest, given);
}

function accepts(): readonly BaselineVector[] {
  return [
    good("first", "an admin signed it after the keyring's log began", {
      ...usual,
      log: "20261123101111-00ff00ff00ff00ff",
      object: first,
    }),
    good("no-log", "a reader without a log has nothing that is older", { ...usual, object: first }),
    good("log-without-a-time", "an id that begins with no time says none", { ...usual, log: "log-1", object: first }),
    good("nothing-listed", "it may list nothing", { ...usual, object: withListed([]) }),
    good("later", "a higher version", { ...usual, accepted: "first", object: second }),
    good("accepted-again", "the accepted digest is no change, whatever the log", {
      ...usual,
      accepted: "first",
      log: "20261123101200-00ff00ff00ff00ff",
      object: first,
    }),
    good("newer-policy", "workspace and environment in force are newer than it asks for", {
      ...usual,
      object: make({ changes: { since: { workspace: 1, environment: 1 } } }),
    }),
    good("approved", "an approver signed its approval", {
      ...usual,
      workspace: "approval-of-one",
      object: approved("bob"),
    }),
    good("approved-by-two", "two persons beside the author", {
      ...usual,
      workspace: "approval-of-two",
      object: approved("bob", "carol/phone"),
    }),
    good("admin-by-the-environment", "bob is an admin by the environment's own grants", {
      workspace: "usual",
      environment: "bob-admin",
      object: make({ signers: ["bob"] }),
    }),
    good("admin-ends-in-a-second", "an end counts from its very second on", {
      ...usual,
      workspace: "alice-ends",
      object: first,
    }),
    good("almost-a-day-ahead", "a version of 23 hours later", { ...usual, object: hours(23) }),
  ];
}

function withListed(bundles: BaselineSpec["bundles"]): ZoppBaseline {
  return make({ changes: { bundles } });
}

const under = (workspace: WorkspaceName, object: unknown) => ({ ...usual, workspace, object });
const judged = (object: unknown) => under("usual", object);

function underSigned(): readonly BaselineVector[] {
  const [signature] = environment().spec.signatures;
  const { signatures, bundles, since } = first.spec;
  const forged = { namespace: "shop-prod", name: "zz", digest: "0".repeat(64) };
  const broken = (name: string, why: string, spec: Partial<BaselineSpec>) =>
    refused<BaselineGiven>(name, why, "SignatureInvalid", judged(withSpec(spec)));
  return [
    refused<BaselineGiven>("by-a-writer", "a writer is no admin", "NotAuthorised", judged(make({ signers: ["bob"] }))),
    refused("by-a-submitter", "nor is a service", "NotAuthorised", judged(make({ signers: ["ci"] }))),
    refused(
      "by-an-admin-elsewhere",
      "dora is an admin of another project",
      "NotAuthorised",
      under("dora-elsewhere", make({ signers: ["dora"] })),
    ),
    refused("admin-ended", "its signer's end has come", "NotAuthorised", under("alice-ended", first)),
    refused("by-a-stranger", "nobody whom the policy names", "UnknownSigner", judged(make({ signers: ["mallory"] }))),
    refused(
      "by-one-of-its-authors",
      "a key that it lists signs no baseline",
      "UnknownSigner",
      under("bob-left", make({ signers: ["bob"] })),
    ),
    refused("no-signature", "nobody signed it", "PartlySigned", judged(withSpec({ signatures: [] }))),
    broken("added-bundle", "a bundle was added after it was signed", { bundles: [...bundles, forged] }),
    broken("changed-digest", "a digest was changed", {
      bundles: bundles.map((each) => ({ ...each, digest: forged.digest })),
    }),
    broken("dropped-author", "a key was taken out", { authors: [] }),
    broken("added-author", "a key was put in", {
      authors: [...(first.spec.authors ?? []), authorOf("mallory")],
    }),
    broken("changed-since", "what it was made for was changed", { since: { ...since, workspace: 1 } }),
    broken("signature-s-plus-l", "S is not below the group's order", {
      signatures: firstChanged(signatures, plusOrder),
    }),
    broken("signature-of-the-environment", "an environment's signature is over another statement", {
      signatures: signature === undefined ? [] : [signature],
    }),
  ];
}

function unapproved(): readonly BaselineVector[] {
  const lacking = (name: string, why: string, workspace: WorkspaceName, object: ZoppBaseline) =>
    refused<BaselineGiven>(name, why, "PartlySigned", under(workspace, object));
  const [author] = first.spec.signatures;
  const [asAuthor] = make({ signers: ["bob"] }).spec.signatures;
  const ofEnvironment = environment({}, ["alice", "bob"]).spec.signatures[1];
  const beside = (signature: typeof author) =>
    withSpec({ signatures: [author, signature].filter((each) => each !== undefined) });
  return [
    lacking("no-approval", "the owners ask for one", "approval-of-one", first),
    lacking("approval-of-no-approver", "ci may not approve", "approval-of-one", approved("ci")),
    lacking(
      "approval-of-two-devices",
      "two devices of one person count once",
      "approval-of-two",
      approved("carol", "carol/phone"),
    ),
    lacking(
      "approval-of-the-author",
      "who wrote it does not count, by another device either",
      "approval-of-two",
      approveBaseline(approved("bob"), identityOf("alice/phone").signing),
    ),
    lacking("approval-as-author", "an author's signature is another statement", "approval-of-one", beside(asAuthor)),
    lacking(
      "approval-of-the-environment",
      "what bob approved is the environment",
      "approval-of-one",
      beside(ofEnvironment),
    ),
  ];
}

function outOfTime(): readonly BaselineVector[] {
  const version = first.spec.version;
  const since = (changes: Partial<BaselineSpec["since"]>) =>
    make({ changes: { since: { ...first.spec.since, ...changes } } });
  const after = (name: keyof typeof BASELINES, object: ZoppBaseline) => ({ ...judged(object), accepted: name });
  return [
    refused<BaselineGiven>("older-than-the-log", "it was meant for another keyring", "BaselineOutdated", {
      ...judged(first),
      log: "20261123101200-00ff00ff00ff00ff",
    }),
    refused("as-old-as-the-log", "the log's own second is not later", "BaselineOutdated", {
      ...judged(first),
      log: `${version}-00ff00ff00ff00ff`,
    }),
    refused("lower-version", "older than the accepted one", "PolicyRollback", after("second", first)),
    refused("same-version", "the accepted version with another digest", "Forked", after("first", withListed([]))),
    refused(
      "workspace-too-old",
      "the workspace in force is older than it asks for",
      "EnvironmentOutdated",
      judged(since({ workspace: version + 1 })),
    ),
    refused(
      "environment-too-old",
      "so is the environment",
      "EnvironmentOutdated",
      judged(since({ environment: version + 1 })),
    ),
    refused("policy-expired", "an expired policy accepts nothing new", "PolicyExpired", under("expired", first)),
    refused("too-far", "a version of 25 hours later", "VersionTooFar", judged(hours(25))),
    refused(
      "of-another-environment",
      "it is judged under the environment that it names",
      "EnvironmentRefused",
      judged(make({ changes: { environment: "staging" } })),
    ),
  ];
}

function malformed(): readonly BaselineVector[] {
  const wrong = (name: string, why: string, path: readonly (string | number)[], value: unknown) =>
    refused<BaselineGiven>(name, why, "Malformed", judged(changed(first, path, value)));
  const { bundles, authors = [], signatures } = first.spec;
  const zero = `ed25519:${"A".repeat(43)}=`;
  return [
    wrong("unknown-field", "no field is ignored", ["spec", "comment"], "x"),
    wrong("unknown-field-of-a-bundle", "nor further down", ["spec", "bundles", 0, "version"], 1),
    wrong("proto", "no field has that name", ["spec", "__proto__"], {}),
    wrong("name-of-another", "its name is workspace.project.environment", ["metadata", "name"], "acme.shop.staging"),
    wrong("out-of-order", "bundles stand in the order of their places", ["spec", "bundles"], [...bundles].reverse()),
    wrong("bundle-twice", "a place stands there once", ["spec", "bundles"], [bundles[0], ...bundles]),
    wrong("digest-upper-case", "digests are written in lower case", ["spec", "bundles", 0, "digest"], "A".repeat(64)),
    wrong("low-order-author", "the identity point", ["spec", "authors", 0, "signingKey"], zero),
    wrong("author-twice", "a key stands there once", ["spec", "authors"], [...authors, ...authors]),
    wrong("null", "absent is written by leaving it out", ["spec", "authors"], null),
    wrong(
      "signature-unused-bit",
      "not canonical base64",
      ["spec", "signatures", 0, "value"],
      withUnusedBit(signatures[0]?.value ?? ""),
    ),
    wrong("signer-twice", "a signer stands there once", ["spec", "signatures"], [...signatures, ...signatures]),
  ];
}

/** The vectors of baselines.json. */
export function baselineVectors(): ObjectVectors<BaselineGiven> {
  const vectors = [accepts, underSigned, unapproved, outOfTime, malformed].flatMap((each) => each());
  return withReferences({ workspace: WORKSPACES, environment: ENVIRONMENTS, accepted: BASELINES }, vectors);
}
