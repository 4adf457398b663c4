// Signs a cluster's keyring and its log into the policy, has environment keys wrapped to it, and lists in baselines what it
// could not accept by itself. A person compares the fingerprint with the keyring's own log first: what the API says is hearsay.
import { isDeepStrictEqual } from "node:util";
import { ZoppError } from "../crds/errors.js";
import { clusterFingerprint } from "../crds/fingerprint.js";
import { type WorkspaceContent, workspaceContent } from "../crds/policy/edit.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { ClusterFacts } from "../crds/statement.js";
import type { Cluster, WorkspaceEnvironment } from "../crds/types.gen.js";
import { storeAmendment } from "./amend.js";
import { factsFromCluster, factsFromFile, KEYRING_NAMESPACE } from "./cluster-facts.js";
import { livingClusters, storeBaselines, type ThroughOptions, wrapAll, wrapThrough } from "./cluster-wrap.js";
import { confirmFingerprint, type FingerprintFlags } from "./confirm.js";
import { readRecovery } from "./epoch-keys.js";
import { contextClient } from "./keyring-call.js";
import { withProgress } from "./output.js";
import { signerOf } from "./policy.js";
import type { Session } from "./session.js";

/** The flags of the commands that sign a keyring in. */
export interface SignInOptions extends ThroughOptions, FingerprintFlags {
  readonly from?: string;
  readonly environment?: readonly string[];
  readonly endpoint?: string;
  readonly replace?: boolean;
}

/** Which keyring is signed in, where, and as what. */
export interface SigningIn {
  readonly name: string;
  readonly workspace: AcceptedWorkspace;
  readonly facts: ClusterFacts;
  /** The command that goes on from here, when something is left to do. */
  readonly command: string;
}

/** What came of it. */
export interface SignedIn {
  readonly data: {
    readonly cluster: string;
    readonly log: string;
    readonly fingerprint: string;
    /** Full paths of the environments that the cluster serves. */
    readonly environments: readonly string[];
    readonly where: readonly string[];
  };
  readonly notes: readonly string[];
}

/** Signs it in, and stores what changes. Throws KeyringMismatch, AlreadyExists, UnknownEnvironment, NotRecipient, and as storing does. */
export async function signIn(session: Session, signing: SigningIn, options: SignInOptions): Promise<SignedIn> {
  const { name, workspace, facts, command } = signing;
  const fingerprint = clusterFingerprint(facts);
  const content = workspaceContent(workspace.object);
  const clusters = withCluster(content, name, facts, options);
  const chosen = chosenEnvironments(workspace, name, options.environment);
  const compared = {
    what: `cluster ${name}`,
    fingerprint,
    question: "Does the keyring's own log show the same?",
    otherwise: "compare the fingerprint with the keyring's log and give it by --fingerprint",
    differs: "KeyringMismatch",
  } as const;
  await confirmFingerprint(session, compared, options);
  const identity = await session.identity();
  signerOf(workspace, identity);
  const opener = {
    identity,
    recovery:
      options.recoveryFile === undefined ? undefined : await readRecovery(session.context, options.recoveryFile),
  };
  const others = livingClusters(content, name, options);
  const wraps = await wrapAll(session, workspace, { name, facts }, chosen, opener, others);
  const rules = (content.environments ?? []).map((rule) => (chosen.includes(rule) ? named(rule, name) : rule));
  const next = { ...content, clusters, environments: rules };
  const same = isDeepStrictEqual(next, {
    ...content,
    clusters: content.clusters ?? [],
    environments: content.environments ?? [],
  });
  const amended = await storeAmendment(session, {
    workspace,
    identity,
    content: same ? undefined : next,
    environments: wraps.amendments,
  });
  const wrapped = await wrapThrough(session, amended, wraps, { cluster: name, command, ...options });
  const changed = [...wrapped.environments, ...amended.environments];
  const baselines = await storeBaselines(session, amended, { rules: chosen, changed, ...options });
  const where = [...new Set([amended, wrapped, ...baselines].flatMap((each) => each.where))];
  const environments = chosen.map((rule) => `${workspace.name}/${rule.name}`);
  return {
    data: { cluster: name, log: facts.log, fingerprint, environments, where },
    notes: [amended, wrapped, ...baselines].flatMap(({ notes }) => notes),
  };
}

/** What the keyring says of itself: from a file, or from the cluster of the command. Throws as factsFromFile and factsFromCluster. */
export async function factsOf(session: Session, options: SignInOptions): Promise<ClusterFacts> {
  const { context } = session;
  if (options.from !== undefined) return factsFromFile(context, options.from);
  const client = await contextClient(session);
  try {
    return await withProgress(
      context,
      "asking the cluster",
      factsFromCluster(client, options.keyringNamespace ?? KEYRING_NAMESPACE),
    );
  } finally {
    await client.close();
  }
}

/** The clusters with this one; the same keyring with a new log takes the place of its old line. Throws AlreadyExists. */
function withCluster(
  content: WorkspaceContent,
  name: string,
  facts: ClusterFacts,
  options: SignInOptions,
): readonly Cluster[] {
  const { signingKey, encryptionKey, log } = facts;
  const clusters = content.clusters ?? [];
  const known = clusters.find((cluster) => cluster.name === name);
  const twin = clusters.find((cluster) => cluster.name !== name && cluster.signingKey === signingKey);
  if (twin !== undefined) throw new ZoppError("AlreadyExists", `that keyring is in the policy as cluster ${twin.name}`);
  if (known !== undefined && known.signingKey !== signingKey && options.replace !== true) {
    throw new ZoppError(
      "AlreadyExists",
      `cluster ${name} is in the policy with other keys; --replace puts these in their place`,
    );
  }
  const endpoint = options.endpoint ?? known?.endpoint;
  const line = { name, signingKey, encryptionKey, log, ...(endpoint === undefined ? {} : { endpoint }) };
  return known === undefined
    ? [...clusters, line]
    : clusters.map((cluster) => (cluster.name === name ? line : cluster));
}

/**
 * The rules of the environments that the cluster shall serve: all, or those of --environment and those that it serves
 * already. Throws UnknownEnvironment.
 */
function chosenEnvironments(
  workspace: AcceptedWorkspace,
  cluster: string,
  names: readonly string[] | undefined,
): readonly WorkspaceEnvironment[] {
  const rules = workspace.object.spec.environments ?? [];
  if (names === undefined) return rules;
  const already = rules.filter(({ clusters }) => clusters?.includes(cluster));
  const wanted = names.map((name) => {
    const found = rules.find((rule) => rule.name === name || `${workspace.name}/${rule.name}` === name);
    if (found === undefined)
      throw new ZoppError("UnknownEnvironment", `workspace ${workspace.name} names no environment ${name}`);
    return found;
  });
  return rules.filter((rule) => wanted.includes(rule) || already.includes(rule));
}

function named(rule: WorkspaceEnvironment, cluster: string): WorkspaceEnvironment {
  const clusters = rule.clusters ?? [];
  return clusters.includes(cluster) ? rule : { ...rule, clusters: [...clusters, cluster] };
}
