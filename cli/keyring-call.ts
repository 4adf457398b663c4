// How a command reaches a keyring: which cluster's, at which address, pinned to the key that signed policy gives it.
// What it is asked is the commands' business; that the answer is the keyring's own, TLS and the pin see to.
import type { Duplex } from "node:stream";
import type { SigningKey } from "../crds/crypto/identity.js";
import { asZoppError, ZoppError } from "../crds/errors.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { Cluster } from "../crds/types.gen.js";
import { connectKeyring } from "../operator/keyring/client.js";
import type { KeyringClient } from "../operator/keyring/client.types.js";
import type { ApiClient } from "../operator/kube/client.js";
import type { Lease } from "../operator/kube/lease.plan.js";
import { silentLog } from "../operator/kube/observe.js";
import { forwardPort } from "../operator/kube/port-forward.js";
import { LEASES, placeOfKey } from "../operator/kube/resources.js";
import { factsFromCluster, KEYRING_NAMESPACE } from "./cluster-facts.js";
import { electionsOf, podOf } from "./doctor.leader.js";
import { withProgress } from "./output.js";
import { containersOf, zoppPods } from "./pods.js";
import type { Session } from "./session.js";
import { clusterClient } from "./store/cluster.js";

const PORT = 8443;
const CONTAINER = "keyring";
const ADDRESS = /^(?:[-.a-zA-Z0-9]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/;

/** The flags that say which keyring is asked, and how it is reached. */
export interface KeyringOptions {
  /** The cluster, as policy names it. */
  readonly cluster?: string;
  /** Where keyrings run. */
  readonly keyringNamespace?: string;
  /** host:port instead of policy's endpoint. No matter of trust: the key there must be the one that policy names. */
  readonly keyring?: string;
}

/** Which keyring, and who asks. */
export interface Wanted extends KeyringOptions {
  readonly workspace: AcceptedWorkspace;
  /** Only keyrings that serve this environment, `project/environment`. */
  readonly scope?: string;
  /** The key of this device, where it was made just now. */
  readonly identity?: SigningKey;
  /** A workload, which enrols by a pod-bound token; absent = this device. */
  readonly workload?: { readonly identity: SigningKey; token(): Promise<string> } | undefined;
  /** host:port where policy names no endpoint, instead of a port-forward. */
  readonly otherwise?: string | undefined;
}

/** A keyring that was found; nothing was sent to it yet. */
export interface Reached {
  readonly keyring: KeyringClient;
  readonly cluster: Cluster;
}

/**
 * Calls a keyring and ends the connection, whatever comes of it. Throws KeyringUnavailable naming where it was looked
 * for, KeyringMismatch, NoRecipient (no cluster serves the environment), NotFound or Usage (which cluster?), and as `use`.
 */
export async function withKeyring<T>(
  session: Session,
  wanted: Wanted,
  use: (reached: Reached) => Promise<T>,
): Promise<T> {
  const cluster = await clusterOf(session, wanted);
  const identity = wanted.workload?.identity ?? wanted.identity ?? (await session.identity()).signing;
  const { workload } = wanted;
  const way = await wayTo(session, wanted, cluster);
  const keyring = connectKeyring({
    address: way.address,
    dial: way.dial,
    keyringKey: cluster.signingKey,
    identity,
    token: workload === undefined ? undefined : () => workload.token(),
    log: silentLog,
  });
  try {
    return await withProgress(session.context, `asking the keyring of ${cluster.name}`, use({ keyring, cluster }));
  } catch (error) {
    if (!(error instanceof ZoppError) || error.code !== "KeyringUnavailable") throw error;
    const text = `the keyring of cluster ${cluster.name} does not answer at ${way.title}: ${error.message}`;
    throw new ZoppError("KeyringUnavailable", text, { cause: error });
  } finally {
    await keyring.close();
    await way.end();
  }
}

/** A signed object, as a store holds it. */
interface Signed {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: unknown;
}

/** Offers a signed object to a keyring: what the API server adds to metadata is no part of what was signed. Throws as it refuses. */
export function offerTo(keyring: KeyringClient, { apiVersion, kind, metadata, spec }: Signed) {
  return keyring.offer({ apiVersion, kind, metadata: { name: metadata.name }, spec });
}

/** The cluster that is named, or the only one, or the one that the command works on. */
async function clusterOf(session: Session, wanted: Wanted): Promise<Cluster> {
  const { workspace, scope } = wanted;
  const name = wanted.cluster ?? (session.context.env["ZOPP_CLUSTER"] || undefined);
  const { clusters = [], environments = [] } = workspace.object.spec;
  const serving = environments.find((rule) => rule.name === scope)?.clusters ?? [];
  const candidates = scope === undefined ? clusters : clusters.filter((each) => serving.includes(each.name));
  const what = scope === undefined ? `workspace ${workspace.name}` : `environment ${workspace.name}/${scope}`;
  if (candidates.length === 0) throw new ZoppError("NoRecipient", `${what} names no cluster, so no keyring serves it`);
  const names = candidates.map((each) => each.name).join(", ");
  if (name !== undefined) {
    const found = candidates.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw new ZoppError("NotFound", `${what} has no cluster ${name}; its clusters: ${names}`);
  }
  const [only, another] = candidates;
  if (only !== undefined && another === undefined) return only;
  const here = worksOnCluster(session) ? await clusterHere(session, wanted, candidates) : undefined;
  if (here !== undefined) return here;
  throw new ZoppError("Usage", `${what} has several clusters (${names}): name one by --cluster`);
}

/** True where the store, or a flag of kubectl, says which cluster is meant. */
function worksOnCluster({ settings, options }: Session): boolean {
  return settings.store?.kind === "cluster" || options.context !== undefined || options.kubeconfig !== undefined;
}

/** What the cluster publishes is hearsay: it only chooses among the keys of policy. */
async function clusterHere(
  session: Session,
  { keyringNamespace = KEYRING_NAMESPACE }: Wanted,
  candidates: readonly Cluster[],
): Promise<Cluster | undefined> {
  const client = await contextClient(session);
  try {
    const { signingKey } = await factsFromCluster(client, keyringNamespace);
    return candidates.find((each) => each.signingKey === signingKey);
  } finally {
    await client.close();
  }
}

/** A client of the cluster that the command works on. */
export function contextClient({ settings, options, context: { env } }: Session): Promise<ApiClient> {
  const { store } = settings;
  const context = options.context ?? (store?.kind === "cluster" ? store.context : undefined);
  return clusterClient({ context, kubeconfig: options.kubeconfig, env });
}

/** How a keyring's port is reached. */
interface Way {
  /** As a person knows it. */
  readonly title: string;
  /** host:port */
  readonly address: string;
  readonly dial?: (() => Promise<Duplex>) | undefined;
  end(): Promise<void>;
}

async function wayTo(session: Session, wanted: Wanted, cluster: Cluster): Promise<Way> {
  const named = wanted.keyring ?? (session.context.env["ZOPP_KEYRING"] || undefined);
  if (named !== undefined && !ADDRESS.test(named))
    throw new ZoppError("Usage", "the keyring's address reads HOST:PORT (--keyring, ZOPP_KEYRING)");
  const address = named ?? cluster.endpoint ?? wanted.otherwise;
  if (address !== undefined) return { title: address, address, end: async () => {} };
  return forwarded(session, wanted.keyringNamespace ?? KEYRING_NAMESPACE).catch((cause: unknown) => {
    const { message } = asZoppError(cause, "the port-forward");
    const text = `no way to the keyring of cluster ${cluster.name}: policy names no endpoint, and for a port-forward: ${message}`;
    throw new ZoppError("KeyringUnavailable", text, { cause });
  });
}

/** No port is opened on this machine: the stream is the connection. */
async function forwarded(session: Session, namespace: string): Promise<Way> {
  const client = await contextClient(session);
  try {
    const name = await keyringPod(client, namespace);
    return {
      title: `pod ${namespace}/${name} (by port-forward)`,
      address: `${name}.${namespace}:${PORT}`,
      dial: () =>
        forwardPort(client.endpoint, { namespace, name }, PORT).catch((cause: unknown) => {
          throw new ZoppError("KeyringUnavailable", asZoppError(cause, "the port-forward").message, { cause });
        }),
      end: () => client.close(),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** A pod whose keyring serves: of several it is the one that holds their Lease. */
async function keyringPod(client: ApiClient, namespace: string): Promise<string> {
  const ready = (await zoppPods(client, namespace)).filter((pod) => {
    const isReady = containersOf(pod).some(({ name, ready }) => name === CONTAINER && ready);
    return isReady && pod.metadata.deletionTimestamp === undefined;
  });
  const [first, another] = ready;
  if (first !== undefined) {
    const elected = another && electionsOf(ready).find(({ part }) => part === CONTAINER);
    // whoever may not read it tries the first one
    const lease = elected && (await client.get<Lease>(LEASES, placeOfKey(elected.name)).catch(() => undefined));
    return (ready.find(({ metadata }) => metadata.name === podOf(lease)) ?? first).metadata.name;
  }
  throw new ZoppError("KeyringUnavailable", `no pod in ${namespace} has a keyring that is ready`);
}
