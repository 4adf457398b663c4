import t from "tap";
import { ABSENT, acceptsEach, type Path, PROBLEM, refusesEach, withUnusedBit } from "../hack/field-table.js";
import { acme, cluster, identityOf, person } from "../hack/fixtures.js";
import { ownersSet } from "./policy/roster.js";
import { parseWorkspace } from "./validate.js";

const { signing } = identityOf("guest");
const signed = acme();
const [signature] = signed.spec.signatures;
const valid = {
  ...signed,
  spec: {
    ...signed.spec,
    expires: "2027-11-01T00:00:00Z",
    principals: [
      ...signed.spec.principals,
      { name: "api", kind: "workload", cluster: "eu-1", serviceAccount: "shop-prod/api" },
    ],
    recovery: [{ name: "safe", recipient: "age1pqabc" }],
    invites: [
      {
        name: "guest",
        signingKey: signing.verifyKey.text,
        expires: "2026-12-01T00:00:00Z",
        grant: { role: "read", scope: "shop", keys: ["A_*"], expires: "2027-12-01T00:00:00Z" },
      },
    ],
    rotations: [
      {
        version: 1,
        from: ownersSet(signed.spec),
        to: "0".repeat(64),
        signatures: structuredClone(signed.spec.signatures),
      },
    ],
  },
};
const workspace = { parse: parseWorkspace, valid };
const PRINCIPALS: Path = ["spec", "principals"];
const DEVICE: Path = [...PRINCIPALS, 0, "devices", 0];
const NAMED = ["groups", "clusters", "environments", "recovery", "invites"] as const;
const HOLDER = "has not exactly devices (person, service), or cluster and serviceAccount (workload)";
const LOW_ORDER = `ed25519:${"A".repeat(43)}=`;

t.test("a workspace is accepted", async (t) => {
  acceptsEach(t, workspace, [
    ...[...NAMED, "grants", "expires", "rotations", "ancestors"].map(
      (field) => [`without ${field}`, ["spec", field], ABSENT] as const,
    ),
    [
      "with an environment for namespaces with a prefix",
      ["spec", "environments", 0, "namespaces"],
      ["shop-pr-*", "shop-prod"],
    ],
    ["with a keyring at an address", ["spec", "clusters", 0, "endpoint"], "[2001:db8::1]:8443"],
    ["with a keyring at a name", ["spec", "clusters", 0, "endpoint"], "keyring.eu-1.example:8443"],
    ["with a device that signs only with its compact key", [...DEVICE, "encryptionKey"], x25519()],
  ]);
});

t.test("a workspace is refused for its people", async (t) => {
  refusesEach(t, workspace, [
    ["a principal twice", [...PRINCIPALS, 1], person("alice"), [`spec.principals.1.name ${PROBLEM.twice}`, GROUP(0)]],
    [
      "a device twice",
      [...PRINCIPALS, 0, "devices", 1],
      person("alice").devices?.[0],
      [`spec.principals.0.devices.1.name ${PROBLEM.twice}`],
    ],
    ["a principal in capitals", [...PRINCIPALS, 0, "name"], "Alice", [`spec.principals.0.name ${PROBLEM.form}`]],
    ["a person of a cluster", [...PRINCIPALS, 0, "cluster"], "eu-1", [`spec.principals.0 ${HOLDER}`]],
    ["a workload with devices", [...PRINCIPALS, 4, "devices"], [], [`spec.principals.4 ${HOLDER}`]],
    ["a workload without an account", [...PRINCIPALS, 4, "serviceAccount"], ABSENT, [`spec.principals.4 ${HOLDER}`]],
    [
      "a signing key of low order",
      [...DEVICE, "signingKey"],
      LOW_ORDER,
      [`spec.principals.0.devices.0.signingKey ${PROBLEM.unusable}`],
    ],
    [
      "an encryption key of low order",
      [...DEVICE, "encryptionKey"],
      `x25519:${"A".repeat(43)}=`,
      [`spec.principals.0.devices.0.encryptionKey ${PROBLEM.unusable}`],
    ],
    [
      "unused bits in a key",
      [...DEVICE, "encryptionKey"],
      withUnusedBit(x25519()),
      [`spec.principals.0.devices.0.encryptionKey ${PROBLEM.unusable}`],
    ],
    [
      "an owner who is nobody",
      ["spec", "owners", "principals"],
      ["alice", "mallory"],
      ["spec.owners.principals.1 is not among the principals"],
    ],
    [
      "an owner twice",
      ["spec", "owners", "principals"],
      ["alice", "alice"],
      [`spec.owners.principals.1 ${PROBLEM.twice}`],
    ],
    [
      "a threshold above the owners",
      ["spec", "owners", "threshold"],
      2,
      ["spec.owners.threshold is above the number of owners"],
    ],
    ["a threshold of none", ["spec", "owners", "threshold"], 0, ["spec.owners.threshold is below the limit of 1"]],
    [
      "a group in a group",
      ["spec", "groups", 0, "members"],
      ["bob", "sre"],
      ["spec.groups.0.members.1 is not among the principals"],
    ],
    ["a member twice", ["spec", "groups", 0, "members"], ["bob", "bob"], [`spec.groups.0.members.1 ${PROBLEM.twice}`]],
  ]);
});

t.test("a workspace is refused for names that stand there twice", async (t) => {
  refusesEach(t, workspace, [
    ...NAMED.map((field) => {
      const [first] = valid.spec[field] ?? [];
      const wanted = [`spec.${field}.1.name ${PROBLEM.twice}`];
      if (field === "recovery") wanted.push(`spec.recovery.1.recipient ${PROBLEM.twice}`);
      return [field, ["spec", field], [first, first], wanted] as const;
    }),
    ["a signer", ["spec", "signatures"], [signature, signature], [`spec.signatures.1.by ${PROBLEM.twice}`]],
    [
      "a namespace",
      ["spec", "environments", 0, "namespaces"],
      ["a", "a"],
      [`spec.environments.0.namespaces.1 ${PROBLEM.twice}`],
    ],
    [
      "a cluster",
      ["spec", "environments", 0, "clusters"],
      ["a", "a"],
      [`spec.environments.0.clusters.1 ${PROBLEM.twice}`],
    ],
    [
      "an approver",
      ["spec", "environments", 0, "approvals"],
      { required: 1, approvers: ["a", "a"] },
      [`spec.environments.0.approvals.approvers.1 ${PROBLEM.twice}`],
    ],
  ]);
});

t.test("a workspace is refused for what it allows", async (t) => {
  const namespaces: Path = ["spec", "environments", 0, "namespaces"];
  const scope: Path = ["spec", "grants", 0, "scope"];
  refusesEach(t, workspace, [
    ...["*", "a*b", "*a", "a**", "A", "a.b", "-a", "a-"].map(
      (pattern) =>
        [`namespace ${pattern}`, namespaces, [pattern], [`spec.environments.0.namespaces.0 ${PROBLEM.form}`]] as const,
    ),
    ...["shop/*", "*/production", "acme/shop/production", "", "shop/"].map(
      (text) => [`scope ${JSON.stringify(text)}`, scope, text, [`spec.grants.0.scope ${PROBLEM.form}`]] as const,
    ),
    [
      "a role of its own",
      ["spec", "grants", 0, "role"],
      "owner",
      ["spec.grants.0.role is not one of read, submit, write, admin, audit"],
    ],
    [
      "a key pattern with a question mark",
      ["spec", "grants", 0, "keys"],
      ["A?"],
      [`spec.grants.0.keys.0 ${PROBLEM.form}`],
    ],
    [
      "a grant that ends on no day",
      ["spec", "grants", 0, "expires"],
      "2026-04-31T00:00:00Z",
      [`spec.grants.0.expires ${PROBLEM.time}`],
    ],
    [
      "approvals of nobody",
      ["spec", "environments", 0, "approvals"],
      { required: 1, approvers: [] },
      ["spec.environments.0.approvals.approvers is below the limit of 1 items"],
    ],
    [
      "an environment without a project",
      ["spec", "environments", 0, "name"],
      "production",
      [`spec.environments.0.name ${PROBLEM.form}`],
    ],
  ]);
});

t.test("a workspace is refused for its clusters, invitations, rotations or ends", async (t) => {
  const from: Path = ["spec", "rotations", 0, "from"];
  const keys: Path = [...from, "principals", 0, "signingKeys"];
  const { text } = signing.verifyKey;
  refusesEach(t, workspace, [
    [
      "a dot in its name",
      ["metadata", "name"],
      "acme.eu",
      ["metadata.name is not a label of at most 63 characters, without dots"],
    ],
    ["an end on no day", ["spec", "expires"], "2027-02-30T00:00:00Z", [`spec.expires ${PROBLEM.time}`]],
    [
      "a cluster with a key of low order",
      ["spec", "clusters", 0],
      { ...cluster("eu-1"), signingKey: LOW_ORDER },
      [`spec.clusters.0.signingKey ${PROBLEM.unusable}`],
    ],
    [
      "a keyring without a port",
      ["spec", "clusters", 0, "endpoint"],
      "keyring.example",
      [`spec.clusters.0.endpoint ${PROBLEM.form}`],
    ],
    [
      "an invitation with a key of low order",
      ["spec", "invites", 0, "signingKey"],
      LOW_ORDER,
      [`spec.invites.0.signingKey ${PROBLEM.unusable}`],
    ],
    ["an invitation without an end", ["spec", "invites", 0, "expires"], ABSENT, ["spec.invites.0.expires is missing"]],
    [
      "a recovery key for something else",
      ["spec", "recovery", 0, "recipient"],
      "ssh-ed25519 AAAA",
      [`spec.recovery.0.recipient ${PROBLEM.form}`],
    ],
    [
      "former owners below their threshold",
      [...from, "threshold"],
      2,
      ["spec.rotations.0.from.threshold is above the number of owners"],
    ],
    [
      "a former owner's key twice",
      keys,
      [text, text],
      [`spec.rotations.0.from.principals.0.signingKeys.1 ${PROBLEM.twice}`],
    ],
    [
      "a former owner's key of low order",
      keys,
      [LOW_ORDER],
      [`spec.rotations.0.from.principals.0.signingKeys.0 ${PROBLEM.unusable}`],
    ],
    [
      "an invitation whose grant ends on no day",
      ["spec", "invites", 0, "grant", "expires"],
      "2027-02-30T00:00:00Z",
      [`spec.invites.0.grant.expires ${PROBLEM.time}`],
    ],
    [
      "a rotation of a later version than the policy",
      ["spec", "rotations", 0, "version"],
      signed.spec.version + 1,
      ["spec.rotations.0.version is not between the step before and the policy"],
    ],
    ["a rotation to nobody", ["spec", "rotations", 0, "to"], ABSENT, ["spec.rotations.0.to is missing"]],
    ["an ancestor in capitals", ["spec", "ancestors"], ["A".repeat(64)], [`spec.ancestors.0 ${PROBLEM.form}`]],
    [
      "a signature with unused bits",
      ["spec", "signatures", 0, "value"],
      withUnusedBit(signature?.value ?? ""),
      [`spec.signatures.0.value ${PROBLEM.base64}`],
    ],
  ]);
});

function GROUP(at: number): string {
  return `spec.groups.0.members.${at} is not among the principals`;
}

function x25519(): string {
  return "x25519:CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
}
