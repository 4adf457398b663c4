// Owns finding the programs of a control plane: an assets folder, a cache, or a build from Go modules.
// Does not own building, nor starting them.
import { join } from "node:path";
import { isExecutable } from "../executables.js";
import { type GoProgram, type GoPrograms, goFolder, goPrograms } from "../go-programs.js";
import { packageRoot } from "../package-root.js";

/** The Kubernetes version built; it names the cache folder. */
export const KUBERNETES_VERSION = "1.37.2";

/** Paths of the programs. */
export interface Binaries {
  readonly etcd: string;
  readonly apiserver: string;
  readonly kubectl: string;
  /** Absent where an assets folder lacks it: then nothing collects garbage, and namespaces are never finalized. */
  readonly controllerManager?: string;
}

/** What the search depends on; the process's own environment by default. */
export interface FindOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Told what is built, how long it takes and where it goes. */
  readonly log?: (line: string) => void;
}

const PROGRAMS: readonly GoProgram[] = [
  { name: "etcd", goPackage: "go.etcd.io/etcd/server/v3", minutes: 0.5, megabytes: 25 },
  { name: "kube-apiserver", goPackage: "k8s.io/kubernetes/cmd/kube-apiserver", minutes: 5, megabytes: 120 },
  {
    name: "kube-controller-manager",
    goPackage: "k8s.io/kubernetes/cmd/kube-controller-manager",
    minutes: 2,
    megabytes: 80,
  },
  { name: "kubectl", goPackage: "k8s.io/kubernetes/cmd/kubectl", minutes: 1, megabytes: 62 },
];

const ASSETS_INSTEAD =
  "set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl (`setup-envtest use -p path`)";

/** Programs of Kubernetes (and etcd) as the go.mod here pins them; those of a control plane unless others are named. */
export function kubernetes(programs: readonly GoProgram[] = PROGRAMS): GoPrograms {
  return {
    title: "Kubernetes",
    name: "control-plane",
    version: KUBERNETES_VERSION,
    module: join(packageRoot(), "hack", "control-plane", "binaries"),
    ldflags: `-X k8s.io/component-base/version.gitVersion=v${KUBERNETES_VERSION}`,
    programs,
  };
}

/** The folder that built programs are kept in: `$XDG_CACHE_HOME` (or `~/.cache`)`/zopp/control-plane/<version>`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return goFolder(kubernetes(), env);
}

/**
 * Finds the programs, in this order: `KUBEBUILDER_ASSETS`, the cache, a build into the cache.
 *
 * @throws Error naming the missing programs and what to install, when none of the three gives them.
 */
export async function findBinaries(options: FindOptions = {}): Promise<Binaries> {
  const { env = process.env, log = () => undefined } = options;
  const assets = env["KUBEBUILDER_ASSETS"];
  if (assets) return fromAssets(assets, log);
  return inFolder(await goPrograms({ ...kubernetes(), otherwise: ASSETS_INSTEAD }, { env, log }));
}

function fromAssets(folder: string, log: (line: string) => void): Binaries {
  const found = inFolder(folder);
  const missing = PROGRAMS.map((program) => program.name).filter((name) => !isExecutable(join(folder, name)));
  const needed = missing.filter((name) => name !== "kube-controller-manager");
  if (needed.length > 0) {
    throw new Error(
      `KUBEBUILDER_ASSETS is ${folder}, which lacks ${needed.join(", ")}: unset it, or fill it with \`setup-envtest use\``,
    );
  }
  if (missing.length === 0) return found;
  log(`${folder} has no kube-controller-manager: starting without garbage collection and namespace deletion`);
  const { controllerManager: _absent, ...rest } = found;
  return rest;
}

function inFolder(folder: string): Binaries {
  return {
    etcd: join(folder, "etcd"),
    apiserver: join(folder, "kube-apiserver"),
    kubectl: join(folder, "kubectl"),
    controllerManager: join(folder, "kube-controller-manager"),
  };
}
