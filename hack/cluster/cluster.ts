// Owns a real one-node cluster in Linux namespaces of its own: starting it, and ending it without a trace.
// Does not own its configuration, nor running commands inside it.
import { existsSync, mkdtempSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { KubectlOptions, KubectlResult } from "../control-plane/kubectl.js";
import { newProcessGroup, type ProcessGroup, type Running } from "../control-plane/processes.js";
import { untilReady } from "../control-plane/ready.js";
import { eventually } from "../eventually.js";
import { packageRoot } from "../package-root.js";
import { PAUSE, smallImage } from "./archive.js";
import { hierarchies, makeGroups, removeGroups } from "./cgroups.js";
import { inGroups, inside, kubectlInside, load, type Place, runCtr, writeBin } from "./inside.js";
import { type ClusterPrograms, clusterPrograms, missingPrograms } from "./programs.js";
import { NAMESPACES, refusal } from "./refusal.js";
import { ADDRESS, flags, NODE, writeSite } from "./site.js";

/** A running cluster: one node that is Ready, and nothing on it. No port of it is open on the machine. */
export interface Cluster {
  readonly place: Place;
  /** Runs kubectl inside as the administrator, or with the kubeconfig that is given; a failure is a code, not an exception. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
  /** Imports the images of an archive. */
  load(archive: string): Promise<string>;
  /** Ends every process and pod, and removes folder and control groups. A second call does nothing. */
  stop(): Promise<void>;
}

/** How to start a cluster. */
export interface ClusterOptions {
  /** Archives of images (OCI or docker) that the node has from the start. */
  readonly images?: readonly string[];
  /** Told what is built, and how the start goes. Default: standard error. */
  readonly log?: (line: string) => void;
  readonly env?: NodeJS.ProcessEnv;
  /** Further flags of a program, by its name; for tests of a start that fails. */
  readonly more?: Readonly<Record<string, readonly string[]>>;
}

/** One sentence that says why a test that needs a cluster is skipped: the machine cannot, or no `up` has built the programs. */
export function obstacle(): string | undefined {
  const why = refusal();
  if (why !== undefined) return why;
  const missing = missingPrograms();
  return missing.length === 0
    ? undefined
    : `a cluster's programs are not here yet (${missing.join(", ")}): make cluster-up builds them`;
}

/** What must be there before a cluster starts: its programs and the pause image. */
export interface Ingredients {
  readonly programs: ClusterPrograms;
  readonly pause: string;
}

/**
 * Gives what a cluster is made of, after building what is missing.
 *
 * @throws Error with one sentence where no cluster can run on this machine.
 */
export async function ingredients({
  log = console.error,
  env = process.env,
}: ClusterOptions = {}): Promise<Ingredients> {
  const why = refusal();
  if (why !== undefined) throw new Error(why);
  const programs = await clusterPrograms({ env, log });
  return { programs, pause: await smallImage(PAUSE, { env, log }) };
}

/**
 * Starts a cluster in about five seconds. It ends with `stop()`, and in any case with this process, however it dies.
 *
 * @throws Error where no cluster can run; when a program does not get ready, with the last lines it wrote.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { log = console.error, images = [], more = {} } = options;
  const { programs, pause } = await ingredients(options);
  const startMs = performance.now();
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "zopp-cluster-")));
  const start = new Start(folder, programs, more);
  try {
    const place = await start.namespaces();
    await start.programs([pause, ...images]);
    log(`Kubernetes is ready after ${((performance.now() - startMs) / 1000).toFixed(1)} s; logs are in ${folder}`);
    return {
      place,
      kubectl: (args, given) => kubectlInside(place, args, given),
      load: (archive) => load(place, archive),
      stop: () => start.end(),
    };
  } catch (error) {
    await start.end();
    throw error;
  }
}

class Start {
  readonly #folder: string;
  readonly #programs: ClusterPrograms;
  readonly #more: Readonly<Record<string, readonly string[]>>;
  readonly #group: ProcessGroup;
  readonly #running: Running[] = [];
  #place: Place;

  constructor(folder: string, programs: ClusterPrograms, more: Readonly<Record<string, readonly string[]>>) {
    this.#folder = folder;
    this.#programs = programs;
    this.#more = more;
    const groups = hierarchies().map((one) => join(one.folder, basename(folder)));
    this.#group = newProcessGroup(folder, groups);
    this.#place = { folder, init: 0, groups };
  }

  /** Makes the namespaces, with the first process in them. */
  async namespaces(): Promise<Place> {
    makeGroups(basename(this.#folder));
    const script = join(packageRoot(), "hack", "cluster", "node.sh");
    const args = [this.#folder, NODE, ADDRESS, ...hierarchies().map(({ name }) => name)];
    const unshare = ["unshare", ...NAMESPACES, "--propagation=private", "--fork", "--kill-child"];
    const command = inGroups(this.#place.groups, [...unshare, "sh", script, ...args]);
    const node = await this.#start("node", command);
    await untilReady(node, async () => existsSync(join(this.#folder, "set-up")));
    const init = Number(readFileSync(join(this.#folder, "init.pid"), "utf8"));
    this.#place = { ...this.#place, init };
    return this.#place;
  }

  /** Starts the programs, each as soon as what it needs is ready, until the node is and a pod can be made. */
  async programs(images: readonly string[]): Promise<void> {
    writeSite(this.#folder);
    writeBin(this.#folder, this.#programs);
    const { kubernetes, coredns } = this.#programs;
    await this.#daemon("etcd", kubernetes);
    const [api, containerd] = await all([
      this.#daemon("kube-apiserver", kubernetes),
      this.#daemon("containerd", this.#programs.containerd),
    ]);
    await all([this.#whenApiIsReady(api), this.#whenContainerdIsReady(containerd, images)]);
    const kubelet = await this.#daemon("kubelet", kubernetes);
    await this.#daemon("coredns", coredns);
    await this.#until(kubelet, () => this.#has(`node/${NODE}`, "create"));
    await this.#until(kubelet, () => this.#has(`node/${NODE}`, "condition=Ready"));
    // No pod is admitted before.
    await this.#until(kubelet, () => this.#has("serviceaccount/default", "create"));
  }

  async #whenApiIsReady(api: Running): Promise<void> {
    await this.#until(api, async () => (await kubectlInside(this.#place, ["get", "--raw=/readyz"])).code === 0);
    await all(
      ["kube-controller-manager", "kube-scheduler", "kube-proxy"].map((name) =>
        this.#daemon(name as Name, this.#programs.kubernetes),
      ),
    );
  }

  async #whenContainerdIsReady(containerd: Running, images: readonly string[]): Promise<void> {
    await this.#until(containerd, async () => (await runCtr(this.#place, ["version"])).code === 0);
    for (const image of images) await load(this.#place, image);
  }

  /** Waits rather than asks again and again, which would take a start's time; not long, for a program may have ended. */
  async #has(object: string, what: string): Promise<boolean> {
    return (await kubectlInside(this.#place, ["wait", object, `--for=${what}`, "--timeout=5s"])).code === 0;
  }

  #until(running: Running, check: () => Promise<boolean>): Promise<void> {
    return untilReady(running, check, this.#running);
  }

  #daemon(name: Name, folder: string): Promise<Running> {
    const args = [...flags(this.#folder)[name], ...(this.#more[name] ?? [])];
    // containerd looks for its shim in PATH.
    const path = `PATH=${folder}:${process.env["PATH"] ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`;
    return this.#start(name, inside(this.#place, ["env", path, join(folder, name), ...args]));
  }

  async #start(name: string, [program = "", ...args]: readonly string[]): Promise<Running> {
    const running = await this.#group.start(name, program, args);
    this.#running.push(running);
    return running;
  }

  async end(): Promise<void> {
    const [node] = this.#running;
    const { init, groups } = this.#place;
    // The namespaces' first process ends them all; unshare, which waits for it, ends after the last.
    if (node?.ended() === false && init !== 0) {
      process.kill(init, "SIGKILL");
      for (const { pid, ended } of this.#running) if (!ended()) wake(pid);
      await eventually(() => node.ended(), { timeoutMs: 30_000, message: "the cluster's processes have ended" });
    }
    await this.#group.end();
    await removeGroups(groups);
  }
}

/** nsenter stops when its program is stopped, as a test may do to it, and would then never see that it has ended. */
function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // it has ended this moment
  }
}

type Name = keyof ReturnType<typeof flags>;

/** All of them, and the first failure only once none is at work any more: nothing is started after the end. */
async function all<const T extends readonly Promise<unknown>[]>(
  works: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(works);
  return Promise.all(works) as Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
}
