// A platform engineer at a real cluster: a shell inside its node's namespaces with kubectl, helm, zopp and git, and looks
// at what became of it. Does not own the story.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { ZoppSecret } from "../../../crds/types.gen.js";
import { readyOf } from "../../../operator/kube/conditions.js";
import type { KubeObject } from "../../../operator/kube/resources.js";
import { RELEASE, SYSTEM } from "../../chart/chart.js";
import { PLAIN_NODE } from "../../child.js";
import type { Cluster } from "../../cluster/cluster.js";
import { environment, inside } from "../../cluster/inside.js";
import { must } from "../../control-plane/kubectl.js";
import { eventually } from "../../eventually.js";
import { type ProgramResult, runProgram } from "../../run-program.js";

/** The bundle that the story is about; its Secret has the same place. */
export const APP = { namespace: "shop-prod", name: "api" } as const;

/** Folders in which somebody types: the engineer's checkout, and that of a person whom nobody pinned. */
const OURS = "shop";
export const THEIRS = "evil";

/** The containers of zopp, wherever they run. */
export type Part = "operator" | "keyring";

/** A Secret with its values as text; equal = it was not written in between. */
export interface Shown {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly values: Readonly<Record<string, string>>;
}

/** A pod, as far as it is looked at. */
export interface Pod extends KubeObject {
  readonly status?: {
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly {
    readonly targetRef?: { readonly name: string };
    readonly conditions: { readonly serving?: boolean };
  }[];
}

/** What kubelet says of a container. */
export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  /** `containerd://` and the id that is in its processes' cgroups; absent as long as none was started. */
  readonly containerID?: string;
  readonly lastState?: { readonly terminated?: { readonly reason?: string; readonly exitCode?: number } };
}

const PATIENCE_MS = 90_000;

/** One person's checkout and shell at one cluster. Live until `leave()`. */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "zopp-site-"));
  /** What else the shell has in its environment. */
  readonly variables: Record<string, string> = {};
  readonly #cluster: Cluster;
  readonly #say: (text: string) => void;

  constructor(cluster: Cluster, say: (text: string) => void) {
    this.#cluster = cluster;
    this.#say = say;
    for (const checkout of [OURS, THEIRS]) mkdirSync(join(this.folder, checkout));
    writeFileSync(join(this.folder, "passphrase"), "correct horse battery staple\n", { mode: 0o600 });
  }

  /** What the shell has in its environment besides the cluster's own. */
  get #env(): Readonly<Record<string, string>> {
    return {
      ...this.variables,
      HOME: this.folder,
      ZOPP_HOME: join(this.folder, "identity"),
      ZOPP_PASSPHRASE_FILE: join(this.folder, "passphrase"),
    };
  }

  /** Types a command line; gives what it printed on stdout. A failure is an exception with all it said. */
  async type(line: string, checkout: string = OURS): Promise<string> {
    this.#say(`$ ${line}`);
    const { code, stdout, stderr } = await this.attempt(line, checkout);
    if (code !== 0) throw new Error(`"${line}" ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Types a command line that may fail. */
  attempt(line: string, checkout: string = OURS): Promise<ProgramResult> {
    const { place } = this.#cluster;
    const shell = inside(place, ["/bin/sh", "-c", `${PLAIN_NODE}${line}`], join(this.folder, checkout));
    return runProgram(shell, { env: { ...environment(place), ...this.#env } });
  }

  /** Objects as kubectl gives them. */
  async get<T = KubeObject>(what: string): Promise<T> {
    const args = ["get", ...what.split(" "), "--output", "json"];
    return JSON.parse(await must(this.#cluster.kubectl(args))) as T;
  }

  /** The Secret of a bundle. */
  async secret({ namespace, name }: { readonly namespace: string; readonly name: string } = APP): Promise<Shown> {
    const { metadata, data = {} } = await this.get<KubeObject & { data?: Record<string, string> }>(
      `secret ${name} -n ${namespace}`,
    );
    const texts = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
    const { uid = "", resourceVersion = "" } = metadata;
    return { uid, resourceVersion, values: Object.fromEntries(texts) };
  }

  /** Waits until the Secret holds just these values. */
  shows(values: Readonly<Record<string, string>>): Promise<Shown> {
    return eventually(
      async () => {
        const shown = await this.secret();
        return isDeepStrictEqual(shown.values, values) && shown;
      },
      { timeoutMs: PATIENCE_MS, message: `the Secret holds ${Object.keys(values)} as wanted` },
    );
  }

  /** Waits until Ready of the bundle's present generation has this reason. */
  async settled(reason: string, place = APP): Promise<void> {
    await eventually(
      async () => {
        const { metadata, status } = await this.get<ZoppSecret>(`zs ${place.name} -n ${place.namespace}`);
        const ready = readyOf(status);
        if (ready?.reason === reason && ready.observedGeneration === metadata.generation) return true;
        throw new Error(`${place.name} is ${ready?.reason}: ${ready?.message}`);
      },
      { timeoutMs: PATIENCE_MS },
    );
  }

  /** zopp's pods. */
  async pods(): Promise<readonly Pod[]> {
    return (await this.get<{ items: Pod[] }>(`pods -n ${SYSTEM} -l app.kubernetes.io/instance=${RELEASE}`)).items;
  }

  /** What kubelet says of a part, and in which pod it is; not of one that ends. */
  async container(part: Part): Promise<ContainerStatus & { readonly pod: string }> {
    for (const { metadata, status } of await this.pods()) {
      if (metadata.deletionTimestamp !== undefined) continue;
      const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
      const found = all.find(({ name }) => name === part);
      if (found !== undefined) return { ...found, pod: metadata.name };
    }
    throw new Error(`no pod has a container ${part}`);
  }

  /** The pods that a Service leads to. One that ends is among them until it says that it serves no longer. */
  async podsBehind(service: string): Promise<readonly (string | undefined)[]> {
    const selector = `-n ${SYSTEM} -l kubernetes.io/service-name=${service}`;
    const { items } = await this.get<{ items: EndpointSlice[] }>(`endpointslices ${selector}`);
    const serving = items.flatMap(({ endpoints = [] }) => endpoints).filter(({ conditions }) => conditions.serving);
    return serving.map(({ targetRef }) => targetRef?.name);
  }

  /** Waits until both parts are ready; gives their restarts. */
  ready(): Promise<Readonly<Record<Part, number>>> {
    return eventually(
      async () => {
        const [operator, keyring] = [await this.container("operator"), await this.container("keyring")];
        return operator.ready && keyring.ready && { operator: operator.restartCount, keyring: keyring.restartCount };
      },
      { timeoutMs: PATIENCE_MS, message: "operator and keyring are ready" },
    );
  }

  /** The process id of a part, as the node sees it: not that of one whose pod ends, while another one is there already. */
  async pid(part: Part): Promise<number> {
    const { containerID = "" } = await this.container(part);
    const id = containerID.slice(containerID.lastIndexOf("/") + 1);
    const all = `pgrep -f '^/nodejs/bin/node .*/app/${part}.mjs'`;
    const { stdout } = await this.attempt(
      `for pid in $(${all}); do grep -q '${id}' /proc/$pid/cgroup && echo $pid; done; true`,
    );
    const pid = Number.parseInt(stdout, 10);
    if (id === "" || Number.isNaN(pid)) throw new Error(`no process of ${part} runs`);
    return pid;
  }

  /** Removes the checkout. */
  leave(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
