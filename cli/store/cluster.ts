// A store in a cluster: the same objects through the Kubernetes API, each updated only as it was read.
// How the API server is reached is operator/kube's business.

import { ZoppError } from "../../crds/errors.js";
import { type ApiClient, connect } from "../../operator/kube/client.js";
import { hasStatus, orAbsent } from "../../operator/kube/errors.js";
import {
  type KubeObject,
  type Resource,
  ZOPP_BASELINES,
  ZOPP_ENVIRONMENTS,
  ZOPP_SECRETS,
  ZOPP_WORKSPACES,
} from "../../operator/kube/resources.js";
import {
  type Change,
  type Found,
  type Kind,
  type Kinds,
  nameOf,
  type ObjectName,
  parseFound,
  type Store,
} from "./store.js";

/** The resources of the kinds that a store holds. */
export const RESOURCES: Readonly<Record<Kind, Resource>> = {
  ZoppWorkspace: ZOPP_WORKSPACES,
  ZoppEnvironment: ZOPP_ENVIRONMENTS,
  ZoppSecret: ZOPP_SECRETS,
  ZoppBaseline: ZOPP_BASELINES,
};
const PAGE = 500;
const ATTEMPTS = 5;

/** Which cluster. */
export interface ClusterOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A client of the cluster of a kubeconfig context. Throws NotFound or Malformed for an unusable kubeconfig. */
export function clusterClient(options: ClusterOptions): Promise<ApiClient> {
  const { kubeconfig, context, env } = options;
  return connect({ file: kubeconfig, context, env: env as NodeJS.ProcessEnv, userAgent: "zopp" });
}

/** Opens a cluster as a store. */
export async function openCluster(options: ClusterOptions): Promise<Store> {
  const client = await clusterClient(options);
  const where = options.context === undefined ? "the cluster" : `the cluster of context ${options.context}`;
  return {
    title: where,
    kind: "cluster",
    contents: async (namespace) => {
      const kinds = Object.keys(RESOURCES) as Kind[];
      const lists = await Promise.all(kinds.map((kind) => listAll(client, kind, where, namespace)));
      return { objects: lists.flat(), problems: [] };
    },
    read: (kind, name) => read(client, kind, name, where),
    write: async (changes) => {
      for (const [at, change] of changes.entries()) {
        await writeOne(client, change, where).catch((error: unknown) => {
          throw partlyWritten(error, changes, at);
        });
      }
      return changes.map(() => where);
    },
    committed: async () => undefined,
    close: () => client.close(),
  };
}

/** An API server changes one object after the other: whoever is refused half-way hears what stands already. */
function partlyWritten(error: unknown, changes: readonly Change[], at: number): unknown {
  if (!(error instanceof ZoppError) || changes.length === 1) return error;
  const named = (some: readonly Change[]) => some.map((one) => `${one.kind} ${nameOf(one)}`).join(", ") || "nothing";
  const text = `${error.message}; written before it: ${named(changes.slice(0, at))}; not written: ${named(changes.slice(at))}`;
  return new ZoppError(error.code, text, { fields: error.fields, cause: error.cause });
}

/** An object of a list or a watch, which do not say its kind. */
export function foundIn(kind: Kind, item: KubeObject, where: string): Found {
  const { name, namespace } = item.metadata;
  return { kind, name, namespace, where, value: { apiVersion: "zopp.dev/v1alpha1", kind, ...item } };
}

async function listAll(client: ApiClient, kind: Kind, where: string, namespace: string | undefined): Promise<Found[]> {
  const found: Found[] = [];
  let next: string | undefined;
  do {
    const page = await client.list<KubeObject>(RESOURCES[kind], { namespace, limit: PAGE, continue: next });
    found.push(...page.items.map((item) => foundIn(kind, item, where)));
    next = page.metadata.continue || undefined;
  } while (next !== undefined);
  return found;
}

async function read<K extends Kind>(
  client: ApiClient,
  kind: K,
  name: ObjectName,
  where: string,
): Promise<Kinds[K] | undefined> {
  const found = await orAbsent(client.get(RESOURCES[kind], name));
  return found === undefined ? undefined : parseFound(kind, found, where);
}

/** Update with the resourceVersion that was read; when somebody was faster, reads and changes again. */
async function writeOne(client: ApiClient, change: Change, where: string): Promise<void> {
  const resource = RESOURCES[change.kind];
  for (let attempt = 1; ; attempt += 1) {
    const present = await read(client, change.kind, change, where);
    const next = change.change(present as never) as unknown as KubeObject;
    if (next === (present as unknown)) return;
    try {
      await (present === undefined ? client.create(resource, next) : client.replace(resource, next));
      return;
    } catch (error) {
      if (!hasStatus(error, 409) || attempt >= ATTEMPTS) throw error;
    }
  }
}
