// The same work by sealed-secrets: its own controller on an API server of its own, its own kubeseal, bundles of five values.
// Its programs are the person's to bring; which, and what is made of the figures, is peers.ts'.
import { setTimeout as sleep } from "node:timers/promises";
import { type ApiClient, connect } from "../../operator/kube/client.js";
import { type KubeObject, NAMESPACES, type Resource, SECRETS } from "../../operator/kube/resources.js";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.js";
import { eventually } from "../eventually.js";
import { type SealedSecrets, startSealedSecrets } from "../migrate/sealed-secrets.js";
import { runProgram } from "../run-program.js";
import { readMetrics } from "../testbed.look.js";
import type { Latency } from "./change.js";
import { parted } from "./cores.js";
import { percentile } from "./figures.js";
import { cpuMs, peakMiB, residentMiB } from "./process.js";
import { SecretWatch } from "./secret-watch.js";
import { inParallel, nameOf, valuesOf } from "./world.js";

/** Its programs. */
export interface SealedPrograms {
  readonly controller: string;
  readonly kubeseal: string;
}

/** What one controller did with bundles that lay there when it began. */
export interface PeerSync {
  readonly bundles: number;
  readonly bundlesPerSecond: number;
  readonly cpuMsPerBundle: number;
  readonly peakMiB: number;
  readonly residentMiB: number;
}

/** What it did when it was started again with nothing changed. */
export interface PeerRestart {
  /** Changed SealedSecrets and Secrets. */
  readonly writes: number;
  readonly opens: number;
  readonly cpuMs: number;
}

interface SealedSecret extends KubeObject {
  readonly spec: unknown;
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const SEALED_SECRETS: Resource = {
  group: "bitnami.com",
  version: "v1alpha1",
  plural: "sealedsecrets",
  kind: "SealedSecret",
  namespaced: true,
};
const UNSEALED = "sealed_secrets_controller_unseal_requests_total";
/** kubeseal starts a process for each bundle, and there are two cores. */
const SEALING = 4;
const PATIENCE_MS = 3_600_000;
/** How long it does nothing before a restart counts as over. */
const SETTLED_MS = 5_000;

/** Sealed-secrets on an API server. */
export class SealedWorld {
  readonly #controlPlane: ControlPlane;
  readonly #client: ApiClient;
  readonly #sealed: SealedSecrets;
  readonly #kubeseal: string;

  private constructor(controlPlane: ControlPlane, client: ApiClient, sealed: SealedSecrets, kubeseal: string) {
    this.#controlPlane = controlPlane;
    this.#client = client;
    this.#sealed = sealed;
    this.#kubeseal = kubeseal;
  }

  /** Starts both; the controller has made its key. */
  static async start({ controller, kubeseal }: SealedPrograms): Promise<SealedWorld> {
    const controlPlane = await startControlPlane();
    await parted(controlPlane);
    const client = await connect({ file: controlPlane.kubeconfig });
    const sealed = await startSealedSecrets(controlPlane, controller);
    return new SealedWorld(controlPlane, client, sealed, kubeseal);
  }

  async stop(): Promise<void> {
    await this.#sealed.stop();
    await this.#client.close();
    await this.#controlPlane.stop();
  }

  /** Makes a namespace with sealed bundles in it, while no controller runs. */
  async layOut(namespace: string, count: number): Promise<void> {
    await this.#sealed.running.kill();
    await this.#client.create(NAMESPACES, { metadata: { name: namespace } });
    const make = async (at: number) => {
      const sealed = await this.#seal(namespace, nameOf(at), nameOf(at));
      await this.#client.create(SEALED_SECRETS, sealed, { metadataOnly: true });
    };
    await inParallel(count, make, SEALING);
  }

  /** Starts the controller with these flags and waits until all bundles say that they are synced; it keeps running. */
  async firstSync(namespace: string, count: number, flags: readonly string[]): Promise<PeerSync> {
    const begun = performance.now();
    const { pid } = await this.#sealed.restart(...flags);
    await this.#opened(count);
    await eventually(async () => (await this.#synced(namespace)) === count, {
      timeoutMs: PATIENCE_MS,
      message: `all of ${count} SealedSecrets are synced`,
    });
    const seconds = (performance.now() - begun) / 1000;
    const cpu = (await cpuMs(pid)) / count;
    const [peak, resident] = [await peakMiB(pid), await residentMiB(pid)];
    return {
      bundles: count,
      bundlesPerSecond: count / seconds,
      cpuMsPerBundle: cpu,
      peakMiB: peak,
      residentMiB: resident,
    };
  }

  /** Starts it again with nothing changed. */
  async restart(namespace: string, flags: readonly string[]): Promise<PeerRestart> {
    const before = await this.#versions(namespace);
    const { pid } = await this.#sealed.restart(...flags);
    let opens = -1;
    for (let now = await this.#opens(); now !== opens; now = await this.#opens()) {
      opens = now;
      await sleep(SETTLED_MS);
    }
    const after = await this.#versions(namespace);
    const writes = [...after].filter(([name, version]) => before.get(name) !== version).length;
    return { writes, opens, cpuMs: await cpuMs(pid) };
  }

  /** Changes a value of one bundle after another, and waits for each Secret; sealing is not in it. */
  async changes(namespace: string, edits: number): Promise<Latency> {
    const latencies: number[] = [];
    const watching = new SecretWatch(this.#client, namespace);
    await watching.start();
    for (let at = 0; at < edits; at += 1) {
      const name = nameOf(at);
      const { spec } = await this.#seal(namespace, name, `changed ${Math.random()}`);
      const present = await this.#client.get<SealedSecret>(SEALED_SECRETS, { namespace, name });
      const written = watching.next(name);
      await this.#client.replace(SEALED_SECRETS, { ...present, spec } as SealedSecret, { metadataOnly: true });
      const answered = performance.now();
      latencies.push(Math.max(0, (await written) - answered));
    }
    watching.stop();
    return { p50Ms: percentile(latencies, 50), p99Ms: percentile(latencies, 99) };
  }

  async #seal(namespace: string, name: string, mark: string): Promise<SealedSecret> {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, stringData: valuesOf(mark) };
    const command = [this.#kubeseal, "--cert", this.#sealed.certificate, "--format", "json"];
    const { code, stdout, stderr } = await runProgram(command, { env: process.env, input: JSON.stringify(secret) });
    if (code !== 0) throw new Error(`kubeseal failed: ${stderr}`);
    return JSON.parse(stdout) as SealedSecret;
  }

  async #opens(): Promise<number> {
    // it answers a moment after it was started
    return eventually(async () => ({ count: (await readMetrics(this.#sealed.running.metrics)).sum(UNSEALED) })).then(
      ({ count }) => count,
    );
  }

  #opened(count: number): Promise<unknown> {
    const message = `the controller has opened ${count} bundles`;
    return eventually(async () => (await this.#opens()) >= count, { timeoutMs: PATIENCE_MS, message });
  }

  async #synced(namespace: string): Promise<number> {
    const { items } = await this.#client.list<SealedSecret>(SEALED_SECRETS, { namespace });
    return items.filter(({ status }) =>
      status?.conditions?.some((condition) => condition.type === "Synced" && condition.status === "True"),
    ).length;
  }

  async #versions(namespace: string): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const resource of [SEALED_SECRETS, SECRETS]) {
      const { items } = await this.#client.list(resource, { namespace, metadataOnly: true });
      for (const { metadata } of items)
        found.set(`${resource.plural}/${metadata.name}`, metadata.resourceVersion ?? "");
    }
    return found;
  }
}
