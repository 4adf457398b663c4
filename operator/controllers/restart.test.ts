// What is kept of a namespace after its last restart, and how long. What is restarted is tried on a real API server.
import t from "tap";
import { Restarts } from "./restart.js";
import { bundle } from "./secret.watch.case.js";

const { signal } = new AbortController();

/** Restarts whose namespace has one Deployment that uses the Secret. */
function setup() {
  const clock = { ms: 0 };
  const from = [{ secretRef: { name: "api" } }];
  const template = { spec: { containers: [{ name: "c", envFrom: from }] } };
  const metadata = { name: "web", namespace: "shop", uid: "w", resourceVersion: "1", generation: 1 };
  const status = { observedGeneration: 1, updatedReplicas: 1, availableReplicas: 1 };
  const workload = { metadata, spec: { template }, status };
  const client = {
    list: async () => ({ metadata: {}, items: [workload] }),
    apply: async () => workload,
  } as never;
  const restarts = new Restarts({
    kinds: ["deployments"],
    client,
    queue: { addAfter() {} },
    events: { async event() {} },
    news() {},
    restarted() {},
    refused() {},
    now: () => clock.ms,
  });
  return { restarts, clock };
}

t.test("a namespace is looked at once more when its restarts count no more, and then let go", async (t) => {
  const { restarts, clock } = setup();
  restarts.settled("shop/api", bundle(), { restarts: { content: "d1", due: "d1" } });
  t.strictSame(await restarts.round("shop", signal), { requeueAfterMs: 60_000 });
  clock.ms = 60_000;
  t.strictSame(await restarts.round("shop", signal), {});
});
