// The policy that a testbed signs: workspace acme and environment acme/shop/production, naming the keyring's real keys.
// Applying it is testbed.ts'.
import { fileURLToPath } from "node:url";
import { parseEncryptionKey } from "../crds/crypto/keys.js";
import { wrapEnvironmentKey } from "../crds/crypto/wrap.js";
import { type EnvironmentContent, newWorkspace, type Signing, type WorkspaceContent } from "../crds/policy/edit.js";
import { formatPin } from "../crds/policy/pin.js";
import type { ChildOptions } from "./child.js";
import type { ControlPlane } from "./control-plane/control-plane.js";
import { acmeContent, digestOfOwners, environmentKey, identityOf } from "./fixtures.js";
import type { Ports } from "./testbed.ports.js";

/** Paths of the kubeconfigs of the two processes. */
export interface Kubeconfigs {
  readonly keyring: string;
  readonly operator: string;
}

/** The kubeconfigs of the two processes; a path is that of both. */
export function kubeconfigsOf(given: string | Kubeconfigs): Kubeconfigs {
  return typeof given === "string" ? { keyring: given, operator: given } : given;
}

/** What a testbed is made of; everything has a default. */
export interface TestbedOptions {
  /** Namespaces that the environment serves; made here. Default: shop-prod. */
  readonly namespaces?: readonly string[];
  /** Kind of the environment's key. */
  readonly kem?: "xwing" | "x25519";
  readonly workspace?: Partial<WorkspaceContent>;
  readonly environment?: Partial<EnvironmentContent>;
  /** The pin that the keyring is told. Default: that of acme's owners among the fixtures. */
  readonly trust?: string;
  /** False: neither policy nor operator; the keyring runs and waits (NoPolicy). */
  readonly ready?: boolean;
  /** Added to the environment of both processes. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gives the kubeconfig of both processes, or of each. Default: the administrator's. */
  readonly kubeconfig?: (controlPlane: ControlPlane) => Promise<string | Kubeconfigs>;
  /** The keyring takes its operator for one in another pod. */
  readonly apart?: boolean;
  /** Further flags of kube-apiserver. */
  readonly apiServerArgs?: readonly string[];
  /** Given etcd's port, gives the one that the API server is to ask. */
  readonly etcdThrough?: (etcdPort: number) => Promise<number>;
  /** What is run. Default: what was compiled. */
  readonly programs?: Programs;
}

/** An entry point, and what runs it. */
export type Program = Pick<ChildOptions, "main" | "node">;

/** The programs of a pod. */
export interface Programs {
  readonly operator: Program;
  readonly keyring: Program;
}

/** What tsc made of the entry points. */
export const COMPILED: Programs = {
  operator: { main: fileURLToPath(new URL("../operator/main.js", import.meta.url)) },
  keyring: { main: fileURLToPath(new URL("../operator/keyring/main.js", import.meta.url)) },
};

/** What a keyring publishes about itself. */
export interface ClusterKeys {
  readonly signingKey: string;
  readonly encryptionKey: string;
  readonly log: string;
}

/** Where a keyring listens, on loopback. */
export type KeyringPorts = Pick<Ports, "keyring" | "keyringHealth" | "keyringMetrics">;

/** A keyring's flags: its pins, where its operator is (apart, or in the pod of that uid), and its ports. */
export function keyringArgs(options: TestbedOptions, pod: string, ports: KeyringPorts): readonly string[] {
  const owners = digestOfOwners(newWorkspace("acme", workspaceOf(options, []), signing()));
  const { trust = formatPin({ workspace: "acme", owners, minVersion: 0 }) } = options;
  const operator = options.apart === true ? ["--operator", "remote"] : ["--pod-uid", pod];
  const listen = ["--listen", `127.0.0.1:${ports.keyring}`, "--metrics", `127.0.0.1:${ports.keyringMetrics}`];
  return ["--trust", trust, ...operator, ...listen, "--health", `127.0.0.1:${ports.keyringHealth}`];
}

/** alice signs, now. */
export function signing(): Signing {
  return { signingKeys: [identityOf("alice").signing], now: new Date() };
}

/** The workspace's content with these clusters. */
export function workspaceOf(
  options: TestbedOptions,
  clusters: NonNullable<WorkspaceContent["clusters"]>,
): WorkspaceContent {
  const namespaces = [...(options.namespaces ?? ["shop-prod"])];
  const environments = [{ name: "shop/production", namespaces, clusters: clusters.map(({ name }) => name) }];
  return acmeContent({ clusters, environments, ...options.workspace });
}

/** The environment's content, its key wrapped to a keyring. Throws when that published no usable key. */
export function environmentOf(options: TestbedOptions, cluster: ClusterKeys): EnvironmentContent {
  const { environment = "production" } = options.environment ?? {};
  const scope = { workspace: "acme", project: "shop", environment };
  const recipient = parseEncryptionKey(cluster.encryptionKey);
  if (recipient === null) throw new Error("the keyring published no encryption key");
  const key = environmentKey[options.kem ?? "xwing"];
  const sealed = [wrapEnvironmentKey(recipient, { ...scope, epoch: 1 }, key.privateKey)];
  const keys: EnvironmentContent["keys"] = [{ epoch: 1, binding: "object", public: key.public.text, sealed }];
  return { ...scope, access: "brokered", keys, ...options.environment };
}
