// Owns what a cluster is configured with: addresses, credentials, files and flags of its programs.
// Does not own running them.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The node's name and its address, on which all of the cluster listens; they exist in its namespaces alone. */
export const NODE = "node1";
export const ADDRESS = "192.168.90.2";
const API_PORT = 6443;
const ETCD = "http://127.0.0.1:2379";
const POD_NET = "10.244.0.0/24";
const SERVICE_NET = "10.96.0.0/16";
/** The image that holds a pod's namespaces. */
export const PAUSE_IMAGE = "localhost/zopp-pause:1";
/** Where containerd listens. */
export const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

/** Who speaks to the API server: file of the kubeconfig, user, group. The default roles of RBAC fit all but the first two. */
const ACCOUNTS = [
  ["admin", "admin", "system:masters"],
  ["coredns", "coredns", "system:masters"],
  ["controller-manager", "system:kube-controller-manager"],
  ["scheduler", "system:kube-scheduler"],
  ["proxy", "system:kube-proxy"],
  ["kubelet", `system:node:${NODE}`, "system:nodes"],
] as const;

/** Writes a cluster's keys, kubeconfigs and configuration files into its folder. */
export function writeSite(folder: string): void {
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  const writeObject = (name: string, object: object) => write(name, JSON.stringify(object, undefined, 2));
  for (const name of ["certificates", "kubelet", "cni"]) mkdirSync(join(folder, name));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  write("service-account.key", privateKey.export({ type: "sec1", format: "pem" }) as string);
  const tokens = ACCOUNTS.map(([name, user, group]) => {
    const token = randomBytes(24).toString("base64url");
    writeObject(`${name}.kubeconfig`, kubeconfig(folder, name, token));
    return `${token},${user},${user}${group === undefined ? "" : `,"${group}"`}\n`;
  });
  write("tokens.csv", tokens.join(""));
  writeObject("audit-policy.yaml", AUDIT_POLICY);
  writeObject("cni/10-pods.conflist", POD_NETWORK);
  writeObject("kubelet.yaml", kubeletConfiguration(folder));
  writeObject("proxy.yaml", proxyConfiguration(folder));
  write("containerd.toml", containerdConfiguration(folder));
  write(
    "Corefile",
    `.:53 {\n  bind ${ADDRESS}\n  errors\n  kubernetes cluster.local {\n    kubeconfig ${join(folder, "coredns.kubeconfig")}\n    ttl 1\n  }\n}\n`,
  );
}

/** Where the API server writes what was asked of it: a JSON line a request, of who, what and the answer's code. */
export const auditLog = (folder: string) => join(folder, "audit.log");

const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata" }],
};

function kubeconfig(folder: string, user: string, token: string): object {
  const server = `https://${ADDRESS}:${API_PORT}`;
  // The API server writes its certificate, which is its own authority, when it starts.
  const authority = join(folder, "certificates", "apiserver.crt");
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "zopp", cluster: { server, "certificate-authority": authority } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: "zopp", context: { cluster: "zopp", user } }],
    "current-context": "zopp",
  };
}

const POD_NETWORK = {
  cniVersion: "1.0.0",
  name: "pods",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        dataDir: "/run/cni-ipam",
        ranges: [[{ subnet: POD_NET }]],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

function kubeletConfiguration(folder: string): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    protectKernelDefaults: true,
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    // Nobody outside these namespaces reaches it.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    clusterDNS: [ADDRESS],
    clusterDomain: "cluster.local",
    resolvConf: "/run/pods.resolv.conf",
    // Images come from archives: one collected because the machine's disk is full could not be pulled again.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      "memory.available": "100Mi",
      "nodefs.available": "1%",
      "nodefs.inodesFree": "1%",
      "imagefs.available": "1%",
    },
    // Who ends a container again and again means it, and has not to wait for each start longer than for the one before.
    crashLoopBackOff: { maxContainerRestartPeriod: "1s" },
    // A Secret's mounts follow it within seconds, not minutes.
    syncFrequency: "5s",
    podLogsDir: "/run/pod-logs",
    volumePluginDir: join(folder, "kubelet", "volume-plugins"),
  };
}

function proxyConfiguration(folder: string): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: join(folder, "proxy.kubeconfig") },
    mode: "iptables",
    hostnameOverride: NODE,
    clusterCIDR: POD_NET,
    // These would set the machine's own.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
}

/** Root without CAP_SYS_RESOURCE cannot lower a process's oom_score_adj: without `restrict_oom_score_adj` no pod starts. */
function containerdConfiguration(folder: string): string {
  return `version = 3
root = "${join(folder, "containerd")}"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "${join(folder, "cni")}"
[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = "runc"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
`;
}

/** Flags of each program, by its name. */
export function flags(folder: string) {
  const at = (name: string) => join(folder, name);
  const as = (name: string) => {
    const path = at(`${name}.kubeconfig`);
    return [`--kubeconfig=${path}`, `--authentication-kubeconfig=${path}`, `--authorization-kubeconfig=${path}`];
  };
  return {
    etcd: [
      `--data-dir=${at("etcd")}`,
      `--listen-client-urls=${ETCD}`,
      `--advertise-client-urls=${ETCD}`,
      "--unsafe-no-fsync",
      "--log-level=warn",
    ],
    "kube-apiserver": [
      `--etcd-servers=${ETCD}`,
      "--bind-address=0.0.0.0",
      `--secure-port=${API_PORT}`,
      `--advertise-address=${ADDRESS}`,
      `--cert-dir=${at("certificates")}`,
      `--service-cluster-ip-range=${SERVICE_NET}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged=true",
      `--token-auth-file=${at("tokens.csv")}`,
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      `--service-account-key-file=${at("service-account.key")}`,
      `--service-account-signing-key-file=${at("service-account.key")}`,
      `--audit-policy-file=${at("audit-policy.yaml")}`,
      `--audit-log-path=${auditLog(folder)}`,
      // Megabytes: a reader finds all of it in one file.
      "--audit-log-maxsize=10000",
    ],
    "kube-controller-manager": [
      ...as("controller-manager"),
      `--service-account-private-key-file=${at("service-account.key")}`,
      `--root-ca-file=${at("certificates/apiserver.crt")}`,
      "--use-service-account-credentials",
      // Each controller gets an account first: at the default rate that takes seconds.
      "--kube-api-qps=1000",
      "--kube-api-burst=1000",
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      `--cert-dir=${at("certificates")}`,
    ],
    "kube-scheduler": [...as("scheduler"), "--leader-elect=false", "--bind-address=127.0.0.1"],
    kubelet: [
      `--config=${at("kubelet.yaml")}`,
      `--kubeconfig=${at("kubelet.kubeconfig")}`,
      `--hostname-override=${NODE}`,
      `--node-ip=${ADDRESS}`,
      `--root-dir=${at("kubelet")}`,
      `--cert-dir=${at("certificates")}`,
    ],
    "kube-proxy": [`--config=${at("proxy.yaml")}`],
    containerd: [`--config=${at("containerd.toml")}`],
    coredns: [`-conf=${at("Corefile")}`],
  } as const;
}
