// Bundles whose new values wait for a Job, on a real API server with its controllers and real processes. No node runs: what the
// kubelet would do, start the pod on what its Job mounts and say how it ended, is done here in its place; the Job's own state is
// made by the real Job controller. A real pod runs on a node in hack/e2e/cluster.
import type { GenerateRule, SecretSpec, ZoppSecret } from "../../crds/types.gen.js";
import { conditionOf } from "../../operator/kube/conditions.js";
import { EVENTS, JOBS, type KubeObject, PODS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { withHeader } from "../fixtures.js";
import { startTestbed, type Testbed } from "../testbed.js";
import type { TestbedOptions } from "../testbed.policy.js";

const NAMESPACE = "shop-prod";
/** Two reads of the same thing, while other tests have the machine. */
export const LONG = { timeoutMs: 60_000 };
/** The value that only the Job gets. */
export const ADMIN = "postgres://admin:open-sesame-4711@db";
export const PASSWORD: GenerateRule = { version: 1, kind: "password", length: 32, previous: "DB_PASSWORD_OLD" };
export const ROTATION = { image: "registry.example/rotate:1", command: ["/rotate"], keys: ["ADMIN_URL"] };

type Rotation = NonNullable<SecretSpec["rotation"]>;
/** Files by path, or values by key. */
export type Files = Readonly<Record<string, string>>;
/** A Job as far as it is looked at. */
export interface Job extends KubeObject {
  readonly spec: {
    readonly suspend?: boolean;
    readonly template: {
      readonly spec: {
        readonly volumes: readonly {
          readonly secret?: { readonly secretName: string; readonly items: readonly { key: string; path: string }[] };
        }[];
      };
    };
  };
}

/** True when a Job has ended, well or not. */
export const ended = ({
  status,
}: KubeObject & { status?: { conditions?: readonly { type: string; status: string }[] } }): boolean =>
  status?.conditions?.some(({ type, status }) => ["Complete", "Failed"].includes(type) && status === "True") === true;

/** A testbed whose operator runs jobs, and what its tests do with bundles by their names. */
export class RotationWorld {
  readonly bed: Testbed;

  private constructor(bed: Testbed) {
    this.bed = bed;
  }

  /** `start` makes the testbed. */
  static async start(start: (options: TestbedOptions) => Promise<Testbed> = startTestbed): Promise<RotationWorld> {
    const env = { ZOPP_OPERATOR_ROTATION_JOBS: "on", ZOPP_OPERATOR_RESTARTS: "deployments" };
    return new RotationWorld(await start({ kem: "x25519", env }));
  }

  /** A bundle whose new values wait for a Job. */
  async applied(name: string, rule: GenerateRule = PASSWORD, rotation: Rotation = ROTATION): Promise<void> {
    const values = { ADMIN_URL: ADMIN, DB_HOST: "db-1" };
    await this.bed.applyBundle(
      this.bed.seal(values, { name, generate: { DB_PASSWORD: rule }, rotation, restart: "auto" }),
    );
  }

  /** The same, and its first Job has succeeded; gives what the Secret holds. */
  async born(name: string, rule?: GenerateRule, rotation?: Rotation): Promise<Files> {
    await this.applied(name, rule, rotation);
    await this.succeed(await this.running(name));
    await this.bed.settled("Synced", name);
    return (await this.bed.secret(name)).data ?? {};
  }

  async jobs(name: string): Promise<readonly Job[]> {
    const { items } = await this.bed.client.list<Job>(JOBS, { namespace: NAMESPACE });
    return items.filter((job) => job.metadata.name.startsWith(`${name}-rotate-`));
  }

  /** Waits for the one Job of a bundle that has not ended and may start. */
  running(name: string): Promise<Job> {
    const message = `a Job of ${name} runs`;
    return eventually(
      async () => {
        this.bed.operator.refuseDead();
        const open = (await this.jobs(name)).filter((job) => !ended(job));
        return open.length === 1 && open[0]?.spec.suspend === false && open[0];
      },
      { ...LONG, message },
    );
  }

  /** What the container would see under /zopp, by its path: as the kubelet, from what the Job mounts. */
  async mounted({ spec, metadata }: Job): Promise<Files> {
    const { secretName = "", items = [] } = spec.template.spec.volumes[0]?.secret ?? {};
    if (secretName !== metadata.name) throw new Error(`the Job mounts ${secretName}`);
    const { data = {} } = await this.bed.secret(secretName);
    return Object.fromEntries(items.map(({ key, path }) => [path, data[key] ?? `no ${key}`]));
  }

  /** The pod that the Job controller made for the Job ends well, as the kubelet says it. */
  async succeed({ metadata }: Pick<KubeObject, "metadata">): Promise<void> {
    const pod = await eventually(async () => {
      const labelSelector = `batch.kubernetes.io/job-name=${metadata.name}`;
      return (await this.bed.client.list(PODS, { namespace: NAMESPACE, labelSelector })).items[0];
    }, LONG);
    const status = { metadata: { namespace: NAMESPACE, name: pod.metadata.name }, status: { phase: "Succeeded" } };
    await this.bed.client.apply(PODS, status as KubeObject, { fieldManager: "kubelet", subresource: "status" });
  }

  async stored(name: string): Promise<ZoppSecret> {
    const { metadata: _, status: __, ...rest } = await this.bed.bundle(name);
    return { ...rest, metadata: { name, namespace: NAMESPACE } } as ZoppSecret;
  }

  /** Signs for another value at once, as `zopp generate --again` does. */
  async again(name: string, rule: GenerateRule = PASSWORD): Promise<void> {
    const rules = { generate: { DB_PASSWORD: { ...rule, version: 2 } } };
    await this.bed.applyBundle(withHeader(await this.stored(name), rules, this.bed.writing()));
  }

  /** Waits until a bundle's condition RotationPending has this reason; gives its message. */
  async pending(name: string, reason: string): Promise<string> {
    const message = `RotationPending of ${name} is ${reason}`;
    const said = async () => {
      const { status } = await this.bed.bundle(name);
      const found = conditionOf(status, "RotationPending");
      return found?.status === "True" && found.reason === reason && found;
    };
    return (await eventually(said, { ...LONG, message })).message;
  }

  async reasons(name: string): Promise<readonly string[]> {
    const { items } = await this.bed.client.list<KubeObject & { reason: string; involvedObject: { name: string } }>(
      EVENTS,
      {
        namespace: NAMESPACE,
      },
    );
    return items.filter(({ involvedObject }) => involvedObject.name === name).map(({ reason }) => reason);
  }

  async dataOf(name: string): Promise<Files> {
    return (await this.bed.secret(name)).data ?? {};
  }

  async madeOf(name: string): Promise<string | undefined> {
    return (await this.bed.bundle(name)).status?.generated?.["DB_PASSWORD"]?.signature;
  }
}
