// A whole zopp on a real API server for tests and measurements: control plane, keyring, operator, and a signed policy.
// People are those of fixtures.ts; everything is signed now, since the processes judge by the real clock.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newEnvironment, newWorkspace } from "../crds/policy/edit.js";
import { type AcceptedEnvironment, readEnvironment } from "../crds/policy/environment.js";
import type { ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../crds/types.gen.js";
import { type ApiClient, connect } from "../operator/kube/client.js";
import { readyOf } from "../operator/kube/conditions.js";
import {
  CONFIG_MAPS,
  type KubeObject,
  NAMESPACES,
  type Resource,
  SECRETS,
  ZOPP_ENVIRONMENTS,
  ZOPP_SECRETS,
  ZOPP_WORKSPACES,
} from "../operator/kube/resources.js";
import { Child } from "./child.js";
import { type ControlPlane, startControlPlane } from "./control-plane/control-plane.js";
import { createOperatorPod, type OperatorPod, renewToken } from "./control-plane/operator-pod.js";
import { eventually } from "./eventually.js";
import { type BundleOptions, bundle, type Value, writingBy } from "./fixtures.js";
import { type OwnPorts, operatorFlags, type Replica } from "./testbed.operator.js";
import {
  type ClusterKeys,
  COMPILED,
  environmentOf,
  type KeyringPorts,
  type Kubeconfigs,
  keyringArgs,
  kubeconfigsOf,
  type Programs,
  signing,
  type TestbedOptions,
  workspaceOf,
} from "./testbed.policy.js";
import { fivePorts, type Ports } from "./testbed.ports.js";

const SYSTEM = "zopp-system";
const ACCOUNT = "zopp";
const FIELD_MANAGER = "testbed";
/** An operator beside all that runs already, and with all that lies there. */
const READY_MS = 120_000;

/** Starts everything and waits until the operator is ready. Always `stop()` it. */
export async function startTestbed(options: TestbedOptions = {}): Promise<Testbed> {
  const { apiServerArgs = [], etcdThrough } = options;
  const controlPlane = await startControlPlane({ apiServerArgs, etcdThrough });
  try {
    await controlPlane.applyCrds();
    const pod = await createOperatorPod(controlPlane, { namespace: SYSTEM, serviceAccount: ACCOUNT, name: "zopp-0" });
    const client = await connect({ file: controlPlane.kubeconfig, userAgent: "testbed" });
    const testbed = new Testbed({ controlPlane, pod, client, options, ports: await fivePorts() });
    await testbed.begin();
    return testbed;
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
}

interface Parts {
  readonly controlPlane: ControlPlane;
  readonly pod: OperatorPod;
  readonly client: ApiClient;
  readonly options: TestbedOptions;
  readonly ports: Ports;
}

/** A running zopp. The fixture people sign: alice owns and administers. Live until `stop()`. */
export class Testbed {
  readonly controlPlane: ControlPlane;
  /** An administrator's client. */
  readonly client: ApiClient;
  readonly ports: Ports;
  /** Seed, public key and token; removed at the end. */
  readonly folder = mkdtempSync(join(tmpdir(), "zopp-testbed-"));
  readonly #pod: OperatorPod;
  readonly #options: TestbedOptions;
  #kubeconfigs: Kubeconfigs;
  #keyring: Child | undefined;
  #operator: Child | undefined;
  #cluster: ClusterKeys | undefined;
  #workspace: ZoppWorkspace | undefined;
  #environment: AcceptedEnvironment | undefined;

  constructor({ controlPlane, pod, client, options, ports }: Parts) {
    this.controlPlane = controlPlane;
    this.client = client;
    this.ports = ports;
    this.#pod = pod;
    this.#options = options;
    this.#kubeconfigs = kubeconfigsOf(controlPlane.kubeconfig);
  }

  /** The processes and what they made known; reading one before it is there is an error. */
  get keyring(): Child {
    return there(this.#keyring, "keyring");
  }
  get operator(): Child {
    return there(this.#operator, "operator");
  }
  get cluster(): ClusterKeys {
    return there(this.#cluster, "cluster keys");
  }
  get workspace(): ZoppWorkspace {
    return there(this.#workspace, "workspace");
  }
  get environment(): AcceptedEnvironment {
    return there(this.#environment, "environment");
  }

  /** Makes seed and namespaces, starts the keyring and, unless told otherwise, policy and operator. */
  async begin(): Promise<void> {
    const given = await this.#options.kubeconfig?.(this.controlPlane);
    if (given !== undefined) this.#kubeconfigs = kubeconfigsOf(given);
    await this.makeSeed();
    for (const name of this.#options.namespaces ?? ["shop-prod"]) await this.apply(NAMESPACES, { metadata: { name } });
    await this.startKeyring();
    if (this.#options.ready === false) return;
    await this.applyPolicy();
    await this.keyring.healthy(this.ports.keyringHealth);
    await this.startOperator();
  }

  /** Makes the keyring's seed, which must not be there, and its public file. */
  async makeSeed(): Promise<void> {
    const keygen = this.#start("keyring", ["keygen", "--seed", this.seedFile, "--public", this.publicFile]);
    if ((await keygen.stopped()) !== 0) throw new Error(`keygen failed:\n${keygen.lines.join("\n")}`);
  }

  /** Starts the keyring, pinned to acme's owners, and reads the keys that it publishes. */
  async startKeyring(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#keyring = this.keyringAt(this.ports, env);
    await this.keyring.healthy(this.ports.keyringHealth, "/startz");
    const published = await eventually(() => {
      this.keyring.refuseDead();
      return this.client.get<KubeObject & { data: ClusterKeys }>(CONFIG_MAPS, {
        namespace: SYSTEM,
        name: "zopp-cluster",
      });
    });
    this.#cluster = published.data;
  }

  /** A keyring on the seed at these ports, starting: the testbed's own, or a replica, which is its caller's to end; `pod` is its operator's. */
  keyringAt(ports: KeyringPorts, env: Readonly<Record<string, string>> = {}, pod = this.#pod.podUid): Child {
    const args = ["serve", "--seed", this.seedFile, "--kubeconfig", this.#kubeconfigs.keyring, "--namespace", SYSTEM];
    args.push("--operator-account", `${SYSTEM}/${ACCOUNT}`, ...keyringArgs(this.#options, pod, ports));
    return this.#start("keyring", args, env);
  }

  /** Starts the operator and waits until it is ready; `more` are further flags. */
  async startOperator(more: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#operator = this.#start("operator", await this.#operatorFlags("token", this.#pod, this.ports, more), env);
    await this.operator.healthy(this.ports.health, "/readyz", READY_MS);
  }

  /** Starts one more operator, in a pod of its own, and waits until it is ready. Whoever started it ends it. */
  async startReplica(name: string, more: readonly string[] = []): Promise<Replica> {
    const pod = await createOperatorPod(this.controlPlane, { namespace: SYSTEM, serviceAccount: ACCOUNT, name });
    const ports = await fivePorts();
    const child = this.#start("operator", await this.#operatorFlags(`token-${name}`, pod, ports, more));
    await child.healthy(ports.health, "/readyz", READY_MS);
    return { child, ports };
  }

  /** Signs and applies workspace `acme` and environment `acme/shop/production`, naming this keyring's keys. */
  async applyPolicy(): Promise<void> {
    const cluster = { name: "eu-1", ...keysOf(this.cluster) };
    this.#workspace = newWorkspace("acme", workspaceOf(this.#options, [cluster]), signing());
    const environment = newEnvironment(environmentOf(this.#options, this.cluster), signing());
    this.#environment = readEnvironment(environment);
    await this.apply(ZOPP_WORKSPACES, this.#workspace);
    await this.apply(ZOPP_ENVIRONMENTS, environment);
  }

  /** Applies a newer policy, which later bundles are sealed and signed for. */
  async amendPolicy(changed: {
    readonly workspace?: ZoppWorkspace;
    readonly environment?: ZoppEnvironment;
  }): Promise<void> {
    if (changed.workspace !== undefined) {
      this.#workspace = changed.workspace;
      await this.apply(ZOPP_WORKSPACES, changed.workspace);
    }
    if (changed.environment === undefined) return;
    this.#environment = readEnvironment(changed.environment);
    await this.apply(ZOPP_ENVIRONMENTS, changed.environment);
  }

  /** A bundle of the environment with these values, signed by alice unless said otherwise. Nothing is applied. */
  seal(values: Readonly<Record<string, Value>>, options: BundleOptions = {}): ZoppSecret {
    const [namespace = "shop-prod"] = this.#options.namespaces ?? [];
    return bundle(this.environment, values, { namespace, now: new Date(), ...options });
  }

  /** How somebody writes now: for withValue, withTombstone and withHeader of fixtures.ts. */
  writing(by = "alice") {
    return writingBy(by, this.environment, new Date());
  }

  /** Server-side apply as an administrator. */
  apply<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    const { status: _, ...wanted } = object as T & { status?: unknown };
    return this.client.apply<T>(resource, wanted, { fieldManager: FIELD_MANAGER });
  }

  applyBundle(secret: ZoppSecret): Promise<ZoppSecret> {
    return this.apply(ZOPP_SECRETS, secret);
  }

  bundle(name = "api", namespace = "shop-prod"): Promise<ZoppSecret> {
    return this.client.get<ZoppSecret>(ZOPP_SECRETS, { namespace, name });
  }

  /** A Secret with its values as text. */
  async secret(name = "api", namespace = "shop-prod"): Promise<FoundSecret> {
    const found = await this.client.get<FoundSecret>(SECRETS, { namespace, name });
    const texts = Object.entries(found.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, "base64").toString(),
    ]);
    return { ...found, data: Object.fromEntries(texts) };
  }

  /** Waits until a bundle's Ready condition of its present generation has this reason; gives the bundle. */
  settled(reason: string, name = "api", namespace = "shop-prod", timeoutMs = 60_000): Promise<ZoppSecret> {
    const message = `bundle ${namespace}/${name} is ${reason}`;
    return eventually(
      async () => {
        this.#operator?.refuseDead();
        const found = await this.bundle(name, namespace);
        const ready = readyOf(found.status);
        if (ready?.reason === reason && ready.observedGeneration === found.metadata.generation) return found;
        throw new Error(`Ready is ${ready?.reason ?? "not there"}: ${ready?.message ?? ""}`);
      },
      { timeoutMs, message },
    );
  }

  /** Ends operator, keyring and control plane. */
  async stop(): Promise<void> {
    await this.#operator?.stop();
    await this.#keyring?.stop();
    await this.client.close();
    await this.controlPlane.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A token that the keyring enrols with, as the operator has it. */
  token(): Promise<string> {
    return this.#pod.token();
  }

  /** The pinned key of the keyring, as its public file says. */
  get keyringKey(): string {
    return readFileSync(this.publicFile, "utf8").trim();
  }

  /** Where the keyring's seed lies, and its public key. */
  get seedFile(): string {
    return join(this.folder, "seed");
  }
  get publicFile(): string {
    return join(this.folder, "keyring.pub");
  }

  async #operatorFlags(file: string, pod: OperatorPod, ports: OwnPorts, more: readonly string[]) {
    const token = join(this.folder, file);
    await renewToken(pod, token);
    const { operator: kubeconfig } = this.#kubeconfigs;
    return operatorFlags({ kubeconfig, keyringPort: this.ports.keyring, key: this.publicFile, token, ports, more });
  }

  #start(name: keyof Programs, args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
    const program = (this.#options.programs ?? COMPILED)[name];
    return new Child({ ...program, name, args, env: { ...this.#options.env, ...env } });
  }
}

/** A Secret as tests look at it; `data` holds plain text. */
export interface FoundSecret extends KubeObject {
  readonly type?: string;
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
}

function there<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`testbed: no ${what} yet`);
  return value;
}

function keysOf({ signingKey, encryptionKey, log }: ClusterKeys): ClusterKeys {
  return { signingKey, encryptionKey, log };
}
