// Owns which programs a cluster is made of, and that they are there: built from Go modules, or of Debian.
// Does not own building or installing them, nor starting them.
import { kubernetes } from "../control-plane/binaries.js";
import { type DebianPackages, ensureDebian, missingDebian } from "../debian.js";
import { fromModule, type GoOptions, type GoProgram, type GoPrograms, goPrograms, missingOf } from "../go-programs.js";

const NODE_PROGRAMS: readonly GoProgram[] = [
  { name: "kubelet", goPackage: "k8s.io/kubernetes/cmd/kubelet", minutes: 2, megabytes: 80 },
  { name: "kube-proxy", goPackage: "k8s.io/kubernetes/cmd/kube-proxy", minutes: 0.5, megabytes: 60 },
  { name: "kube-scheduler", goPackage: "k8s.io/kubernetes/cmd/kube-scheduler", minutes: 0.5, megabytes: 75 },
];

const CONTAINERD_VERSION = "2.4.2";
const CONTAINERD = fromModule(
  "cluster",
  {
    title: "containerd",
    name: "containerd",
    version: CONTAINERD_VERSION,
    programs: ["containerd", "containerd-shim-runc-v2", "ctr"].map((name) => ({
      name,
      goPackage: `github.com/containerd/containerd/v2/cmd/${name}`,
      minutes: 0.6,
      megabytes: 26,
    })),
  },
  `-X github.com/containerd/containerd/v2/version.Version=v${CONTAINERD_VERSION}`,
);

const COREDNS = fromModule("cluster", {
  title: "CoreDNS",
  name: "coredns",
  version: "1.15.0",
  programs: [{ name: "coredns", goPackage: "github.com/coredns/coredns", minutes: 2, megabytes: 79 }],
});

/** Helm, which clients of the cluster install charts with. */
export const HELM = fromModule("cluster", {
  title: "Helm",
  name: "helm",
  version: "4.3.1",
  programs: [{ name: "helm", goPackage: "helm.sh/helm/v4/cmd/helm", minutes: 2, megabytes: 67 }],
});

const DEBIAN: DebianPackages = {
  runc: "runc",
  "containernetworking-plugins": "/usr/lib/cni/bridge",
  iptables: "iptables",
  conntrack: "conntrack",
  iproute2: "ip",
};

/** The programs of Kubernetes: control plane and node. */
const allOfKubernetes = (): GoPrograms => {
  const ofControlPlane = kubernetes();
  return kubernetes([...ofControlPlane.programs, ...NODE_PROGRAMS]);
};

/** Folders with programs. */
export interface ClusterPrograms {
  readonly kubernetes: string;
  readonly containerd: string;
  readonly coredns: string;
  readonly helm: string;
}

/** The names of what a cluster needs and this machine does not have yet. */
export function missingPrograms(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const built = [allOfKubernetes(), CONTAINERD, COREDNS, HELM].flatMap((wanted) => missingOf(wanted, env));
  return [...built, ...missingDebian(DEBIAN, env)];
}

/** Gives the folders of a cluster's programs, after building and installing what is missing: about 15 min, once. */
export async function clusterPrograms(options: GoOptions): Promise<ClusterPrograms> {
  await ensureDebian(DEBIAN, options);
  return {
    kubernetes: await goPrograms(allOfKubernetes(), options),
    containerd: await goPrograms(CONTAINERD, options),
    coredns: await goPrograms(COREDNS, options),
    helm: await goPrograms(HELM, options),
  };
}
