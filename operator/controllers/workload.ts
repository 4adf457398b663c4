// What a workload is to restarts: which Secrets its pods use, whether its rollout is well, what it was restarted for.
// Condensed from the object at once, so that no copy of a pod's template is kept.
import { apiVersionOf, type KubeObject, type Resource } from "../kube/resources.js";

const apps = (plural: string, kind: string): Resource => ({
  group: "apps",
  version: "v1",
  plural,
  kind,
  namespaced: true,
});

/** The kinds that can be restarted, by the names that flags and the chart's values use. */
export const WORKLOADS = {
  deployments: apps("deployments", "Deployment"),
  statefulsets: apps("statefulsets", "StatefulSet"),
  daemonsets: apps("daemonsets", "DaemonSet"),
  rollouts: { group: "argoproj.io", version: "v1alpha1", plural: "rollouts", kind: "Rollout", namespaced: true },
} as const satisfies Record<string, Resource>;

/** A kind of workload. */
export type WorkloadKind = keyof typeof WORKLOADS;

/** On a pods' template: `secret=digest,…`, what the workload was restarted for. Its change is the restart. */
export const RESTARTED_ANNOTATION = "zopp.dev/restarted-for";
/** On a workload, set by people: `none` = zopp never restarts it. */
export const RESTART_ANNOTATION = "zopp.dev/restart";

/** A workload, condensed. */
export interface Workload {
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Names of the Secrets that its pods use, sorted. */
  readonly secrets: readonly string[];
  /** The value of {@link RESTARTED_ANNOTATION}; empty if it has none. */
  readonly mark: string;
  /** Why a restart would be wrong or empty. */
  readonly idle: string | undefined;
  /** Why a restart has to wait. */
  readonly trouble: string | undefined;
  /** Counts changes of its spec. */
  readonly generation?: number | undefined;
  /** Of a Rollout without a template: the Deployment whose template it follows, and which generation of that it has seen. */
  readonly follows?: { readonly name: string; readonly seen: string | undefined } | undefined;
}

/** The parts of the four kinds that are looked at. */
export interface WorkloadObject extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly paused?: boolean;
    readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } };
    readonly template?: Template;
    /** A Rollout's. */
    readonly workloadRef?: { readonly kind?: string; readonly name?: string };
  };
  readonly status?: {
    /** A Rollout's is text. */
    readonly observedGeneration?: number | string;
    readonly workloadObservedGeneration?: string;
    readonly phase?: string;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberAvailable?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface Template {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: {
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly {
      readonly secret?: { readonly secretName?: string };
      readonly projected?: { readonly sources?: readonly { readonly secret?: Named }[] };
    }[];
  };
}

interface Container {
  readonly env?: readonly { readonly valueFrom?: { readonly secretKeyRef?: Named } }[];
  readonly envFrom?: readonly { readonly secretRef?: Named }[];
}

interface Named {
  readonly name?: string;
}

/** Keeps what restarts need of an object. */
export function workloadOf(kind: WorkloadKind, object: WorkloadObject): Workload {
  const { namespace = "", name, uid = "", resourceVersion = "", generation } = object.metadata;
  const template = object.spec?.template;
  const mark = template?.metadata?.annotations?.[RESTARTED_ANNOTATION] ?? "";
  const about = { secrets: secretsOf(template), mark, idle: idle(kind, object), trouble: trouble(kind, object) };
  return { kind, namespace, name, uid, resourceVersion, generation, follows: follows(object), ...about };
}

function follows({ spec, status }: WorkloadObject): Workload["follows"] {
  const { kind, name } = spec?.workloadRef ?? {};
  // the other kinds that a Rollout may name are none that is restarted
  return kind !== "Deployment" || name === undefined ? undefined : { name, seen: status?.workloadObservedGeneration };
}

/**
 * A Deployment with the Rollouts that follow its template: a restart of it is one of their pods, which are mostly all
 * that it has. Whoever opts out of them takes it out, and it waits for each that has pods.
 */
export function withFollowers(deployment: Workload, rollouts: readonly Workload[]): Workload {
  const theirs = rollouts.filter(({ follows }) => follows?.name === deployment.name);
  if (deployment.kind !== "deployments" || theirs.length === 0) return deployment;
  const all = [deployment, ...theirs];
  const withPods = all.filter(({ idle }) => idle !== NO_PODS);
  const idle = withPods.length === 0 ? NO_PODS : withPods.find((each) => each.idle !== undefined)?.idle;
  const waits = withPods.map((each) => troubleBehind(deployment, each)).find((why) => why !== undefined);
  return { ...deployment, idle, trouble: waits };
}

function troubleBehind({ generation }: Workload, { name, follows, trouble }: Workload): string | undefined {
  if (follows === undefined) return trouble;
  const isBehind = follows.seen !== undefined && follows.seen !== String(generation);
  const why = isBehind ? UNFINISHED : trouble;
  return why === undefined ? undefined : `rollout/${name}, which has its pods: ${why}`;
}

/** The names of Secrets that a pod of the template reads. Those to pull images with are read by nodes, not by pods. */
export function secretsOf(template: Template | undefined): readonly string[] {
  const { containers = [], initContainers = [], volumes = [] } = template?.spec ?? {};
  const names = [...initContainers, ...containers].flatMap(({ env = [], envFrom = [] }) => [
    ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
    ...envFrom.map(({ secretRef }) => secretRef?.name),
  ]);
  for (const { secret, projected } of volumes) {
    names.push(secret?.secretName, ...(projected?.sources ?? []).map((source) => source.secret?.name));
  }
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

function idle(kind: WorkloadKind, { metadata, spec, status }: WorkloadObject): string | undefined {
  if (metadata.annotations?.[RESTART_ANNOTATION] === "none") return `it says ${RESTART_ANNOTATION}: none`;
  if (spec?.updateStrategy?.type === "OnDelete") return "its pods are replaced when somebody deletes them";
  const hasPods = kind === "daemonsets" ? status?.desiredNumberScheduled !== 0 : spec?.replicas !== 0;
  return hasPods ? undefined : NO_PODS;
}

function trouble(kind: WorkloadKind, { metadata, spec, status = {} }: WorkloadObject): string | undefined {
  if (spec?.paused === true) return "its rollout is paused";
  if (String(status.observedGeneration) !== String(metadata.generation)) return UNFINISHED;
  if (status.conditions?.some(({ type, status: holds }) => type === "Progressing" && holds === "False")) {
    return "its rollout does not progress";
  }
  if (kind === "rollouts" && status.phase !== "Healthy") return `it is ${status.phase ?? "new"}`;
  const partition = kind === "statefulsets" ? (spec?.updateStrategy?.rollingUpdate?.partition ?? 0) : 0;
  const wanted = kind === "daemonsets" ? (status.desiredNumberScheduled ?? 0) : (spec?.replicas ?? 1);
  const updated = kind === "daemonsets" ? status.updatedNumberScheduled : status.updatedReplicas;
  if ((updated ?? 0) < wanted - partition) return UNFINISHED;
  const available = kind === "daemonsets" ? status.numberAvailable : status.availableReplicas;
  return (available ?? 0) < wanted ? `${available ?? 0} of ${wanted} pods are available` : undefined;
}

const NO_PODS = "it has no pods";
const UNFINISHED = "its rollout is not finished";

/** What is applied to restart a workload: one annotation, and only to the object that was looked at. */
export function markedObject({ kind, namespace, name, uid, resourceVersion }: Workload, mark: string): KubeObject {
  return {
    apiVersion: apiVersionOf(WORKLOADS[kind]),
    metadata: { namespace, name, uid, resourceVersion },
    spec: { template: { metadata: { annotations: { [RESTARTED_ANNOTATION]: mark } } } },
  } as KubeObject;
}
