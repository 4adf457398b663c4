// Every object that the chart can make, over a matrix of values, is one that a real API server takes: fields, admission and
// the Pod Security standard "restricted" (all by dry run), and kubeconform with that server's own schemas.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { connect } from "../../operator/kube/client.js";
import { startControlPlane } from "../control-plane/control-plane.js";
import { must } from "../control-plane/kubectl.js";
import { example, MODES, podsOf, type Rendered, render, SYSTEM, type Values } from "./chart.js";
import { findHelm, findKubeconform } from "./programs.js";
import { LOCATION, writeSchemas } from "./schemas.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;
const kubeconform = await findKubeconform();

const EVERYTHING: Values = {
  imagePullSecrets: ["registry"],
  operator: {
    workers: 1,
    expiryWarning: "36h",
    logLevel: "debug",
    extraEnv: [{ name: "A", value: "b" }],
    extraVolumeMounts: [{ name: "scratch", mountPath: "/scratch" }],
  },
  keyring: {
    logLevel: "warn",
    seedSecret: "our-seed",
    extraEnv: [{ name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
    extraVolumeMounts: [{ name: "scratch", mountPath: "/scratch", readOnly: true }],
  },
  extraLabels: { team: "platform" },
  extraAnnotations: { "example.com/note": "x: y" },
  extraVolumes: [{ name: "scratch", emptyDir: { sizeLimit: "1Mi" } }],
  pod: {
    labels: { "example.com/scrape": "true" },
    annotations: { "example.com/order": "1" },
    user: 1000,
    priorityClassName: "system-cluster-critical",
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [{ key: "a", operator: "Exists", effect: "NoSchedule" }],
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" },
    ],
    terminationGracePeriodSeconds: 90,
  },
  serviceAccount: { annotations: { "example.com/role": "x" } },
  podDisruptionBudget: { enabled: true, maxUnavailable: "50%" },
  networkPolicy: { enabled: true, apiServerPorts: [8443], metricsFrom: [{ podSelector: {} }] },
  monitoring: {
    podMonitor: { enabled: true, interval: "1m", labels: { release: "x" } },
    prometheusRule: { enabled: true },
    dashboard: { enabled: true },
  },
};

const MATRIX: Record<string, Values> = {
  ...MODES,
  "the example small": example("small"),
  "the example hardened": example("hardened"),
  "the example all-namespaces": example("all-namespaces"),
  "first use": { firstUse: true, namespaces: ["shop-prod"] },
  "less of everything": {
    ...MODES.sidecar,
    crds: { install: false },
    admissionPolicies: { enabled: false },
    rbac: { create: false },
  },
  "everything in one pod": { ...MODES.sidecar, ...EVERYTHING },
  "everything in two pods": { ...MODES.deployment, ...EVERYTHING },
  "operators that stand by with their keyrings": { ...MODES.sidecar, replicas: 2 },
  "operators that stand by": { ...MODES.deployment, replicas: 3 },
  "operators that divide the work": { ...MODES.deployment, replicas: 4, operator: { shards: 3 } },
};

/** Kinds of the Prometheus operator, which this API server does not know. */
const FOREIGN = new Set(["PodMonitor", "PrometheusRule"]);

const lines = (objects: readonly object[]) => objects.map((object) => JSON.stringify(object)).join("\n---\n");

t.test("on a real API server", { skip }, async (t) => {
  const cp = await startControlPlane();
  const client = await connect({ file: cp.kubeconfig });
  t.teardown(async () => {
    await client.close();
    await cp.stop();
  });
  const dryRun = (verb: readonly string[], objects: readonly object[]) =>
    cp.kubectl([...verb, "--dry-run=server", "--validate=strict", "--filename", "-"], { input: lines(objects) });
  const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };
  const namespaces = [SYSTEM, "shop-prod", "shop-staging"].map((name) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: name === SYSTEM ? restricted : {} },
  }));
  await must(cp.kubectl(["apply", "--server-side", "--filename", "-"], { input: lines(namespaces) }));
  const schemas = join(t.testdir(), "schemas");
  mkdirSync(schemas);
  const rendered = new Map<string, readonly Rendered[]>();
  for (const [what, values] of Object.entries(MATRIX)) {
    rendered.set(
      what,
      (await render(helm, values)).filter(({ kind }) => !FOREIGN.has(kind)),
    );
  }
  const all = [...rendered.values()].flat();
  await writeSchemas(client, new Set(all.map(({ apiVersion = "" }) => apiVersion)), schemas);
  // a pod is only admitted for an account that is there
  const accounts = all.filter(({ kind }) => kind === "ServiceAccount").map(({ metadata }) => metadata.name);
  for (const name of new Set([...accounts, "default"])) {
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: SYSTEM } };
    await must(cp.kubectl(["apply", "--server-side", "--filename", "-"], { input: lines([account]) }));
  }

  for (const [what, objects] of rendered) {
    await t.test(`${what}: every object is taken, and every pod by the standard "restricted"`, async (t) => {
      const applied = await dryRun(["apply", "--server-side"], objects);
      t.equal(applied.stderr, "");
      t.equal(applied.stdout.trim().split("\n").length, objects.length);
      const pods = podsOf(objects);
      const created = await dryRun(["create"], pods);
      t.equal(created.stderr, "", "no refusal, and no warning either");
      t.equal(created.stdout.trim().split("\n").length, pods.length);
    });

    await t.test(`${what}: kubeconform agrees`, { skip: "skip" in kubeconform && kubeconform.skip }, async (t) => {
      const file = join(t.testdir(), "objects.yaml");
      writeFileSync(file, lines(objects));
      const { stdout, status } = conform("skip" in kubeconform ? "" : kubeconform.program, schemas, file);
      t.match(stdout, `Valid: ${objects.length}, Invalid: 0, Errors: 0, Skipped: 0`);
      t.equal(status, 0, stdout);
    });
  }

  await t.test("what is not so is refused: this test can fail", async (t) => {
    const objects = rendered.get("sidecar") ?? [];
    const pods = podsOf(objects).map((pod) => ({ ...pod, spec: { ...pod.spec, hostNetwork: true } }));
    t.match((await dryRun(["create"], pods)).stderr, /violates PodSecurity "restricted:latest"/);
    const misspelt = objects.map((object) => ({ ...object, spec: { ...object.spec, replica: 1 } }));
    const deployments = misspelt.filter(({ kind }) => kind === "Deployment");
    t.match((await dryRun(["apply", "--server-side"], deployments)).stderr, /field not declared in schema/);
    if ("skip" in kubeconform) return;
    const file = join(t.testdir(), "objects.yaml");
    writeFileSync(file, lines(deployments));
    t.match(conform(kubeconform.program, schemas, file).stdout, /additional properties 'replica' not allowed/);
  });
});

function conform(program: string, schemas: string, file: string) {
  const args = ["-strict", "-summary", "-schema-location", join(schemas, LOCATION), file];
  return spawnSync(program, args, { encoding: "utf8" });
}
