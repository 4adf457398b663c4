// How many workloads of a namespace are restarted in a minute, what is kept of it after its last restart, and a cluster without
// Argo Rollouts. What is restarted is tried on a real API server.
import t from "tap";
import { apiError } from "../kube/errors.js";
import type { Resource } from "../kube/resources.js";
import { type RestartDeps, type RestartResult, Restarts } from "./restart.js";
import { bundle } from "./secret.watch.case.js";
import type { WorkloadObject } from "./workload.js";

const { signal } = new AbortController();
const FROM = [{ secretRef: { name: "api" } }];
const ROLLED_OUT = { observedGeneration: 1, updatedReplicas: 1, availableReplicas: 1 };

function deployment(name: string): WorkloadObject {
  const metadata = { name, namespace: "shop", uid: name, resourceVersion: "1", generation: 1 };
  return { metadata, spec: { template: { spec: { containers: [{ envFrom: FROM }] } } }, status: ROLLED_OUT };
}

/** Restarts whose namespace has so many Deployments that use the Secret; each is rolled out as soon as it is marked. */
function setup({ workloads = 1, kinds = ["deployments"] as RestartDeps["kinds"] } = {}) {
  const clock = { ms: 0 };
  const stored = new Map(Array.from({ length: workloads }, (_, at) => [`web-${at}`, deployment(`web-${at}`)]));
  const client = {
    list: async ({ plural }: Resource) => {
      if (plural !== "deployments") throw apiError(`list ${plural}`, 404, { reason: "NotFound" });
      return { metadata: {}, items: [...stored.values()] };
    },
    apply: async (_: Resource, { metadata, spec }: WorkloadObject) => {
      const found = stored.get(metadata.name) ?? deployment(metadata.name);
      stored.set(metadata.name, { ...found, spec: { template: { ...found.spec?.template, ...spec?.template } } });
    },
  } as never;
  const results: RestartResult[] = [];
  const restarts = new Restarts({
    kinds,
    client,
    queue: { addAfter() {} },
    events: { async event() {} },
    news() {},
    restarted: (result) => results.push(result),
    refused() {},
    now: () => clock.ms,
  });
  const marked = () => [...stored.values()].filter(({ spec }) => spec?.template?.metadata !== undefined).length;
  return { restarts, clock, marked, results };
}

t.test("a namespace is looked at once more when its restarts count no more, and then let go", async (t) => {
  const { restarts, clock } = setup();
  restarts.settled("shop/api", bundle(), { restarts: { content: "d1", due: "d1" } });
  t.strictSame(await restarts.round("shop", signal), { requeueAfterMs: 60_000 });
  clock.ms = 60_000;
  t.strictSame(await restarts.round("shop", signal), {});
});

t.test(
  "what is due is done to those that use the Secret that was written, whatever a refused bundle says of its target",
  async (t) => {
    const { restarts, marked } = setup();
    const target = { name: "api", uid: "s", resourceVersion: "1" };
    const renamed = bundle();
    const elsewhere = { ...renamed, spec: { ...renamed.spec, target: { name: "other" } } };
    restarts.settled("shop/api", elsewhere, { target, restarts: { content: "d1", due: "d1" } });
    await restarts.round("shop", signal);
    t.equal(marked(), 1);
  },
);

t.test("of many workloads twenty are restarted in a minute, and the others after it", async (t) => {
  const { restarts, clock, marked, results } = setup({ workloads: 25 });
  restarts.settled("shop/api", bundle(), { restarts: { content: "d1", due: "d1" } });
  t.strictSame(await restarts.round("shop", signal), { requeueAfterMs: 10_000 });
  t.equal(marked(), 20);
  t.match(restarts.of("shop/api"), { done: false, waits: { message: /many are restarted in this namespace/ } });
  clock.ms = 59_999;
  await restarts.round("shop", signal);
  t.equal(marked(), 20);
  clock.ms = 60_000;
  await restarts.round("shop", signal);
  t.equal(marked(), 25);
  t.match(restarts.of("shop/api"), { done: true, waits: undefined });
  const count = (result: RestartResult) => results.filter((one) => one === result).length;
  t.strictSame([count("restarted"), count("waiting")], [25, 5], "each is counted once, however often it is found");
});

t.test("where Argo Rollouts is not installed, the other kinds are restarted", async (t) => {
  const { restarts, marked } = setup({ kinds: ["rollouts", "deployments"] });
  restarts.settled("shop/api", bundle(), { restarts: { content: "d1", due: "d1" } });
  await restarts.round("shop", signal);
  t.equal(marked(), 1);
  t.match(restarts.of("shop/api"), { done: true, waits: undefined });
});
