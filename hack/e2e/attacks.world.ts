// The team that hack/e2e/attacks.test.ts attacks: three environments, and a person of each role. Everything in it is signed
// by whom it should be; what is not is the attacks'.
import { approveParts } from "../../crds/bundle/approve.js";
import {
  amendWorkspace,
  type EnvironmentContent,
  newEnvironment,
  newWorkspace,
  type WorkspaceContent,
  workspaceContent,
} from "../../crds/policy/edit.js";
import { type AcceptedEnvironment, readEnvironment } from "../../crds/policy/environment.js";
import type { WorkspaceSpec, ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../../crds/types.gen.js";
import { type Condition, type Conditioned, readyOf } from "../../operator/kube/conditions.js";
import {
  type KubeObject,
  SECRETS,
  ZOPP_ENVIRONMENTS,
  ZOPP_SECRETS,
  ZOPP_WORKSPACES,
} from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { bundle, identityOf, person } from "../fixtures.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { environmentOf, type TestbedOptions } from "../testbed.policy.js";
import { readLog } from "./log.js";

/** Namespaces by environment. */
export const NAMESPACES = { production: "shop-prod", dev: "shop-dev", staging: "shop-staging" } as const;
export type Name = keyof typeof NAMESPACES;

/** Roles by person: alice owns it all, carol approves in staging, and nobody else has more than one. */
const GRANTS: NonNullable<WorkspaceSpec["grants"]> = [
  { subject: "alice", role: "admin", scope: "*" },
  { subject: "writer", role: "write", scope: "shop" },
  { subject: "ci", role: "submit", scope: "shop/production", keys: ["IMAGE_*"] },
  { subject: "reader", role: "read", scope: "shop" },
  { subject: "auditor", role: "audit", scope: "*" },
  { subject: "dev-admin", role: "admin", scope: "shop/dev" },
  { subject: "staging-admin", role: "admin", scope: "shop/staging" },
];
const PEOPLE = ["alice", "carol", "writer", "ci", "reader", "auditor", "dev-admin", "staging-admin"];

const APPROVALS = { required: 1, approvers: ["carol"] } as const;

function rules(): NonNullable<WorkspaceSpec["environments"]> {
  const names = Object.keys(NAMESPACES) as Name[];
  return names.map((name) => ({
    name: `shop/${name}`,
    namespaces: [NAMESPACES[name]],
    clusters: ["eu-1"],
    ...(name === "staging" ? { approvals: APPROVALS } : {}),
  }));
}

const OPTIONS: TestbedOptions = {
  namespaces: Object.values(NAMESPACES),
  workspace: { principals: PEOPLE.map((name) => person(name)), groups: [], grants: GRANTS, environments: rules() },
};

/** The signing keys of these people, now. */
export function signedBy(...names: readonly string[]) {
  return { signingKeys: names.map((name) => identityOf(name).signing), now: new Date() };
}

/** A running team. */
export class Team {
  readonly bed: Testbed;
  readonly environments = new Map<Name, AcceptedEnvironment>();

  private constructor(bed: Testbed) {
    this.bed = bed;
  }

  /** Starts everything; all three environments come into force. */
  static async start(): Promise<Team> {
    const team = new Team(await startTestbed(OPTIONS));
    team.environments.set("production", team.bed.environment);
    for (const name of ["dev", "staging"] as const) {
      const made = team.newEnvironment(name, {}, name === "staging" ? ["alice", "carol"] : ["alice"]);
      team.environments.set(name, readEnvironment(made));
      await team.bed.apply(ZOPP_ENVIRONMENTS, made);
      await team.verdict("Accepted", made);
    }
    return team;
  }

  environment(name: Name): AcceptedEnvironment {
    const found = this.environments.get(name);
    if (found === undefined) throw new TypeError(`no environment ${name}`);
    return found;
  }

  /** An environment of this name as the first of these people signs it, and the others approve it. */
  newEnvironment(
    environment: Name,
    changes: Partial<EnvironmentContent>,
    signers: readonly string[],
    workspace = "acme",
  ): ZoppEnvironment {
    const content = environmentOf({ environment: { environment, workspace, ...changes } }, this.bed.cluster);
    return newEnvironment(content, signedBy(...signers));
  }

  /** A bundle of an environment, in its namespace unless told otherwise. */
  seal(
    name: Name,
    values: Readonly<Record<string, string>>,
    by = "alice",
    place: { namespace?: string; name?: string } = {},
  ) {
    return bundle(this.environment(name), values, { namespace: NAMESPACES[name], by, now: new Date(), ...place });
  }

  writing(name: Name, by: string) {
    return { environment: this.environment(name), ...signedBy(by), signingKey: identityOf(by).signing };
  }

  /** carol approves all of a bundle. */
  approve(name: Name, secret: ZoppSecret): ZoppSecret {
    const keys = Object.keys(secret.spec.data ?? {});
    const by = { environment: this.environment(name), signingKey: identityOf("carol").signing };
    return approveParts(secret, { header: true, keys }, by);
  }

  /** A workspace that these people alone stand behind. */
  strangers(name: string): ZoppWorkspace {
    const content = { owners: { threshold: 1, principals: ["mallory"] }, principals: [person("mallory")] };
    const { clusters = [] } = this.bed.workspace.spec;
    const grants = [{ subject: "mallory", role: "admin" as const, scope: "*" }];
    return newWorkspace(name, { ...content, clusters, grants, environments: rules() }, signedBy("mallory"));
  }

  /** The workspace that follows the one in force, or another one, as somebody signs it. */
  amended(changes: Partial<WorkspaceContent>, by: string, base = this.bed.workspace): ZoppWorkspace {
    return amendWorkspace(base, { ...workspaceContent(base), ...changes }, signedBy(by));
  }

  /** Waits until a workspace or environment, as it was applied last, has this verdict. */
  verdict(reason: string, { kind, metadata: { name } }: ZoppWorkspace | ZoppEnvironment) {
    const resource = kind === "ZoppWorkspace" ? ZOPP_WORKSPACES : ZOPP_ENVIRONMENTS;
    return eventually(
      async () => {
        const found = await this.bed.client.get<KubeObject & { status?: Conditioned<Condition> }>(resource, { name });
        const ready = readyOf(found.status);
        if (ready?.reason === reason && ready.observedGeneration === found.metadata.generation) return true;
        throw new Error(`Ready is ${ready?.reason ?? "not there"}: ${ready?.message ?? ""}`);
      },
      { message: `${name} is ${reason}` },
    );
  }

  /** Waits until the log says that something was refused for this reason. */
  recorded(object: string, reason: string) {
    return eventually(
      async () =>
        (await readLog(this.bed)).some(
          (record) => record.decision === "refused" && record.object === object && record.reason === reason,
        ),
      { message: `the log says that ${object} was refused: ${reason}` },
    );
  }

  /** Every Secret of the three namespaces, with the version that it was written as. */
  async secrets(): Promise<Readonly<Record<string, unknown>>> {
    const found: Record<string, unknown> = {};
    for (const namespace of Object.values(NAMESPACES)) {
      const { items } = await this.bed.client.list<KubeObject & { data?: object }>(SECRETS, { namespace });
      for (const { metadata, data } of items)
        found[`${namespace}/${metadata.name}`] = { data, resourceVersion: metadata.resourceVersion };
    }
    return found;
  }

  /** Applies a bundle and waits until it has this reason. */
  async applied(secret: ZoppSecret, reason: string): Promise<void> {
    await this.bed.applyBundle(secret);
    await this.bed.settled(reason, secret.metadata.name, secret.metadata.namespace);
  }

  removeBundle({ metadata }: ZoppSecret): Promise<void> {
    return this.bed.client.delete(ZOPP_SECRETS, metadata);
  }
}
