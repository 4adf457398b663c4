// Owns running Argo CD's application-controller and repo-server, with the redis that they need, against a control plane.
// Does not own what is applied, nor the manifests of examples/gitops/argocd.
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { CONFIG_MAPS, type KubeObject, NAMESPACES, type Resource, SECRETS } from "../../operator/kube/resources.js";
import { must } from "../control-plane/kubectl.js";
import { freePort, newProcessGroup, type ProcessGroup, type Running } from "../control-plane/processes.js";
import { untilReady } from "../control-plane/ready.js";
import { ALICE } from "../demo/stage.js";
import { eventually } from "../eventually.js";
import { packageRoot } from "../package-root.js";
import type { Checkout } from "./checkout.js";
import { ARGOCD, gitOpsTool, manifestsOf } from "./programs.js";

const NAMESPACE = "argocd";
const FIELD_MANAGER = "gitops-test";
const resource = (plural: string, kind: string): Resource => ({
  group: "argoproj.io",
  version: "v1alpha1",
  plural,
  kind,
  namespaced: true,
});
const APPLICATIONS = resource("applications", "Application");
const PROJECTS = resource("appprojects", "AppProject");
/** Its name in examples/gitops/argocd. */
const APPLICATION = { namespace: NAMESPACE, name: "zopp" };

/** An Application as it is read here. */
export interface Application extends KubeObject {
  readonly spec: { readonly source: Readonly<Record<string, unknown>> };
  readonly status?: {
    readonly sync?: { readonly status: string; readonly revision?: string };
    readonly health?: { readonly status: string };
    readonly resources?: readonly ResourceStatus[];
    readonly operationState?: {
      readonly phase: string;
      readonly message?: string;
      readonly syncResult?: { readonly revision: string; readonly resources?: readonly SyncResult[] };
    };
    readonly history?: readonly unknown[];
  };
}

interface ResourceStatus {
  readonly kind: string;
  readonly name: string;
  readonly status?: string;
  readonly health?: { readonly status: string; readonly message?: string };
}

interface SyncResult {
  readonly kind: string;
  readonly name: string;
  readonly message?: string;
}

/** The folder of the examples. */
export const EXAMPLES = join(packageRoot(), "examples", "gitops", "argocd");

function example<T extends KubeObject>(file: string): T {
  return parse(readFileSync(join(EXAMPLES, file), "utf8")) as T;
}

/** Starts Argo CD without its API server, its settings as in the examples. Always `stop()` it. */
export async function startArgocd(checkout: Checkout): Promise<Argocd> {
  const programs = await gitOpsTool(ARGOCD);
  const { controlPlane, client } = checkout.stage;
  await checkout.serveTypes(manifestsOf(ARGOCD));
  const apply = (kind: Resource, object: KubeObject) => client.apply(kind, object, { fieldManager: FIELD_MANAGER });
  await apply(NAMESPACES, { metadata: { name: NAMESPACE } });
  await apply(CONFIG_MAPS, example("argocd-cm.yaml"));
  const labels = { "app.kubernetes.io/part-of": "argocd" };
  await apply(SECRETS, { metadata: { name: "argocd-secret", namespace: NAMESPACE, labels } });
  const destinations = [{ server: "*", namespace: "*" }];
  const allowed = { sourceRepos: ["*"], destinations, clusterResourceWhitelist: [{ group: "*", kind: "*" }] };
  const project = { metadata: { name: "default", namespace: NAMESPACE }, spec: allowed };
  await apply(PROJECTS, project);
  const folder = mkdtempSync(join(tmpdir(), "zopp-argocd-"));
  const processes = newProcessGroup(folder);
  const controller = await startParts({ processes, folder, programs, kubeconfig: controlPlane.kubeconfig });
  return new Argocd({ checkout, processes, controller });
}

interface Site {
  readonly processes: ProcessGroup;
  readonly folder: string;
  /** The folder with the program, and what that calls. */
  readonly programs: string;
  readonly kubeconfig: string;
}

async function startParts({ processes, folder, programs, kubeconfig }: Site): Promise<Running> {
  const [redis, repoServer] = [await freePort(), await freePort()];
  const redisArgs = ["--port", String(redis), "--bind", "127.0.0.1", "--save", ""];
  await processes.start("redis", "/usr/bin/env", ["redis-server", ...redisArgs]);
  for (const part of ["tls", "ssh", "gpg", "home", "tmp"]) mkdirSync(join(folder, part), { mode: 0o700 });
  const variables = {
    KUBECONFIG: kubeconfig,
    PATH: `${programs}:${process.env["PATH"]}`,
    HOME: join(folder, "home"),
    TMPDIR: join(folder, "tmp"),
    ARGOCD_FAKE_IN_CLUSTER: "true",
    ARGOCD_GPG_ENABLED: "false",
    ARGOCD_GNUPGHOME: join(folder, "gpg"),
    ARGOCD_TLS_DATA_PATH: join(folder, "tls"),
    ARGOCD_SSH_DATA_PATH: join(folder, "ssh"),
    ARGOCD_PLUGINSOCKFILEPATH: join(folder, "plugins"),
  };
  const start = (name: string, args: readonly string[]) => {
    const environment = Object.entries({ ...variables, ARGOCD_BINARY_NAME: name }).map((pair) => pair.join("="));
    const address = ["--redis", `127.0.0.1:${redis}`];
    return processes.start(name, "/usr/bin/env", [...environment, join(programs, "argocd"), ...address, ...args]);
  };
  const [repoMetrics, metrics] = [await freePort(), await freePort()];
  const server = await start("argocd-repo-server", [
    ...["--address", "127.0.0.1", "--port", String(repoServer), "--disable-tls", "--client-ca-path="],
    ...["--metrics-address", "127.0.0.1", "--metrics-port", String(repoMetrics)],
  ]);
  await untilReady(server, async () => (await fetch(`http://127.0.0.1:${repoMetrics}/healthz`)).ok);
  return start("argocd-application-controller", [
    ...["--namespace", NAMESPACE, "--repo-server", `127.0.0.1:${repoServer}`, "--repo-server-plaintext"],
    ...["--persist-resource-health", "--metrics-port", String(metrics)],
  ]);
}

interface Parts {
  readonly checkout: Checkout;
  readonly processes: ProcessGroup;
  readonly controller: Running;
}

/** A running Argo CD with one Application, which is the checkout. Live until `stop()`. */
export class Argocd {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Applies the Application of the examples: as it is, but for the address of its repository. */
  async applyExample(): Promise<void> {
    const { stage } = this.#parts.checkout;
    const { spec, ...rest } = example<Application>("application.yaml");
    const source = { ...spec.source, repoURL: `file://${stage.path(ALICE)}` };
    await stage.client.apply(APPLICATIONS, { ...rest, spec: { ...spec, source } } as KubeObject, {
      fieldManager: FIELD_MANAGER,
    });
  }

  application(): Promise<Application> {
    return this.#parts.checkout.stage.client.get<Application>(APPLICATIONS, APPLICATION);
  }

  /** What a webhook of the git server does: has the newest commit looked at now; waits until it was. */
  async refresh(): Promise<string> {
    const { checkout } = this.#parts;
    const { kubectl } = checkout.stage.controlPlane;
    const revision = (await checkout.run("git rev-parse HEAD")).trim();
    const annotation = "argocd.argoproj.io/refresh=normal";
    await must(kubectl(["annotate", "--overwrite", "-n", NAMESPACE, "application", APPLICATION.name, annotation]));
    await eventually(
      async () => {
        const { metadata, status } = await this.application();
        if (this.#parts.controller.ended()) throw new Error(this.#parts.controller.lastLines());
        if (metadata.annotations?.["argocd.argoproj.io/refresh"] !== undefined) throw new Error("not looked at yet");
        return status?.sync?.revision === revision;
      },
      { timeoutMs: 120_000, message: `Argo CD has seen ${revision}` },
    );
    return revision;
  }

  /** Waits until the Application is as described. */
  async is(title: string, check: (status: NonNullable<Application["status"]>) => boolean): Promise<Application> {
    return eventually(
      async () => {
        const application = await this.application();
        if (application.status !== undefined && check(application.status)) return application;
        throw new Error(`it is ${JSON.stringify(application.status)}`);
      },
      { timeoutMs: 120_000, message: title },
    );
  }

  async stop(): Promise<void> {
    await this.#parts.processes.end();
  }
}
