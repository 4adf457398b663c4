// The resources that zopp talks to, their paths, and the shapes that every Kubernetes object shares.
// Knows nothing of connections, and nothing of what zopp's own objects hold.

/** A kind of object as the API server addresses it. `group` is "" for the core group. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** The part of `metadata` that zopp reads. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly finalizers?: readonly string[] | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
  readonly managedFields?: unknown;
}

/** One entry of `metadata.ownerReferences`. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Any object of the API. */
export interface KubeObject {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata: ObjectMeta;
}

/** One page of a list. */
export interface ObjectList<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[];
}

/** One line of a watch. The object of a BOOKMARK holds only metadata.resourceVersion, that of an ERROR is a Status. */
export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

/** Where an object is. `namespace` is absent for cluster-scoped resources. */
export interface Place {
  readonly namespace?: string | undefined;
  readonly name: string;
}

const core = (plural: string, kind: string, namespaced = true): Resource => ({
  group: "",
  version: "v1",
  plural,
  kind,
  namespaced,
});
const zopp = (plural: string, kind: string, namespaced: boolean): Resource => ({
  group: "zopp.dev",
  version: "v1alpha1",
  plural,
  kind,
  namespaced,
});

export const SECRETS = core("secrets", "Secret");
export const CONFIG_MAPS = core("configmaps", "ConfigMap");
export const EVENTS = core("events", "Event");
export const PODS = core("pods", "Pod");
export const SERVICE_ACCOUNTS = core("serviceaccounts", "ServiceAccount");
export const NAMESPACES = core("namespaces", "Namespace", false);
export const TOKEN_REVIEWS: Resource = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "tokenreviews",
  kind: "TokenReview",
  namespaced: false,
};
export const LEASES: Resource = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  namespaced: true,
};
export const CONTROLLER_REVISIONS: Resource = {
  group: "apps",
  version: "v1",
  plural: "controllerrevisions",
  kind: "ControllerRevision",
  namespaced: true,
};
export const JOBS: Resource = { group: "batch", version: "v1", plural: "jobs", kind: "Job", namespaced: true };
export const ZOPP_WORKSPACES = zopp("zoppworkspaces", "ZoppWorkspace", false);
export const ZOPP_ENVIRONMENTS = zopp("zoppenvironments", "ZoppEnvironment", false);
export const ZOPP_SECRETS = zopp("zoppsecrets", "ZoppSecret", true);
export const ZOPP_BASELINES = zopp("zoppbaselines", "ZoppBaseline", false);
export const ZOPP_LEDGERS = zopp("zoppledgers", "ZoppLedger", true);
export const ZOPP_AUDIT_SEGMENTS = zopp("zoppauditsegments", "ZoppAuditSegment", true);

/** The field manager of Secrets and Jobs that the operator writes, and of Leases, also the keyring's. Never renamed: it is who we are to the API server. */
export const FIELD_MANAGER = "zopp-operator";

/**
 * A resourceVersion that no object can have: etcd's first revision is taken before anything can be stored. Server-side
 * apply has no "only create", but with this version it does just that: it creates, or answers 409.
 */
export const NEVER_STORED = "1";

/** `v1` or `group/version`, as written in an object's apiVersion. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/**
 * The path of a collection (no name), of an object, or of its subresource.
 * Throws TypeError when a namespaced object is named without its namespace.
 */
export function pathOf(resource: Resource, place: Partial<Place> = {}, subresource?: string): string {
  const root = resource.group === "" ? "/api" : `/apis/${resource.group}`;
  const parts = [root, resource.version];
  if (resource.namespaced && place.namespace !== undefined) {
    parts.push("namespaces", encodeURIComponent(place.namespace));
  }
  parts.push(resource.plural);
  if (place.name !== undefined) {
    if (resource.namespaced && place.namespace === undefined) {
      throw new TypeError(`${resource.plural} ${place.name}: a namespace is needed`);
    }
    parts.push(encodeURIComponent(place.name));
  }
  if (subresource !== undefined) parts.push(subresource);
  return parts.join("/");
}

/** The name by which stores and queues know an object: `namespace/name`, or `name` when cluster-scoped. */
export function keyOf(object: { readonly metadata: Place }): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The place that a key of {@link keyOf} names. */
export function placeOfKey(key: string): Place {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
