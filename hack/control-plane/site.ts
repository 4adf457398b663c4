// Owns what a control plane is configured with: credentials and the flags of its programs.
// Does not own running them.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where a control plane lives. */
export interface Site {
  readonly folder: string;
  readonly apiPort: number;
  readonly etcdPort: number;
  /** The bearer token of the administrator. */
  readonly adminToken: string;
}

/** Writes the administrator's token and the key that signs service accounts' tokens into the folder. */
export function newCredentials(folder: string): { adminToken: string } {
  const adminToken = randomBytes(24).toString("base64url");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  write("tokens.csv", `${adminToken},admin,admin,"system:masters"\n`);
  write("service-account.key", privateKey.export({ type: "sec1", format: "pem" }) as string);
  return { adminToken };
}

/** Flags of etcd: on loopback, and without fsync, for nothing here outlives the process. */
export function etcdArguments({ folder, etcdPort }: Site): string[] {
  const client = `http://127.0.0.1:${etcdPort}`;
  const peer = "http://127.0.0.1:0";
  return [
    `--data-dir=${join(folder, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

/** Flags of kube-apiserver: real authentication and RBAC; no advertised address, since loopback is refused there. */
export function apiServerArguments({ folder, apiPort, etcdPort }: Site): string[] {
  const key = join(folder, "service-account.key");
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${apiPort}`,
    `--cert-dir=${join(folder, "certificates")}`,
    "--endpoint-reconciler-type=none",
    "--service-cluster-ip-range=10.0.0.0/24",
    "--authorization-mode=RBAC",
    `--token-auth-file=${join(folder, "tokens.csv")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
  ];
}

/** Flags of kube-controller-manager, which collects garbage, deletes namespaces and rolls out. */
export function controllerManagerArguments({ folder }: Site, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--service-account-private-key-file=${join(folder, "service-account.key")}`,
    `--root-ca-file=${join(folder, "certificates", "apiserver.crt")}`,
    "--leader-elect=false",
    "--secure-port=0",
  ];
}
