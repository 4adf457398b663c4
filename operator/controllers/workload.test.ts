// What is read of a workload: the Secrets of its pods, and whether it may be restarted now.
import t from "tap";
import {
  secretsOf,
  type Workload,
  type WorkloadKind,
  type WorkloadObject,
  withFollowers,
  workloadOf,
} from "./workload.js";

const USES: Record<string, readonly [spec: object, secrets: readonly string[]]> = {
  "a variable": [{ containers: [{ env: [{ valueFrom: { secretKeyRef: { name: "a" } } }] }] }, ["a"]],
  "all its variables": [{ containers: [{ envFrom: [{ secretRef: { name: "a" } }] }] }, ["a"]],
  "a container before the others": [{ initContainers: [{ envFrom: [{ secretRef: { name: "a" } }] }] }, ["a"]],
  "a volume": [{ volumes: [{ secret: { secretName: "a" } }] }, ["a"]],
  "a projected volume": [
    { volumes: [{ projected: { sources: [{ configMap: {} }, { secret: { name: "a" } }] } }] },
    ["a"],
  ],
  "several, each once": [
    {
      containers: [
        { envFrom: [{ secretRef: { name: "b" } }, { configMapRef: { name: "c" } }] },
        { env: [{ name: "X" }] },
      ],
      volumes: [{ secret: { secretName: "a" } }, { secret: { secretName: "b" } }, { emptyDir: {} }],
    },
    ["a", "b"],
  ],
  "nothing but a Secret to pull images with": [{ imagePullSecrets: [{ name: "a" }] }, []],
};
for (const [title, [spec, secrets]] of Object.entries(USES)) {
  t.test(`a pod uses ${title}`, async (t) => t.strictSame(secretsOf({ spec }), secrets));
}

t.test("a workload without a template uses nothing", async (t) => t.strictSame(secretsOf(undefined), []));

const DONE = { observedGeneration: 2, updatedReplicas: 2, availableReplicas: 2 };
const UNFINISHED = "its rollout is not finished";
const stalled = [{ type: "Progressing", status: "False" }];
const part = (partition: number) => ({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition } } });

type Case = readonly [kind: WorkloadKind, spec: WorkloadObject["spec"], status: WorkloadObject["status"], why?: string];

const TROUBLE: Record<string, Case> = {
  "is well": ["deployments", { replicas: 2 }, DONE],
  "of one pod, which is not written, is well": [
    "deployments",
    {},
    { ...DONE, updatedReplicas: 1, availableReplicas: 1 },
  ],
  "was not looked at yet": ["deployments", { replicas: 2 }, {}, UNFINISHED],
  "was changed since": ["deployments", { replicas: 2 }, { ...DONE, observedGeneration: 1 }, UNFINISHED],
  "is paused": ["deployments", { replicas: 2, paused: true }, DONE, "its rollout is paused"],
  "does not progress": [
    "deployments",
    { replicas: 2 },
    { ...DONE, conditions: stalled },
    "its rollout does not progress",
  ],
  "has old pods": ["deployments", { replicas: 2 }, { ...DONE, updatedReplicas: 1 }, UNFINISHED],
  "lacks pods": ["deployments", { replicas: 2 }, { ...DONE, availableReplicas: 1 }, "1 of 2 pods are available"],
  "of a kind with names has old pods": ["statefulsets", { replicas: 2 }, { ...DONE, updatedReplicas: 1 }, UNFINISHED],
  "leaves some pods as they are by its own wish": [
    "statefulsets",
    { replicas: 2, ...part(1) },
    { ...DONE, updatedReplicas: 1 },
  ],
  "of every node is well": [
    "daemonsets",
    {},
    { observedGeneration: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 },
  ],
  "of every node lacks one": [
    "daemonsets",
    {},
    { observedGeneration: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 2 },
    "2 of 3 pods are available",
  ],
  "of Argo is well": ["rollouts", { replicas: 2 }, { ...DONE, observedGeneration: "2", phase: "Healthy" }],
  "of Argo is in a step": [
    "rollouts",
    { replicas: 2 },
    { ...DONE, observedGeneration: "2", phase: "Progressing" },
    "it is Progressing",
  ],
};
for (const [title, [kind, spec = {}, status = {}, why]] of Object.entries(TROUBLE)) {
  t.test(`a workload that ${title}${why === undefined ? "" : ` waits: ${why}`}`, async (t) => {
    const found = workloadOf(kind, { metadata: { name: "api", generation: 2 }, spec, status });
    t.strictSame([found.trouble, found.idle], [why, undefined]);
  });
}

const IDLE: Record<string, readonly [kind: WorkloadKind, object: Partial<WorkloadObject>, why: RegExp | undefined]> = {
  "opted out": [
    "deployments",
    { metadata: { name: "a", annotations: { "zopp.dev/restart": "none" } } },
    /restart: none/,
  ],
  "says something else": [
    "deployments",
    { metadata: { name: "a", annotations: { "zopp.dev/restart": "x" } } },
    undefined,
  ],
  "has no pods": ["statefulsets", { spec: { replicas: 0 } }, /no pods/],
  "finds no node": ["daemonsets", { status: { desiredNumberScheduled: 0 } }, /no pods/],
  "is replaced by hand": ["statefulsets", { spec: { updateStrategy: { type: "OnDelete" } } }, /somebody deletes/],
};
for (const [title, [kind, object, why]] of Object.entries(IDLE)) {
  t.test(`a workload that ${title} is ${why === undefined ? "restarted" : "skipped"}`, async (t) => {
    const { idle } = workloadOf(kind, { metadata: { name: "a" }, ...object });
    if (why === undefined) t.equal(idle, undefined);
    else t.match(idle, why);
  });
}

const OF_API = { workloadRef: { apiVersion: "apps/v1", kind: "Deployment", name: "api" } };
const WELL = { observedGeneration: "2", phase: "Healthy", updatedReplicas: 1, availableReplicas: 1 };

/** The Deployment `api` of generation 2, without pods of its own. */
function deployment(spec: object = { replicas: 0 }, annotations: Record<string, string> = {}): Workload {
  const status = { observedGeneration: 2, updatedReplicas: 1, availableReplicas: 1 };
  return workloadOf("deployments", { metadata: { name: "api", generation: 2, annotations }, spec, status });
}

/** A Rollout that follows it. */
function rollout(status: object = {}, spec: object = {}, annotations: Record<string, string> = {}): Workload {
  return workloadOf("rollouts", {
    metadata: { name: "web", generation: 2, annotations },
    spec: { ...OF_API, ...spec },
    status: { ...WELL, workloadObservedGeneration: "2", ...status },
  });
}

const OPT_OUT = { "zopp.dev/restart": "none" };
const elsewhere = rollout({}, { workloadRef: { kind: "Deployment", name: "other" } });
const FOLLOWED: Record<
  string,
  readonly [deployment: Workload, rollouts: readonly Workload[], idle: RegExp | undefined, trouble?: RegExp]
> = {
  "whose Rollout is well is restarted, although it has no pods of its own": [deployment(), [rollout()], undefined],
  "that no Rollout follows has no pods": [deployment(), [elsewhere], /no pods/],
  "whose Rollout has no pods either is skipped": [deployment(), [rollout({}, { replicas: 0 })], /no pods/],
  "whose Rollout opted out is skipped": [deployment(), [rollout({}, {}, OPT_OUT)], /restart: none/],
  "that opted out is skipped": [deployment({ replicas: 1 }, OPT_OUT), [rollout()], /restart: none/],
  "waits for its Rollout": [
    deployment(),
    [rollout({ phase: "Paused" })],
    undefined,
    /^rollout\/web, .*: it is Paused$/,
  ],
  "waits until its Rollout has seen it": [
    deployment(),
    [rollout({ workloadObservedGeneration: "1" })],
    undefined,
    /^rollout\/web, .*not finished$/,
  ],
  "waits for its own pods too": [deployment({ paused: true, replicas: 1 }), [rollout()], undefined, /^its rollout is/],
  "does not wait for a rollout of no pods": [deployment({ paused: true, replicas: 0 }), [rollout()], undefined],
  "waits for each of several": [deployment(), [rollout(), rollout({ phase: "Degraded" })], undefined, /it is Degraded/],
};
for (const [title, [given, rollouts, idle, trouble]] of Object.entries(FOLLOWED)) {
  t.test(`a Deployment ${title}`, async (t) => {
    const found = withFollowers(given, rollouts);
    for (const [is, expected] of [
      [found.idle, idle],
      [found.trouble, trouble],
    ] as const) {
      if (expected === undefined) t.equal(is, undefined);
      else t.match(is, expected);
    }
  });
}

t.test("a Rollout that follows what is no Deployment follows nothing that is restarted", async (t) => {
  t.equal(rollout({}, { workloadRef: { kind: "ReplicaSet", name: "api" } }).follows, undefined);
  t.equal(withFollowers(elsewhere, [rollout()]), elsewhere);
});
