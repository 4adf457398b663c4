// What is read of a workload: the Secrets of its pods, and whether it may be restarted now.
import t from "tap";
import { secretsOf, type WorkloadKind, type WorkloadObject, workloadOf } from "./workload.js";

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
