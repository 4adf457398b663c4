// Workloads on a control plane without nodes: how they are made, and who says of their pods what kubelet would.
// Does not own restarting them.
import {
  RESTARTED_ANNOTATION,
  WORKLOADS,
  type WorkloadKind,
  type WorkloadObject,
} from "../operator/controllers/workload.js";
import type { ApiClient } from "../operator/kube/client.js";
import { hasStatus } from "../operator/kube/errors.js";
import { apiVersionOf, type KubeObject, type ObjectMeta, PODS, type Resource } from "../operator/kube/resources.js";
import { eventually } from "./eventually.js";

const FIELD_MANAGER = "workloads";
const NODES: Resource = { group: "", version: "v1", plural: "nodes", kind: "Node", namespaced: false };
const CRDS: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

/** How a pod uses a Secret, as the part of its spec that says so. */
export const USES = {
  env: (name: string) => ({
    containers: [app({ env: [{ name: "A", valueFrom: { secretKeyRef: { name, key: "A" } } }] })],
  }),
  envFrom: (name: string) => ({ containers: [app({ envFrom: [{ secretRef: { name } }] })] }),
  init: (name: string) => ({
    containers: [app({})],
    initContainers: [{ ...app({ envFrom: [{ secretRef: { name } }] }), name: "init" }],
  }),
  volume: (name: string) => ({ containers: [app({})], volumes: [{ name: "v", secret: { secretName: name } }] }),
  projected: (name: string) => ({
    containers: [app({})],
    volumes: [{ name: "v", projected: { sources: [{ secret: { name } }] } }],
  }),
};

function app(more: object): object {
  return { name: "app", image: "app", ...more };
}

function madeOf(name: string, pod: object): object {
  const labels = { app: name };
  return { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } };
}

/** Makes workloads in one namespace and looks at them. */
export class Workloads {
  readonly #client: ApiClient;
  readonly #namespace: string;
  readonly #timer: NodeJS.Timeout;
  /** Workloads whose pods never get ready. */
  readonly broken = new Set<string>();

  constructor(client: ApiClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#timer = setInterval(() => void this.#tendPods().catch(() => {}), 300);
  }

  /** Adds what DaemonSets and Rollouts need: a node that nobody runs, and the kind as Argo Rollouts installs it. */
  async prepare(): Promise<void> {
    await this.#apply(NODES, { metadata: { name: "node-1" } });
    const { group, version, plural, kind } = WORKLOADS.rollouts;
    const openAPIV3Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    const versions = [
      { name: version, served: true, storage: true, schema: { openAPIV3Schema }, subresources: { status: {} } },
    ];
    const names = { plural, kind, singular: "rollout" };
    const spec = { group, scope: "Namespaced", names, versions };
    await this.#apply(CRDS, { metadata: { name: `${plural}.${group}` }, spec } as KubeObject);
    await eventually(() => this.#client.list(WORKLOADS.rollouts, { namespace: this.#namespace }));
  }

  /** Makes a workload of one pod and waits until it is rolled out, unless it is broken. */
  async make(kind: WorkloadKind, name: string, pod: object, metadata: Partial<ObjectMeta> = {}): Promise<void> {
    const spec = {
      ...(kind === "daemonsets" ? {} : { replicas: 1 }),
      ...(kind === "statefulsets" ? { serviceName: name } : {}),
      ...madeOf(name, pod),
    };
    await this.#apply(WORKLOADS[kind], {
      metadata: { ...metadata, name, namespace: this.#namespace },
      spec,
    } as KubeObject);
    if (!this.broken.has(name)) await this.rolledOut(kind, name);
  }

  /** Makes a Deployment without pods, and a Rollout of its name that follows its template, and waits until that is rolled out. */
  async makeFollowed(name: string, pod: object): Promise<void> {
    const metadata = { name, namespace: this.#namespace };
    await this.#apply(WORKLOADS.deployments, { metadata, spec: { replicas: 0, ...madeOf(name, pod) } } as KubeObject);
    const workloadRef = { apiVersion: "apps/v1", kind: "Deployment", name };
    await this.#apply(WORKLOADS.rollouts, { metadata, spec: { replicas: 1, workloadRef } } as KubeObject);
    await this.rolledOut("rollouts", name);
  }

  /** Waits until a workload's pods are those of its present template, and available. */
  rolledOut(kind: WorkloadKind, name: string): Promise<unknown> {
    const isDone = async () => {
      if (kind === "rollouts") await this.#inPlaceOfArgo(name);
      const { metadata, status = {} } = await this.get(kind, name);
      const updated = status.updatedReplicas ?? status.updatedNumberScheduled;
      const available = status.availableReplicas ?? status.numberAvailable;
      return String(status.observedGeneration) === String(metadata.generation) && updated === 1 && available === 1;
    };
    return eventually(isDone, { timeoutMs: 30_000, message: `${kind} ${name} is rolled out` });
  }

  get(kind: WorkloadKind, name: string): Promise<WorkloadObject> {
    return this.#client.get<WorkloadObject>(WORKLOADS[kind], { namespace: this.#namespace, name });
  }

  /** How often a workload's spec was changed since it was made, and what it was restarted for. */
  async restarts(kind: WorkloadKind, name: string): Promise<{ count: number; mark: string | undefined }> {
    const { metadata, spec } = await this.get(kind, name);
    const mark = spec?.template?.metadata?.annotations?.[RESTARTED_ANNOTATION];
    return { count: (metadata.generation ?? 1) - 1, mark };
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Says of every pod that it is ready, as kubelet would. */
  async #tendPods(): Promise<void> {
    const { items } = await this.#client.list<KubeObject & { status?: { phase?: string } }>(PODS, {
      namespace: this.#namespace,
    });
    for (const { metadata, status } of items) {
      const { name, namespace } = metadata;
      if (status?.phase === "Running" || this.broken.has(metadata.labels?.["app"] ?? "")) continue;
      const ready = { type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() };
      await this.#status(PODS, { name, namespace }, { phase: "Running", conditions: [ready] });
    }
  }

  /** Says of a Rollout what its controller, which is not there, would. */
  async #inPlaceOfArgo(name: string): Promise<void> {
    const { metadata, spec } = await this.get("rollouts", name);
    const followed = spec?.workloadRef && (await this.get("deployments", name)).metadata.generation;
    const seen = followed === undefined ? {} : { workloadObservedGeneration: String(followed) };
    const observedGeneration = String(metadata.generation);
    const done = { observedGeneration, ...seen, phase: "Healthy", updatedReplicas: 1, availableReplicas: 1 };
    await this.#status(WORKLOADS.rollouts, { name, namespace: this.#namespace }, done);
  }

  async #status(resource: Resource, metadata: ObjectMeta, status: object): Promise<void> {
    const options = { fieldManager: FIELD_MANAGER, subresource: "status" };
    await this.#client.apply(resource, { metadata, status } as KubeObject, options).catch((error: unknown) => {
      // it was replaced meanwhile
      if (!hasStatus(error, 404)) throw error;
    });
  }

  #apply(resource: Resource, object: KubeObject): Promise<KubeObject> {
    const whole = { apiVersion: apiVersionOf(resource), ...object };
    return this.#client.apply(resource, whole, { fieldManager: FIELD_MANAGER });
  }
}
