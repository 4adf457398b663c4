// `zopp doctor`: looks at everything that a cluster needs for zopp to work, and says what is wrong and what to do next.
// What it makes of what it finds is doctor.plan.ts; it changes nothing.
import { setTimeout as sleep } from "node:timers/promises";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { Cluster } from "../../crds/types.gen.js";
import type { ApiClient } from "../../operator/kube/client.js";
import { orAbsent } from "../../operator/kube/errors.js";
import { LEASE_TIMES, type Lease } from "../../operator/kube/lease.plan.js";
import {
  LEASES,
  placeOfKey,
  type Resource,
  ZOPP_AUDIT_SEGMENTS,
  ZOPP_BASELINES,
  ZOPP_ENVIRONMENTS,
  ZOPP_LEDGERS,
  ZOPP_SECRETS,
  ZOPP_WORKSPACES,
} from "../../operator/kube/resources.js";
import { type Checked, checkStore } from "../check.js";
import { factsFromCluster, KEYRING_NAMESPACE } from "../cluster-facts.js";
import { type Elected, electionsOf, expiredFor, leaderFindings } from "../doctor.leader.js";
import {
  bundleFindings,
  certificateFindings,
  type Finding,
  findingOf,
  generatedFindings,
  keyringFindings,
  policyFindings,
  processFindings,
  type ResourceType,
  restartFindings,
  rotationFindings,
  typeFindings,
  valueFindings,
} from "../doctor.plan.js";
import { contextClient, type KeyringOptions, withKeyring } from "../keyring-call.js";
import type { Result } from "../output.js";
import { type ZoppPod, zoppPods } from "../pods.js";
import type { Session } from "../session.js";

const TYPES: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};
const KINDS = [ZOPP_WORKSPACES, ZOPP_ENVIRONMENTS, ZOPP_SECRETS, ZOPP_BASELINES, ZOPP_LEDGERS, ZOPP_AUDIT_SEGMENTS];

/** Runs `zopp doctor`. */
export async function run(session: Session, _args: readonly string[], options: KeyringOptions): Promise<Result> {
  const store = await session.store();
  if (store.kind !== "cluster")
    throw new ZoppError(
      "Usage",
      "a cluster is what is looked at: --store cluster or --context NAME; `zopp verify` is for files",
    );
  const client = await contextClient(session);
  try {
    return report(await examine(session, client, options));
  } finally {
    await client.close();
  }
}

async function examine(session: Session, client: ApiClient, options: KeyringOptions): Promise<readonly Finding[]> {
  const types = await found("resource types", async () => typeFindings(await resourceTypes(client)));
  const namespace = options.keyringNamespace ?? KEYRING_NAMESPACE;
  const processes = await found("processes", async () => {
    const pods = await zoppPods(client, namespace);
    const leaders = electionsOf(pods).map((elected) => found("leader", () => leaderOf(session, client, elected, pods)));
    return [...processFindings(pods, namespace), ...(await Promise.all(leaders)).flat()];
  });
  const rest = await found("policy", async () => {
    const contents = await (await session.store()).contents();
    const { workspace } = session.options;
    const checked = checkStore({ context: session.context, contents, workspace, strict: false });
    const secrets = checked.bundles.map(({ secret }) => secret);
    const keyrings = checked.workspaces.map((each) =>
      found("keyring", () => keyringOf(session, client, { ...options, workspace: each, checked })),
    );
    return [
      ...policyFindings(checked),
      ...(await Promise.all(keyrings)).flat(),
      ...bundleFindings(secrets),
      ...restartFindings(secrets),
      ...rotationFindings(secrets),
      ...certificateFindings(secrets),
      ...generatedFindings(secrets, new Set(checked.workspaces.flatMap(({ roster }) => [...roster.clusters.keys()]))),
      ...valueFindings(secrets, session.context.now()),
    ];
  });
  return [...types, ...processes, ...rest];
}

/** What a look finds, or why it could not be had. */
async function found(about: Finding["about"], look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [findingOf(about, asZoppError(error, about))];
  }
}

/** A Lease that seems to have run out is looked at again after two renewals' time: clocks may differ. */
async function leaderOf({ context }: Session, client: ApiClient, elected: Elected, pods: readonly ZoppPod[]) {
  const look = () => orAbsent(client.get<Lease>(LEASES, placeOfKey(elected.name)));
  let lease = await look();
  const { resourceVersion } = lease?.metadata ?? {};
  if (expiredFor(lease, context.now()) !== undefined) {
    await sleep(2 * LEASE_TIMES.retryMs);
    lease = await look();
  }
  const renewed = lease?.metadata.resourceVersion !== resourceVersion;
  return leaderFindings(elected, { lease, renewed }, pods, context.now());
}

async function resourceTypes(client: ApiClient): Promise<ReadonlyMap<string, ResourceType | undefined>> {
  const types = new Map<string, ResourceType | undefined>();
  for (const { kind, plural, group } of KINDS) {
    types.set(kind, await orAbsent(client.get<ResourceType>(TYPES, { name: `${plural}.${group}` })));
  }
  return types;
}

interface Asked extends KeyringOptions {
  readonly workspace: AcceptedWorkspace;
  readonly checked: Checked;
}

/** Asks the keyring of the cluster that is looked at: by the key that it publishes, where no name is given. */
async function keyringOf(session: Session, client: ApiClient, asked: Asked): Promise<readonly Finding[]> {
  const { workspace, checked, ...options } = asked;
  const { clusters = [] } = workspace.object.spec;
  const name = options.cluster ?? (await nameHere(client, options, clusters));
  if (name === undefined) {
    const text = `workspace ${workspace.name} names no cluster with the keys that the keyring here has`;
    return [findingOf("keyring", new ZoppError("ClusterNotNamed", text))];
  }
  return withKeyring(session, { ...options, workspace, cluster: name }, async ({ keyring, cluster }) =>
    keyringFindings(cluster, await keyring.describe(), { workspace, environments: checked.environments }),
  );
}

/** What is published only chooses among the keys of policy. */
async function nameHere(client: ApiClient, options: KeyringOptions, clusters: readonly Cluster[]) {
  const { signingKey } = await factsFromCluster(client, options.keyringNamespace ?? KEYRING_NAMESPACE);
  return clusters.find((each) => each.signingKey === signingKey)?.name;
}

const MARK = { ok: "ok", warning: "warning", unknown: "UNKNOWN", problem: "PROBLEM" } as const;

function report(findings: readonly Finding[]): Result {
  const count = (state: Finding["state"]) => findings.filter((each) => each.state === state).length;
  const [problems, unknown] = [count("problem"), count("unknown")];
  const healthy = problems + unknown === 0;
  const lines = findings.flatMap(({ state, about, reason, message, next }) => [
    `${MARK[state].padEnd(7)}  ${about}: ${reason === undefined ? "" : `${reason}: `}${message}`,
    ...(next === undefined ? [] : [`         next: ${next}`]),
  ]);
  const summary = healthy
    ? "nothing is broken"
    : `${problems} broken, ${unknown} could not be looked at; mend from the top`;
  return {
    data: { healthy, findings },
    names: findings.filter(({ state }) => state !== "ok").map(({ reason, about }) => reason ?? about),
    human: [...lines, summary],
    exit: healthy ? 0 : 1,
  };
}
