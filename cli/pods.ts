// The pods that zopp runs in, as far as their state tells whether zopp works there.
import type { ApiClient } from "../operator/kube/client.js";
import { type KubeObject, PODS } from "../operator/kube/resources.js";

/** A container as kubelet sees it. */
export interface ContainerState {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount?: number;
  readonly state?: { readonly waiting?: { readonly reason?: string } };
}

/** A container as the chart wants it. */
export interface ContainerSpec {
  readonly name?: string;
  readonly args?: readonly string[];
}

/** A pod of the chart. */
export interface ZoppPod extends KubeObject {
  readonly spec?: {
    readonly containers?: readonly ContainerSpec[];
    readonly initContainers?: readonly ContainerSpec[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly ContainerState[];
    readonly initContainerStatuses?: readonly ContainerState[];
  };
}

/** The pods of the chart in a namespace. */
export async function zoppPods(client: ApiClient, namespace: string): Promise<readonly ZoppPod[]> {
  return (await client.list<ZoppPod>(PODS, { namespace, labelSelector: "app.kubernetes.io/name=zopp" })).items;
}

/** What all containers of a pod are told; a keyring that is a sidecar is an init container. */
export function toldIn({ spec = {} }: ZoppPod): readonly ContainerSpec[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
}

/** All containers of a pod. */
export function containersOf({ status = {} }: ZoppPod): readonly ContainerState[] {
  return [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
}
