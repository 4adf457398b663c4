// Owns running Flux's kustomize-controller against a control plane, and being its source: a git commit, as an archive.
// Does not own what is applied, nor the manifests of examples/gitops/flux.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { type Condition, readyOf } from "../../operator/kube/conditions.js";
import { type KubeObject, NAMESPACES, type Resource } from "../../operator/kube/resources.js";
import { must } from "../control-plane/kubectl.js";
import { newProcessGroup, type ProcessGroup, type Running } from "../control-plane/processes.js";
import { eventually } from "../eventually.js";
import { packageRoot } from "../package-root.js";
import type { Checkout } from "./checkout.js";
import { FLUX, gitOpsTool, manifestsOf } from "./programs.js";

const NAMESPACE = "flux-system";
const FIELD_MANAGER = "gitops-test";
const ARTIFACTS: Resource = {
  group: "source.toolkit.fluxcd.io",
  version: "v1",
  plural: "externalartifacts",
  kind: "ExternalArtifact",
  namespaced: true,
};
const KUSTOMIZATIONS: Resource = {
  group: "kustomize.toolkit.fluxcd.io",
  version: "v1",
  plural: "kustomizations",
  kind: "Kustomization",
  namespaced: true,
};
/** The source's name in examples/gitops/flux. */
const SOURCE = "shop";

/** A Kustomization as it is read here. */
export interface Kustomization extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly lastAttemptedRevision?: string;
    readonly lastHandledReconcileAt?: string;
  };
}

/** The Kustomizations of examples/gitops/flux: as they are, but for the source, which has another kind here. */
export function exampleKustomization(file: "policy" | "environments" | "baselines" | "bundles"): Kustomization {
  const text = readFileSync(join(packageRoot(), "examples", "gitops", "flux", `${file}.yaml`), "utf8");
  const { status: _, ...object } = parse(text) as Kustomization;
  return { ...object, spec: { ...object.spec, sourceRef: { kind: ARTIFACTS.kind, name: SOURCE } } };
}

/** Starts the kustomize-controller. Always `stop()` it. */
export async function startFlux(checkout: Checkout): Promise<Flux> {
  const programs = await gitOpsTool(FLUX);
  const { controlPlane, client } = checkout.stage;
  await checkout.serveTypes(manifestsOf(FLUX));
  await client.apply(NAMESPACES, { metadata: { name: NAMESPACE } }, { fieldManager: FIELD_MANAGER });
  const processes = newProcessGroup(mkdtempSync(join(tmpdir(), "zopp-flux-")));
  const environment = [`RUNTIME_NAMESPACE=${NAMESPACE}`, `KUBECONFIG=${controlPlane.kubeconfig}`];
  const args = ["--watch-all-namespaces", "--enable-leader-election=false", "--feature-gates=ExternalArtifact=true"];
  args.push("--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0", "--requeue-dependency=1s");
  const program = join(programs, "kustomize-controller");
  const controller = await processes.start("kustomize-controller", "/usr/bin/env", [...environment, program, ...args]);
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return new Flux({ checkout, processes, controller, server });
}

interface Parts {
  readonly checkout: Checkout;
  readonly processes: ProcessGroup;
  readonly controller: Running;
  readonly server: Server;
}

/** A running kustomize-controller with one source. Live until `stop()`. */
export class Flux {
  readonly #parts: Parts;
  /** The revision that was published last. */
  revision = "";

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Makes the newest commit of the checkout what the source holds, as source-controller does with a push. */
  async publish(): Promise<void> {
    const { checkout, server } = this.#parts;
    const { client } = checkout.stage;
    await checkout.run("git archive --format=tar.gz --output=../artifact.tar.gz HEAD");
    const archive = readFileSync(checkout.stage.path({ person: "alice", folder: "" }, "artifact.tar.gz"));
    server.removeAllListeners("request").on("request", (_, answer) => answer.end(archive));
    const digest = `sha256:${createHash("sha256").update(archive).digest("hex")}`;
    this.revision = `main@sha1:${(await checkout.run("git rev-parse HEAD")).trim()}`;
    const { port } = server.address() as AddressInfo;
    const lastUpdateTime = `${new Date().toISOString().slice(0, 19)}Z`;
    const url = `http://127.0.0.1:${port}/${digest}.tar.gz`;
    const artifact = { url, path: url, digest, revision: this.revision, lastUpdateTime, size: archive.length };
    const ready = {
      type: "Ready",
      status: "True",
      reason: "Succeeded",
      message: "",
      lastTransitionTime: lastUpdateTime,
    };
    const metadata = { name: SOURCE, namespace: NAMESPACE };
    const object = { metadata, status: { artifact, conditions: [ready] } };
    await client.apply<KubeObject>(ARTIFACTS, { metadata }, { fieldManager: FIELD_MANAGER });
    await client.apply<KubeObject>(ARTIFACTS, object, { fieldManager: FIELD_MANAGER, subresource: "status" });
  }

  async apply(kustomization: Kustomization): Promise<void> {
    const { client } = this.#parts.checkout.stage;
    await client.apply(KUSTOMIZATIONS, kustomization, { fieldManager: FIELD_MANAGER });
  }

  kustomization(name: string): Promise<Kustomization> {
    const { client } = this.#parts.checkout.stage;
    return client.get<Kustomization>(KUSTOMIZATIONS, { namespace: NAMESPACE, name });
  }

  /** Waits until Ready of a Kustomization speaks of the published revision with this reason; gives its message. */
  becomes(reason: string, name: string, timeoutMs = 120_000): Promise<string> {
    return eventually(
      async () => {
        if (this.#parts.controller.ended()) throw new Error(this.#parts.controller.lastLines());
        const { status } = await this.kustomization(name);
        const ready = readyOf(status);
        if (ready?.reason === reason && status?.lastAttemptedRevision === this.revision) return ready.message || reason;
        throw new Error(`${name} is ${ready?.reason}: ${ready?.message} (${status?.lastAttemptedRevision})`);
      },
      { timeoutMs, message: `Kustomization ${name} is ${reason}` },
    );
  }

  /** What `flux reconcile kustomization` does: asks for a round now, and waits until it was done. */
  async reconcile(name: string): Promise<void> {
    const { kubectl } = this.#parts.checkout.stage.controlPlane;
    const asked = `${name} ${performance.now()}`;
    const annotation = `reconcile.fluxcd.io/requestedAt=${asked}`;
    await must(kubectl(["annotate", "--overwrite", "-n", NAMESPACE, "kustomization", name, annotation]));
    await eventually(async () => (await this.kustomization(name)).status?.lastHandledReconcileAt === asked);
  }

  async stop(): Promise<void> {
    this.#parts.server.close();
    await this.#parts.processes.end();
  }
}
