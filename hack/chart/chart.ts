// Owns rendering the chart with Helm for tests: values in, objects out.
// Does not own finding Helm, nor what objects must be like.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import type { KubeObject } from "../../operator/kube/resources.js";
import { packageRoot } from "../package-root.js";
import { type ProgramResult, runProgram } from "../run-program.js";

/** The chart's folder. */
export const CHART = join(packageRoot(), "helm");
/** Where the chart is installed in tests, and as what. */
export const SYSTEM = "zopp-system";
export const RELEASE = "zopp";
/** A pin as `zopp trust` prints it, of nobody's workspace. */
export const PIN = `acme@20261127060606:${"8df9".repeat(16)}`;

/** Values as a person gives them. */
export type Values = Readonly<Record<string, unknown>>;

/** Any object of the chart, as far as tests look at it. */
export type Rendered = KubeObject & {
  readonly kind: string;
  readonly spec?: Readonly<Record<string, unknown>>;
};

/** The least values of each mode. */
export const MODES = {
  sidecar: { trust: [PIN], namespaces: ["shop-prod", "shop-staging"] },
  deployment: { trust: [PIN], namespaces: ["shop-prod", "shop-staging"], mode: "deployment" },
  all: { trust: [PIN], allNamespaces: true, mode: "deployment" },
} as const satisfies Record<string, Values>;

/** Example values that come with the chart, by the name of their file. */
export function example(name: "small" | "hardened" | "all-namespaces"): Values {
  return parse(readFileSync(join(CHART, "ci", `${name}.yaml`), "utf8")) as Values;
}

/** How Helm is run. */
export interface HelmOptions {
  readonly namespace?: string;
  /** The chart's folder; false for a command that takes no chart and no values. */
  readonly chart?: string | false;
  readonly kubeconfig?: string;
}

/** Runs Helm with values in a file: `lint`, `template zopp`, … in a home of its own. */
export async function runHelm(
  helm: string,
  args: readonly string[],
  values: Values,
  { namespace = SYSTEM, chart = CHART, kubeconfig = "" }: HelmOptions = {},
): Promise<ProgramResult> {
  const home = mkdtempSync(join(tmpdir(), "zopp-helm-"));
  const file = join(home, "values.yaml");
  writeFileSync(file, JSON.stringify(values));
  try {
    const all = [...args, ...(chart === false ? [] : [chart, "--values", file]), "--namespace", namespace];
    // its own home, so that no cache or setting of the person is read or written
    const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: kubeconfig };
    return await runProgram([helm, ...all], { env });
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** The objects that an installation would make, hooks and tests too. Throws Helm's text where it refuses. */
export async function render(helm: string, values: Values): Promise<readonly Rendered[]> {
  const { code, stdout, stderr } = await runHelm(helm, ["template", RELEASE, "--include-crds"], values);
  if (code !== 0) throw new Error(stderr);
  // as Helm itself reads it
  const documents = parseAllDocuments(stdout, { version: "1.1" });
  return documents.map((document) => document.toJS() as Rendered | null).filter((object) => object !== null);
}

/** True for what is there only while a hook or `helm test` runs. */
export function isHook({ metadata }: Rendered): boolean {
  return metadata.annotations?.["helm.sh/hook"] !== undefined;
}

/** The one object of a kind and name. Throws when there is none. */
export function pick(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new TypeError(`the chart has no ${kind} ${name}`);
  return found;
}

/** A pod's spec as far as tests look at it. */
export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
  readonly automountServiceAccountToken?: boolean;
  readonly serviceAccountName?: string;
}

/** A container as far as tests look at it. */
export interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly restartPolicy?: string;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

/** The pods that the objects ask for: of Deployments and Jobs, and Pods themselves; each as a Pod. */
export function podsOf(objects: readonly Rendered[]): readonly (KubeObject & { readonly spec: PodSpec })[] {
  return objects.flatMap((object) => {
    if (object.kind === "Pod") return [object as never];
    const template = object.spec?.["template"] as { metadata: object; spec: PodSpec } | undefined;
    if (template === undefined) return [];
    const { name, namespace } = object.metadata;
    return [
      { apiVersion: "v1", kind: "Pod", metadata: { ...template.metadata, name, namespace }, spec: template.spec },
    ];
  });
}
