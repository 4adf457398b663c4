// Every attacker of SECURITY.md who can write to the API, each with what his own key signs: what he tries is refused for its
// reason, the log says so, and no Secret changes. Real processes on a real API server.
import t from "tap";
import { wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import { amendEnvironment, environmentContent } from "../../crds/policy/edit.js";
import type { ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../../crds/types.gen.js";
import { ZOPP_ENVIRONMENTS, ZOPP_WORKSPACES } from "../../operator/kube/resources.js";
import { environmentKey, identityOf, withHeader, withValue } from "../fixtures.js";
import { NAMESPACES, signedBy, Team } from "./attacks.world.js";

const team = await Team.start();
t.teardown(() => team.bed.stop());
const { bed } = team;

const first = team.seal("production", { A: "a1", B: "b1" });
const second = withValue(
  withValue(first, "A", "a2", team.writing("production", "writer")),
  "B",
  "b2",
  team.writing("production", "writer"),
);
const staged = team.approve("staging", team.seal("staging", { A: "s1" }));
const oldPolicy = bed.workspace;

t.test("before anything happens everything is in order", async (t) => {
  await team.applied(first, "Synced");
  await team.applied(second, "Synced");
  await team.applied(staged, "Synced");
  t.same((await bed.secret()).data, { A: "a2", B: "b2" });
  t.same((await bed.secret("api", NAMESPACES.staging)).data, { A: "s1" });
});

function withSpec(secret: ZoppSecret, spec: Partial<ZoppSecret["spec"]>): ZoppSecret {
  return { ...secret, spec: { ...secret.spec, ...spec } };
}

function entries(secret: ZoppSecret) {
  const { A, B } = secret.spec.data ?? {};
  if (A === undefined || B === undefined) throw new TypeError("the bundle has two entries");
  return { A, B };
}

const moved = (secret: ZoppSecret, namespace: string, name = "api"): ZoppSecret => ({
  ...secret,
  metadata: { name, namespace },
});
const production = (by: string) => team.writing("production", by);

interface OnBundle {
  readonly who: string;
  readonly what: string;
  readonly reason: string;
  forge(): ZoppSecret;
}

const ON_BUNDLES: readonly OnBundle[] = [
  {
    who: "a git writer",
    what: "mixes two valid versions of a bundle",
    reason: "RollbackRefused",
    forge: () => withSpec(second, { data: { A: entries(second).A, B: entries(first).B } }),
  },
  { who: "a git writer", what: "puts a whole older version back", reason: "RollbackRefused", forge: () => first },
  {
    who: "a git writer",
    what: "puts one key's value under another",
    reason: "PlaceMismatch",
    forge: () => withSpec(second, { data: { A: entries(second).B, B: entries(second).B } }),
  },
  {
    who: "a git writer",
    what: "drops a key",
    reason: "EntryMissing",
    forge: () => withSpec(second, { data: { A: entries(second).A } }),
  },
  {
    who: "a git writer",
    what: "names another Secret as the target",
    reason: "SignatureInvalid",
    forge: () => withSpec(second, { target: { name: "default-token" } }),
  },
  {
    who: "somebody who may write in a namespace",
    what: "copies a bundle into a namespace that its environment does not serve",
    reason: "NamespaceNotAllowed",
    forge: () => moved(second, NAMESPACES.dev),
  },
  {
    who: "somebody who may write in a namespace",
    what: "signs a bundle with a key of his own",
    reason: "UnknownSigner",
    forge: () => team.seal("production", { A: "mine" }, "mallory", { name: "own" }),
  },
  {
    who: "a reader",
    what: "writes a value",
    reason: "NotAuthorised",
    forge: () => withValue(second, "A", "mine", production("reader")),
  },
  {
    who: "an auditor",
    what: "writes a value",
    reason: "NotAuthorised",
    forge: () => withValue(second, "A", "mine", production("auditor")),
  },
  {
    who: "a thief of a submit token",
    what: "writes a key outside of its patterns",
    reason: "NotAuthorised",
    forge: () => withValue(second, "A", "mine", production("ci")),
  },
  {
    who: "a thief of a submit token",
    what: "signs a header, to send the values elsewhere",
    reason: "NotAuthorised",
    forge: () => withHeader(second, { target: { name: "elsewhere" } }, production("ci")),
  },
  {
    who: "a writer",
    what: "changes what asks for approval, with an approval that was given to the value before",
    reason: "PendingApproval",
    forge: () => {
      const changed = withValue(staged, "A", "s2", team.writing("staging", "writer"));
      const [before, now] = [staged.spec.data?.["A"], changed.spec.data?.["A"]];
      if (now === undefined || before?.approvals === undefined) throw new TypeError("nothing was approved");
      return withSpec(changed, { data: { A: { ...now, approvals: before.approvals } } });
    },
  },
  {
    who: "an admin of another environment",
    what: "captures a namespace with a bundle of his own environment",
    reason: "NamespaceNotAllowed",
    forge: () => team.seal("dev", { A: "mine" }, "dev-admin", { namespace: NAMESPACES.production, name: "web" }),
  },
  {
    who: "an admin of another environment",
    what: "takes over a bundle with one of his own environment",
    reason: "NamespaceNotAllowed",
    forge: () => team.seal("dev", { A: "mine" }, "dev-admin", { namespace: NAMESPACES.production }),
  },
];

for (const { who, what, reason, forge } of ON_BUNDLES) {
  t.test(`${who} ${what}: ${reason}`, async (t) => {
    const before = await team.secrets();
    const forged = forge();
    const { namespace, name } = forged.metadata;
    await team.applied(forged, reason);
    await team.recorded(`${namespace}/${name}`, reason);
    t.same(await team.secrets(), before, "no Secret was made, changed or deleted");
    const [good] = [second, staged].filter((one) => one.metadata.name === name && one.metadata.namespace === namespace);
    if (good === undefined) await team.removeBundle(forged);
    else await team.applied(good, "Synced");
    t.same(await team.secrets(), before, "nor when what is right is back");
  });
}

interface OnPolicy {
  readonly who: string;
  readonly what: string;
  readonly reason: string;
  forge(): ZoppWorkspace | ZoppEnvironment;
}

function amendedEnvironment(
  name: "production" | "dev" | "staging",
  changes: Partial<ZoppEnvironment["spec"]>,
  by: string,
) {
  const { object } = team.environment(name);
  return amendEnvironment(object, { ...environmentContent(object), ...changes }, signedBy(by));
}

const ON_POLICY: readonly OnPolicy[] = [
  {
    who: "a compromised GitOps controller",
    what: "brings a workspace of its own",
    reason: "NotPinned",
    forge: () => team.strangers("evil"),
  },
  {
    who: "a compromised GitOps controller",
    what: "puts its own workspace in place of ours",
    reason: "Forked",
    forge: () => team.strangers("acme"),
  },
  { who: "a git writer", what: "puts an older policy back", reason: "PolicyRollback", forge: () => oldPolicy },
  {
    who: "an owner",
    what: "forks the policy from an older one",
    reason: "Forked",
    forge: () => team.amended({ groups: [{ name: "x", members: [] }] }, "alice", oldPolicy),
  },
  {
    who: "an admin of one environment",
    what: "gives it another environment's namespace",
    reason: "PartlySigned",
    forge: () => {
      const rules = bed.workspace.spec.environments ?? [];
      const environments = rules.map((rule) =>
        rule.name === "shop/dev" ? { ...rule, namespaces: ["shop-dev", "shop-x"] } : rule,
      );
      return team.amended({ environments }, "dev-admin");
    },
  },
  {
    who: "an admin of one environment",
    what: "lowers the approvals that owners ask of it",
    reason: "PartlySigned",
    forge: () => {
      const environments = (bed.workspace.spec.environments ?? []).map(({ approvals: _, ...rule }) => rule);
      return team.amended({ environments }, "staging-admin");
    },
  },
  {
    who: "an admin of one environment",
    what: "changes it without the approval that owners ask for",
    reason: "PartlySigned",
    forge: () => amendedEnvironment("staging", { rollback: "allow" }, "staging-admin"),
  },
  {
    who: "an admin of one environment",
    what: "wraps its key to his own device, where people read through the keyring",
    reason: "UnknownRecipient",
    forge: () => {
      const context = { workspace: "acme", project: "shop", environment: "dev", epoch: 1 };
      const to = identityOf("dev-admin").encryption.publicKey;
      const own = wrapEnvironmentKey(to, context, environmentKey.xwing.privateKey);
      const keys = team.environment("dev").object.spec.keys.map((key) => ({ ...key, sealed: [...key.sealed, own] }));
      return amendedEnvironment("dev", { keys }, "dev-admin");
    },
  },
  {
    who: "an admin of one environment",
    what: "grants audit, which he does not have",
    reason: "NotAuthorised",
    forge: () => amendedEnvironment("dev", { grants: [{ subject: "dev-admin", role: "audit" }] }, "dev-admin"),
  },
  {
    who: "an admin of one environment",
    what: "signs another one",
    reason: "NotAuthorised",
    forge: () => amendedEnvironment("production", { grants: [{ subject: "dev-admin", role: "admin" }] }, "dev-admin"),
  },
  {
    who: "a writer",
    what: "makes himself admin by the environment that he signs",
    reason: "NotAuthorised",
    forge: () => amendedEnvironment("production", { grants: [{ subject: "writer", role: "admin" }] }, "writer"),
  },
];

t.test("owners sign a newer policy, so that there is an older one", async () => {
  await bed.amendPolicy({ workspace: team.amended({ groups: [{ name: "sre", members: ["carol"] }] }, "alice") });
  await team.verdict("Accepted", bed.workspace);
});

let current = second;

for (const { who, what, reason, forge } of ON_POLICY) {
  t.test(`${who} ${what}: ${reason}`, async (t) => {
    const before = await team.secrets();
    const forged = forge();
    const { name } = forged.metadata;
    const isWorkspace = forged.kind === "ZoppWorkspace";
    const resource = isWorkspace ? ZOPP_WORKSPACES : ZOPP_ENVIRONMENTS;
    await bed.apply<ZoppWorkspace | ZoppEnvironment>(resource, forged);
    await team.verdict(reason, forged);
    await team.recorded(name, reason);
    current = withValue(current, "A", what, production("writer"));
    await team.applied(current, "Synced");
    t.same((await bed.secret()).data, { A: what, B: "b2" }, "what was accepted before goes on");
    if (isWorkspace && name === "evil") await bed.client.delete(resource, { name });
    else {
      const environment = [...team.environments.values()].find(({ object }) => object.metadata.name === name);
      const good = isWorkspace ? bed.workspace : (environment?.object ?? forged);
      await bed.apply<ZoppWorkspace | ZoppEnvironment>(resource, good);
      await team.verdict("Accepted", good);
    }
    const others = ({ [`${NAMESPACES.production}/api`]: _, ...rest }: Readonly<Record<string, unknown>>) => rest;
    t.same(others(await team.secrets()), others(before));
  });
}
