// A running testbed seen from outside: metrics, whether it has work left, which policy is in force, what it changed in the
// API, kubectl.
// Starting it and changing its policy is testbed.ts'.
import { setTimeout as sleep } from "node:timers/promises";
import type { ZoppWorkspace } from "../crds/types.gen.js";
import type { ApiClient, ListOptions } from "../operator/kube/client.js";
import {
  EVENTS,
  type KubeObject,
  type Resource,
  SECRETS,
  ZOPP_SECRETS,
  ZOPP_WORKSPACES,
} from "../operator/kube/resources.js";
import { must } from "./control-plane/kubectl.js";
import { eventually } from "./eventually.js";
import type { Testbed } from "./testbed.js";

const QUIET_LIMIT_MS = 300_000;
/** So much in a queue is not worked off in less than a millisecond each. */
const MANY = 200;
const PAGE = 500;

/** One reading of a process' metrics. */
export interface Metrics {
  /** Sums a metric over all its series whose labels hold these values; 0 when there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
}

/** kubectl in a namespace, as an administrator; a failure is an exception with its text. */
export function kubectlOf({ controlPlane }: Testbed, namespace = "shop-prod") {
  return (...args: string[]): Promise<string> => must(controlPlane.kubectl(["--namespace", namespace, ...args]));
}

/** The text of a path of a process on this machine: metrics, a probe. */
export async function readText(port: number, path: string): Promise<string> {
  return (await ask(port, path)).text();
}

/** Asks a process on this machine, on a connection of its own: one that was kept may be ended as it is used again. */
export function ask(port: number, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } });
}

/** Reads /metrics (Prometheus' text form) of a process on this machine. */
export async function readMetrics(port: number): Promise<Metrics> {
  const lines = (await readText(port, "/metrics")).split("\n");
  return {
    sum(name, labels = {}) {
      const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
      return lines
        .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
        .filter((line) => wanted.every((label) => line.includes(label)))
        .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    },
  };
}

/** Waits until an operator's queues are empty and nothing is worked on; gives when that was (milliseconds since the epoch). */
export async function quiet(
  { ports }: { readonly ports: Pick<Testbed["ports"], "metrics"> },
  controller?: string,
  timeoutMs = QUIET_LIMIT_MS,
): Promise<number> {
  const [name, worker] = controller === undefined ? [{}, {}] : [{ name: controller }, { controller }];
  const isQuiet = async () => {
    const metrics = await readMetrics(ports.metrics);
    const waiting = metrics.sum("workqueue_depth", name);
    const busy = waiting + metrics.sum("controller_runtime_active_workers", worker);
    // asking costs the operator milliseconds of the time that is measured
    if (waiting > MANY) await sleep(waiting);
    return busy === 0 && Date.now();
  };
  return eventually(isQuiet, { timeoutMs, message: "the operator is quiet" });
}

/** Waits until the keyring has accepted the workspace that is stored now. */
export function workspaceInForce({ client }: Testbed, name = "acme"): Promise<unknown> {
  return eventually(async () => {
    const { spec, status } = await client.get<ZoppWorkspace>(ZOPP_WORKSPACES, { name });
    return status?.accepted?.version === spec.version;
  });
}

/** All objects, page by page: ten thousand are more than one answer may hold. */
export async function* everyObject<T extends KubeObject = KubeObject>(
  client: ApiClient,
  resource: Resource,
  options: ListOptions = {},
): AsyncGenerator<T> {
  let next: string | undefined;
  do {
    const page = await client.list<T>(resource, { ...options, limit: PAGE, continue: next });
    yield* page.items;
    next = page.metadata.continue || undefined;
  } while (next !== undefined);
}

/** The resourceVersion of each Secret, bundle and Event of a namespace, by `<plural>/<name>`. */
export async function versions({ client }: Testbed, namespace: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const resource of [SECRETS, ZOPP_SECRETS, EVENTS]) {
    for await (const { metadata } of everyObject(client, resource, { namespace, metadataOnly: true })) {
      found.set(`${resource.plural}/${metadata.name}`, metadata.resourceVersion ?? "");
    }
  }
  return found;
}
