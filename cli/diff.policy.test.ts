import t from "tap";
import type { WorkspaceSpec } from "../crds/types.gen.js";
import { acme, cluster, identityOf, person } from "../hack/fixtures.js";
import { policyDifferences } from "./diff.policy.js";

const { spec } = acme({
  environments: [
    {
      name: "shop/production",
      namespaces: ["shop-prod"],
      clusters: ["eu-1"],
      minEpoch: 2,
      approvals: { required: 2, approvers: ["group:sre"] },
    },
  ],
  clusters: [cluster("eu-1")],
  recovery: [{ name: "safe", recipient: "age1pqsafe" }],
});
const [environment] = spec.environments ?? [];
if (environment === undefined) throw new Error("no environment");

const CASES: readonly [string, Partial<WorkspaceSpec>, readonly RegExp[]][] = [
  ["an owner", { owners: { threshold: 1, principals: ["alice", "bob"] } }, [/^\+ owners.principals: bob$/]],
  [
    "a lowered threshold",
    { owners: { threshold: 1, principals: ["alice"] } },
    [/^~ owners.threshold: 2 -> 1 {3}\(lowered\)$/],
  ],
  [
    "a person who comes",
    { principals: [...spec.principals, person("zoe")] },
    [/^\+ principals: name zoe kind person devices \(.*zk1/],
  ],
  ["a person who goes", { principals: spec.principals.slice(1) }, [/^- principals: name alice/]],
  [
    "a device with other keys",
    { principals: spec.principals.map((each) => (each.name === "bob" ? { ...person("mallory"), name: "bob" } : each)) },
    [/^~ principals\[bob\].devices\[laptop\].signingKey: zk1.* -> zk1/, /encryptionKey: zk1.* -> zk1/],
  ],
  ["an end", { expires: "2027-01-01T00:00:00Z" }, [/^\+ expires: 2027/]],
  [
    "a member",
    { groups: [{ name: "sre", members: ["mallory"] }] },
    [/^- groups\[sre\].members/, /^\+ groups\[sre\].members: mallory/],
  ],
  [
    "a grant",
    { grants: [{ subject: "bob", role: "admin", scope: "*", keys: ["A_*"] }] },
    [/^- grants/, /^\+ grants: subject bob role admin scope \* keys \(A_\*\)/],
  ],
  ["a cluster", { clusters: [cluster("eu-1"), cluster("eu-2")] }, [/^\+ clusters: name eu-2 signingKey zk1/]],
  ["a recovery key", { recovery: [] }, [/^- recovery: name safe recipient age1pqsafe/]],
  [
    "an invite",
    {
      invites: [
        {
          name: "zoe",
          signingKey: identityOf("i").signing.verifyKey.text,
          expires: "2027-01-01T00:00:00Z",
          grant: { role: "admin", scope: "*" },
        },
      ],
    },
    [/^\+ invites: name zoe .*grant \(role admin scope \*\)/],
  ],
  [
    "fewer approvals",
    { environments: [{ ...environment, approvals: { required: 1, approvers: ["group:sre"] } }] },
    [/^~ environments\[shop\/production\].approvals.required: 2 -> 1 {3}\(lowered\)$/],
  ],
  ["a lower epoch", { environments: [{ ...environment, minEpoch: 1 }] }, [/minEpoch: 2 -> 1 {3}\(lowered\)/]],
  [
    "a namespace",
    { environments: [{ ...environment, namespaces: ["shop-prod", "kube"] }] },
    [/^\+ environments\[shop\/production\].namespaces: kube/],
  ],
];

t.test("an owner is shown every difference before signing, and what is lowered as such", async (t) => {
  t.same(
    policyDifferences(spec, { ...spec, version: spec.version + 1, ancestors: [], signatures: [] }),
    [],
    "but no version's own",
  );
  for (const [title, change, lines] of CASES) {
    const before =
      title === "a lowered threshold" ? { ...spec, owners: { threshold: 2, principals: ["alice"] } } : spec;
    const found = policyDifferences(before, { ...before, ...change });
    for (const line of lines) t.match(found.join("\n"), new RegExp(line.source, "m"), title);
    t.ok(found.length >= lines.length, title);
  }
  const { approvals: _, ...bare } = environment;
  t.match(policyDifferences(spec, { ...spec, environments: [bare] }), [/^- .*approvals: required 2 .*\(lowered\)$/]);
  const [alice, ...others] = spec.principals;
  const turned = { ...spec, principals: [...others, alice] } as WorkspaceSpec;
  t.same(policyDifferences(spec, turned), ["~ principals: in another order"], "another order alone is one too");
});
