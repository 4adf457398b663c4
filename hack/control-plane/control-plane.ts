// Owns a real etcd, kube-apiserver and controller-manager for tests, demo and benchmark: starting, asking, restarting.
// Does not own finding the programs, nor anything of zopp but its CustomResourceDefinitions.
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../package-root.js";
import { type Binaries, findBinaries } from "./binaries.js";
import { type KubectlOptions, type KubectlResult, must, runKubectl } from "./kubectl.js";
import { freePort, newProcessGroup, type ProcessGroup, type Running } from "./processes.js";
import { isEtcdReady, isReady, untilReady, waitForAuthority } from "./ready.js";
import { apiServerArguments, controllerManagerArguments, etcdArguments, newCredentials, type Site } from "./site.js";

/** A running control plane, reachable on 127.0.0.1, with RBAC and without nodes. */
export interface ControlPlane {
  /** `https://127.0.0.1:<port>`; the same over restarts. */
  readonly url: string;
  /** A bearer token of a member of `system:masters`. */
  readonly token: string;
  /** The server's certificate authority, PEM. */
  readonly ca: string;
  /** The path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** A folder with this kubectl and nothing else, for PATH. */
  readonly bin: string;
  /** The folder of this control plane: logs, data, kubeconfigs. Removed when it ends. */
  readonly folder: string;
  /** The ids of its running processes. */
  pids(): readonly number[];
  /** Runs kubectl as the administrator, or with the kubeconfig that is given; a failure is a code, not an exception. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
  /** Writes a kubeconfig with a token of that service account, which must exist, and gives its path. */
  serviceAccountKubeconfig(namespace: string, name: string): Promise<string>;
  /** Applies `crds/manifests/*.yaml` and waits until the API server serves them. Throws kubectl's text on failure. */
  applyCrds(): Promise<void>;
  /** Kills the API server and starts it on the same port, with the same data and keys; resolves when it is ready. */
  restartApiServer(): Promise<void>;
  /** Kills the API server: connections to it break, and new ones are refused. */
  stopApiServer(): Promise<void>;
  /** Starts the API server that was stopped; resolves when it is ready. */
  startApiServer(): Promise<void>;
  /** etcd's own address; behind it is also its API in JSON. */
  readonly etcdUrl: string;
  /** Kills etcd: the API server answers nothing that it has to ask it for. */
  stopEtcd(): Promise<void>;
  /** Starts the etcd that was stopped, with the same data; resolves when it is ready. */
  startEtcd(): Promise<void>;
  /** Ends every process and removes the folder. A second call does nothing. */
  stop(): Promise<void>;
}

/** How to start a control plane. */
export interface ControlPlaneOptions {
  /** Told what is built or lacking. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Further flags of kube-apiserver; a repeated flag overrides. */
  readonly apiServerArgs?: readonly string[];
  /** Given etcd's port, gives the one that the API server is to ask: of something that stands between them. */
  readonly etcdThrough?: ((etcdPort: number) => Promise<number>) | undefined;
  /** The environment that says where programs are; the process's own by default. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts etcd, kube-apiserver and (where there is one) kube-controller-manager on free ports of 127.0.0.1, in about four
 * seconds. They end with `stop()`, and in any case with this process, however it dies.
 *
 * @throws Error when no programs are found or built, or when one does not get ready: with the last lines it wrote.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { log = (line: string) => console.error(line), env = process.env } = options;
  const binaries = await findBinaries({ env, log });
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(binaries, options);
    } catch (error) {
      // A port can be taken between asking whether it is free and listening on it.
      if (attempt === 3 || !String(error).includes("address already in use")) throw error;
    }
  }
}

async function startOnce(
  binaries: Binaries,
  { apiServerArgs = [], etcdThrough = async (port) => port }: ControlPlaneOptions,
): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-control-plane-"));
  const group = newProcessGroup(folder);
  try {
    const site: Site = { folder, apiPort: await freePort(), etcdPort: await freePort(), ...newCredentials(folder) };
    const etcd = new Etcd(group, binaries.etcd, site);
    await etcd.start();
    const asked = { ...site, etcdPort: await etcdThrough(site.etcdPort) };
    const api = new ApiServer(group, binaries.apiserver, asked, apiServerArgs);
    const { ca } = await api.start();
    const kubeconfig = writeKubeconfig({ site, ca, name: "admin", token: site.adminToken });
    const processes: (() => Running | undefined)[] = [() => etcd.running, () => api.running];
    if (binaries.controllerManager !== undefined) {
      const args = controllerManagerArguments(site, kubeconfig);
      const manager = await group.start("kube-controller-manager", binaries.controllerManager, args);
      processes.push(() => manager);
    }
    return controlPlane({ group, site, etcd, api, ca, kubeconfig, kubectl: binaries.kubectl, processes });
  } catch (error) {
    await group.end();
    throw error;
  }
}

/** etcd's process, which tests kill and start again on its data. */
class Etcd {
  running: Running | undefined;
  readonly #group: ProcessGroup;
  readonly #program: string;
  readonly #site: Site;

  constructor(group: ProcessGroup, program: string, site: Site) {
    this.#group = group;
    this.#program = program;
    this.#site = site;
  }

  async start(): Promise<void> {
    if (this.running?.ended() === false) throw new Error("etcd is already running");
    this.running = await this.#group.start("etcd", this.#program, etcdArguments(this.#site));
    await untilReady(this.running, () => isEtcdReady(this.#site.etcdPort));
  }

  async stop(): Promise<void> {
    await this.running?.kill();
  }
}

/** The API server's process, which tests kill and start again too. */
class ApiServer {
  running: Running | undefined;
  readonly #group: ProcessGroup;
  readonly #program: string;
  readonly #site: Site;
  readonly #more: readonly string[];

  constructor(group: ProcessGroup, program: string, site: Site, more: readonly string[]) {
    this.#group = group;
    this.#program = program;
    this.#site = site;
    this.#more = more;
  }

  async start(): Promise<{ ca: string }> {
    if (this.running?.ended() === false) throw new Error("the API server is already running");
    const args = [...apiServerArguments(this.#site), ...this.#more];
    const running = await this.#group.start("kube-apiserver", this.#program, args);
    this.running = running;
    const ca = await waitForAuthority(running, this.#site);
    await untilReady(running, () => isReady({ port: this.#site.apiPort, ca, token: this.#site.adminToken }));
    return { ca };
  }

  async stop(): Promise<void> {
    await this.running?.kill();
  }
}

interface Parts {
  readonly group: ProcessGroup;
  readonly site: Site;
  readonly etcd: Etcd;
  readonly api: ApiServer;
  readonly ca: string;
  readonly kubeconfig: string;
  /** The program's path. */
  readonly kubectl: string;
  readonly processes: readonly (() => Running | undefined)[];
}

function controlPlane({ group, site, etcd, api, ca, kubeconfig, kubectl, processes }: Parts): ControlPlane {
  const run: ControlPlane["kubectl"] = (args, options) =>
    runKubectl({ program: kubectl, folder: site.folder, kubeconfig }, args, options);
  return {
    url: `https://127.0.0.1:${site.apiPort}`,
    token: site.adminToken,
    ca,
    kubeconfig,
    bin: kubectlFolder(site, kubectl),
    folder: site.folder,
    pids: () =>
      processes
        .flatMap((of) => of() ?? [])
        .filter((one) => !one.ended())
        .map((one) => one.pid),
    kubectl: run,
    async serviceAccountKubeconfig(namespace, name) {
      const token = await must(run(["create", "token", name, "--namespace", namespace, "--duration", "24h"]));
      return writeKubeconfig({ site, ca, name: `${namespace}-${name}`, token: token.trim() });
    },
    async applyCrds() {
      const manifests = join(packageRoot(), "crds", "manifests");
      const names = await must(run(["apply", "--server-side", "--output", "name", "--filename", manifests]));
      const crds = names.split("\n").filter((name) => name.startsWith("customresourcedefinition"));
      await must(run(["wait", "--for", "condition=Established", "--timeout", "30s", ...crds]));
    },
    async restartApiServer() {
      await api.stop();
      await api.start();
    },
    stopApiServer: () => api.stop(),
    startApiServer: async () => void (await api.start()),
    etcdUrl: `http://127.0.0.1:${site.etcdPort}`,
    stopEtcd: () => etcd.stop(),
    startEtcd: () => etcd.start(),
    stop: () => group.end(),
  };
}

function kubectlFolder({ folder }: Site, kubectl: string): string {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  symlinkSync(kubectl, join(bin, "kubectl"));
  return bin;
}

interface KubeconfigOptions {
  readonly site: Site;
  readonly ca: string;
  readonly name: string;
  readonly token: string;
}

function writeKubeconfig({ site, ca, name, token }: KubeconfigOptions): string {
  const path = join(site.folder, `${name}.kubeconfig`);
  const server = `https://127.0.0.1:${site.apiPort}`;
  const authority = Buffer.from(ca).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "zopp", cluster: { server, "certificate-authority-data": authority } }],
    users: [{ name, user: { token } }],
    contexts: [{ name: "zopp", context: { cluster: "zopp", user: name } }],
    "current-context": "zopp",
  };
  writeFileSync(path, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return path;
}
