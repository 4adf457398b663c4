// The right to restart workloads on a real API server: what the operator's account can do with it, which is one annotation.
import t from "tap";
import { markedObject, RESTARTED_ANNOTATION, WORKLOADS, workloadOf } from "../../operator/controllers/workload.js";
import { apiStatus } from "../../operator/kube/errors.js";
import type { KubeObject } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { USES, Workloads } from "../workloads.js";
import { MODES, pick, render } from "./chart.js";
import { installChart } from "./installed.js";
import { findHelm } from "./programs.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

const NAMESPACE = "shop-prod";
const KINDS = ["deployments", "statefulsets", "daemonsets", "rollouts"] as const;
const ON = { ...MODES.sidecar, operator: { restarts: [...KINDS] } };

/** What whoever has taken over the operator tries on a workload. */
const TRIED: Record<string, (object: Changed) => void> = {
  "another image": ({ spec }) => Object.assign(spec.template.spec.containers[0] ?? {}, { image: "evil" }),
  "a container more": ({ spec }) => spec.template.spec.containers.push({ name: "evil", image: "evil" }),
  "another account": ({ spec }) => Object.assign(spec.template.spec, { serviceAccountName: "admin" }),
  "another annotation of its pods": ({ spec }) =>
    Object.assign(spec.template.metadata, { annotations: { "example.com/inject": "true" } }),
  "another label of its pods": ({ spec }) =>
    Object.assign(spec.template.metadata, { labels: { app: "api", tier: "other" } }),
  "a finalizer of its pods": ({ spec }) => Object.assign(spec.template.metadata, { finalizers: ["example.com/never"] }),
  "a label of its own": ({ metadata }) => Object.assign(metadata, { labels: { a: "b" } }),
  "a finalizer, with which it stays": ({ metadata }) => Object.assign(metadata, { finalizers: ["example.com/never"] }),
  "an annotation of its own": ({ metadata }) => Object.assign(metadata, { annotations: { a: "b" } }),
  "an owner, with which it goes": ({ metadata }) =>
    Object.assign(metadata, { ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "gone", uid: "gone" }] }),
};

const OF_ALL = { minReadySeconds: 60, revisionHistoryLimit: 1 };

/** And on each field of a spec that can be changed; a Rollout's has whatever Argo gives it. */
const FIELDS: Record<(typeof KINDS)[number], Record<string, unknown>> = {
  deployments: {
    ...OF_ALL,
    replicas: 0,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "100%" } },
    paused: true,
    progressDeadlineSeconds: 1200,
  },
  statefulsets: {
    ...OF_ALL,
    replicas: 0,
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" },
    ordinals: { start: 5 },
  },
  daemonsets: {
    ...OF_ALL,
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "100%" } },
  },
  rollouts: {
    ...OF_ALL,
    replicas: 0,
    strategy: { canary: { steps: [{ setWeight: 100 }] } },
    paused: true,
    progressDeadlineSeconds: 1200,
    progressDeadlineAbort: true,
    selector: { matchLabels: { app: "other" } },
    workloadRef: { apiVersion: "apps/v1", kind: "Deployment", name: "other" },
    analysis: { successfulRunHistoryLimit: 0 },
    restartAt: "2026-11-27T00:00:00Z",
    rollbackWindow: { revisions: 1 },
    fieldOfALaterVersion: true,
  },
};

interface Changed extends KubeObject {
  readonly spec: {
    readonly template: { readonly metadata: object; readonly spec: { readonly containers: object[] } };
  };
}

t.test(
  "without the value nothing about workloads is granted, and the operator is not told to restart",
  { skip },
  async (t) => {
    const text = JSON.stringify(await render(helm, MODES.sidecar));
    t.notMatch(text, /deployments"|--restarts|-restarts"/);
  },
);

t.test("only the kinds that are named are granted", { skip }, async (t) => {
  const objects = await render(helm, { ...MODES.all, operator: { restarts: ["deployments"] } });
  const { rules } = pick(objects, "ClusterRole", "zopp-system-zopp") as unknown as { rules: { resources: string[] }[] };
  t.strictSame(rules.at(-1), { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list", "patch"] });
  t.notOk(rules.some(({ resources }) => resources.includes("rollouts")));
});

t.test("the right is not given without the policy that narrows it", { skip }, async (t) => {
  const values = { ...ON, admissionPolicies: { enabled: false } };
  await t.rejects(render(helm, values), { message: /operator.restarts needs admissionPolicies.enabled/ });
});

t.test("the operator's account can restart workloads, and nothing else", { skip }, async (t) => {
  const { admin, clientOf } = await installChart(t, helm, ON);
  const operator = await clientOf("zopp");
  const workloads = new Workloads(admin, NAMESPACE);
  t.teardown(() => workloads.stop());
  await workloads.prepare();
  const options = { fieldManager: "zopp-operator-restarts" };
  for (const kind of KINDS) {
    await workloads.make(kind, "api", USES.env("api"));
    const object = await workloads.get(kind, "api");
    const fields = Object.entries(FIELDS[kind]).map(([field, value]) => [
      `another ${field}`,
      ({ spec }: Changed) => Object.assign(spec, { [field]: value }),
    ]);
    for (const [what, change] of [...Object.entries(TRIED), ...fields] as [string, (object: Changed) => void][]) {
      const { managedFields: _, resourceVersion: __, ...metadata } = object.metadata;
      const changed = structuredClone({ metadata, spec: object.spec }) as unknown as Changed;
      change(changed);
      const refused = operator.apply(WORKLOADS[kind], changed, { ...options, force: true }).then(
        () => "done",
        (error: unknown) => String(apiStatus(error)?.status),
      );
      t.equal(await refused, "403", `${kind}: ${what}`);
    }
    await t.rejects(operator.get(WORKLOADS[kind], object.metadata), { code: "ApiRefused" });
    const mark = {
      ...workloadOf(kind, object),
      resourceVersion: (await workloads.get(kind, "api")).metadata.resourceVersion,
    };
    await eventually(() => operator.apply(WORKLOADS[kind], markedObject(mark as never, "api=1"), options));
    const { spec } = await workloads.get(kind, "api");
    t.equal(spec?.template?.metadata?.annotations?.[RESTARTED_ANNOTATION], "api=1", kind);
  }
  const { spec } = await workloads.get("deployments", "api");
  const made = { metadata: { name: "made", namespace: NAMESPACE }, spec };
  await t.rejects(operator.apply(WORKLOADS.deployments, made, options), { code: "ApiRefused" }, "nor make one");
});
