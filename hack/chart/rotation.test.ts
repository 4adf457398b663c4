// The right to run rotation jobs on a real API server: what the operator's account can do with it, which is the Job of a rotation.
import t from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { jobObject } from "../../operator/controllers/rotation.plan.js";
import type { ApiClient } from "../../operator/kube/client.js";
import { apiStatus } from "../../operator/kube/errors.js";
import { JOBS, type KubeObject, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { bundle, world } from "../fixtures.js";
import { MODES, pick, render } from "./chart.js";
import { installChart } from "./installed.js";
import { findHelm } from "./programs.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

const ON = { ...MODES.sidecar, operator: { rotationJobs: true } };
const IMAGE = "registry.example/rotate:1";
/** One that a cluster's own admission refuses to start by itself, such as Kueue. */
const OTHER = { namespace: "shop-prod", name: "other-rotate-0123456789" };

/** A Job as it is spoilt here. */
interface Job {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly ownerReferences: object[] };
  readonly spec: object & {
    readonly template: {
      readonly metadata: object;
      readonly spec: object & {
        readonly containers: object[];
        readonly volumes: object[];
        readonly securityContext: object;
      };
    };
  };
}

const inJob = (fields: object) => (job: Job) => Object.assign(job.spec, fields);
const inPod = (fields: object) => (job: Job) => Object.assign(job.spec.template.spec, fields);
const inContainer = (fields: object) => (job: Job) => Object.assign(job.spec.template.spec.containers[0] ?? {}, fields);
const inSecurity = (fields: object) => (job: Job) => {
  const [container] = job.spec.template.spec.containers as { securityContext: object }[];
  Object.assign(container?.securityContext ?? {}, fields);
};
const volume = (source: object) => (job: Job) => job.spec.template.spec.volumes.push({ name: "evil", ...source });
const owner = (fields: object) => (job: Job) => Object.assign(job.metadata.ownerReferences[0] ?? {}, fields);

/** What whoever has taken over the operator tries to create. */
const CREATED: Record<string, (job: Job) => unknown> = {
  "no owner": (job) => Object.assign(job.metadata, { ownerReferences: [] }),
  "an owner of another kind": owner({ kind: "Deployment", apiVersion: "apps/v1" }),
  "an owner that is not its controller": owner({ controller: false }),
  "another name": (job) => Object.assign(job.metadata, { name: "backup" }),
  "a finalizer, with which it stays": (job) => Object.assign(job.metadata, { finalizers: ["example.com/never"] }),
  "a label that others act upon": (job) =>
    Object.assign(job.metadata, { labels: { "kueue.x-k8s.io/queue-name": "a" } }),
  "an annotation of its pods": (job) =>
    Object.assign(job.spec.template.metadata, { annotations: { "example.com/inject": "true" } }),
  "a label of its pods": (job) => Object.assign(job.spec.template.metadata, { labels: { app: "api" } }),
  "that it starts at once": inJob({ suspend: false }),
  "many at once": inJob({ parallelism: 10, completions: 10 }),
  "no end": inJob({ activeDeadlineSeconds: undefined }),
  "that it stays": inJob({ ttlSecondsAfterFinished: undefined }),
  "a controller of its own": inJob({ managedBy: "example.com/controller" }),
  "the account's token": inPod({ automountServiceAccountToken: true }),
  "an account": inPod({ serviceAccountName: "admin" }),
  "a node": inPod({ nodeName: "node-1" }),
  "the host's network": inPod({ hostNetwork: true }),
  "the host's processes": inPod({ hostPID: true }),
  "the host's IPC": inPod({ hostIPC: true }),
  "a toleration": inPod({ tolerations: [{ operator: "Exists" }] }),
  "a priority": inPod({ priorityClassName: "system-node-critical" }),
  "a Secret to pull with": inPod({ imagePullSecrets: [{ name: "registry" }] }),
  "another runtime": inPod({ runtimeClassName: "other" }),
  "an init container": inPod({ initContainers: [{ name: "evil", image: "evil" }] }),
  "a second container": (job) => job.spec.template.spec.containers.push({ name: "evil", image: "evil" }),
  root: (job) => Object.assign(job.spec.template.spec.securityContext, { runAsNonRoot: false, runAsUser: 0 }),
  "a group of files": (job) => Object.assign(job.spec.template.spec.securityContext, { supplementalGroups: [0] }),
  "no seccomp": (job) =>
    Object.assign(job.spec.template.spec.securityContext, { seccompProfile: { type: "Unconfined" } }),
  sysctls: (job) =>
    Object.assign(job.spec.template.spec.securityContext, {
      sysctls: [{ name: "kernel.shm_rmid_forced", value: "1" }],
    }),
  escalation: inSecurity({ allowPrivilegeEscalation: true }),
  "a capability": inSecurity({ capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] } }),
  "root in the container": inSecurity({ runAsUser: 0, runAsNonRoot: false }),
  "a root filesystem to write": inSecurity({ readOnlyRootFilesystem: false }),
  "a variable of another Secret": inContainer({
    env: [{ name: "X", valueFrom: { secretKeyRef: { name: "api", key: "A" } } }],
  }),
  "all of another Secret": inContainer({ envFrom: [{ secretRef: { name: "api" } }] }),
  "a port of the host": inContainer({ ports: [{ containerPort: 80, hostPort: 80 }] }),
  "a hook": inContainer({ lifecycle: { postStart: { exec: { command: ["evil"] } } } }),
  "another Secret": volume({ secret: { secretName: "api" } }),
  "another Secret in the place of its own": (job) =>
    Object.assign(job.spec.template.spec.volumes[0] ?? {}, { secret: { secretName: "api" } }),
  "a ConfigMap": volume({ configMap: { name: "api" } }),
  "a projected token": volume({
    projected: { sources: [{ serviceAccountToken: { path: "token", audience: "zopp-keyring" } }] },
  }),
  "another Secret, projected": volume({ projected: { sources: [{ secret: { name: "api" } }] } }),
  "the host's files": volume({ hostPath: { path: "/" } }),
  "a claim": volume({ persistentVolumeClaim: { claimName: "data" } }),
  "a driver's volume": volume({ csi: { driver: "secrets-store.csi.k8s.io", readOnly: true } }),
  NFS: volume({ nfs: { server: "db", path: "/" } }),
};

/** And on the Job that is there. */
const CHANGED: Record<string, object> = {
  "another end": { activeDeadlineSeconds: 3000 },
  "that it stays": { ttlSecondsAfterFinished: 100_000 },
  "that it stops again": { suspend: true },
};

async function refusal(tried: Promise<unknown>): Promise<string> {
  return tried.then(
    () => "done",
    (error: unknown) => String(apiStatus(error)?.status),
  );
}

/** By the policy, or before it by the API server itself, which allows no privileges here, and of a Job no other image. */
const REFUSED = /^(403|422)$/;

const options = { fieldManager: "zopp-operator" };

function patch(operator: ApiClient, place: { namespace: string; name: string }, spec: object): Promise<unknown> {
  return operator.apply(JOBS, { metadata: place, spec } as KubeObject, options);
}

t.test(
  "without the value nothing about Jobs is granted, and the operator is not told to run any",
  { skip },
  async (t) => {
    const text = JSON.stringify(await render(helm, MODES.sidecar));
    t.notMatch(text, /"jobs"|--rotation-jobs|-rotation"/);
  },
);

t.test("with it Jobs can be read by name, created and patched, and nothing more", { skip }, async (t) => {
  const { rules } = pick(
    await render(helm, { ...MODES.all, operator: ON.operator }),
    "ClusterRole",
    "zopp-system-zopp",
  ) as unknown as {
    rules: { resources: string[] }[];
  };
  const [granted] = rules.filter(({ resources }) => resources.includes("jobs"));
  t.strictSame(granted, { apiGroups: ["batch"], resources: ["jobs"], verbs: ["get", "create", "patch"] });
});

t.test("the right is not given without the policy that narrows it", { skip }, async (t) => {
  const values = { ...ON, admissionPolicies: { enabled: false } };
  await t.rejects(render(helm, values), { message: /operator.rotationJobs needs admissionPolicies.enabled/ });
});

t.test("the operator's account can run the Job of a rotation, and no other", { skip }, async (t) => {
  const { admin, clientOf } = await installChart(t, helm, ON);
  const operator = await clientOf("zopp");
  const rule = { version: 1, kind: "uuid", previous: "OLD_TOKEN" } as const;
  const rotation = { image: IMAGE, command: ["/rotate"], keys: ["ADMIN"] };
  const signed = bundle(world().environment, { ADMIN: "x" }, { generate: { TOKEN: rule }, rotation });
  const good = jobObject(await admin.apply<ZoppSecret>(ZOPP_SECRETS, signed, options), undefined);
  const { name } = good.metadata;
  const place = { namespace: "shop-prod", name };

  for (const [what, spoil] of Object.entries(CREATED)) {
    const job = structuredClone(good) as unknown as Job;
    spoil(job);
    t.equal(await refusal(operator.create(JOBS, job)), "403", `create: ${what}`);
  }
  const privileged = structuredClone(good) as unknown as Job;
  inSecurity({ privileged: true, allowPrivilegeEscalation: true })(privileged);
  t.match(await refusal(operator.create(JOBS, privileged)), REFUSED, "create: privileges");
  await operator.create(JOBS, good);

  // of a Job that never ran the API server itself lets these be changed
  const elsewhere = { template: { spec: { nodeSelector: { "kubernetes.io/hostname": "node-1" } } } };
  t.equal(await refusal(patch(operator, place, { suspend: false, ...elsewhere })), "403", "patch: where it runs");
  const other = { template: { spec: { containers: [{ name: "rotate", image: "evil" }] } } };
  t.match(await refusal(patch(operator, place, { suspend: false, ...other })), REFUSED, "patch: another image");
  await patch(operator, place, { suspend: false });
  const { spec } = await operator.get<KubeObject & { spec: { suspend: boolean } }>(JOBS, place);
  t.equal(spec.suspend, false);
  for (const [what, change] of Object.entries(CHANGED))
    t.equal(await refusal(patch(operator, place, change)), "403", `patch: ${what}`);
  const labelled = { metadata: { ...place, labels: { a: "b" } } };
  t.equal(await refusal(operator.apply(JOBS, labelled, options)), "403", "patch: a label");

  const pod = { restartPolicy: "Never", containers: [{ name: "a", image: "a" }] };
  await admin.create(JOBS, { metadata: OTHER, spec: { suspend: true, template: { spec: pod } } } as KubeObject);
  t.equal(await refusal(patch(operator, OTHER, { suspend: false })), "403", "nor start somebody else's");
  t.equal(await refusal(operator.list(JOBS, { namespace: "shop-prod" })), "403");
  t.equal(await refusal(operator.delete(JOBS, place)), "403");
});
