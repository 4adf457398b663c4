// One change, many workloads: as many as one namespace restarts in a minute.
import { newBundle } from "../../../crds/bundle/edit.js";
import { WORKLOADS, type WorkloadObject } from "../../../operator/controllers/workload.js";
import { NAMESPACES } from "../../../operator/kube/resources.js";
import { eventually } from "../../eventually.js";
import { withValue } from "../../fixtures.js";
import { USES, Workloads } from "../../workloads.js";
import { atLeast, type Measured } from "./rows.js";
import { type Stage, shareOf } from "./stage.js";

const COUNT = 20;
/** How long a change waits for others, on purpose (operator/controllers/restart.ts). */
const BATCH_S = 3;
/** The Secret, the status and the patches. */
const OTHERS = 2 + COUNT;
/** Secret, status and patches wait for each other, where the bare client has many in flight; the workloads are read before. */
const LIMIT = 0.15;
const NAMESPACE = "xwing-fanout";
const PATIENCE_MS = 120_000;

/** Changes a value that twenty Deployments use. */
export async function fanout(stage: Stage): Promise<Measured> {
  const raw = await stage.raw();
  const { testbed } = await stage.world();
  await testbed.apply(NAMESPACES, { metadata: { name: NAMESPACE } });
  const writing = testbed.writing();
  const born = newBundle({ namespace: NAMESPACE, name: "shared", restart: "auto" }, writing);
  await testbed.applyBundle(withValue(born, "A", "before", writing));
  await testbed.startOperator(["--namespaces", NAMESPACE, "--restarts", "deployments"]);
  await testbed.settled("Synced", "shared", NAMESPACE);
  const workloads = new Workloads(testbed.client, NAMESPACE);
  try {
    const names = Array.from({ length: COUNT }, (_, at) => `workload-${at}`);
    stage.say(`rolling out ${COUNT} Deployments`);
    await Promise.all(names.map((name) => workloads.make("deployments", name, USES.envFrom("shared"))));
    const begun = performance.now();
    await testbed.applyBundle(withValue(born, "A", "after", testbed.writing()));
    const counts = async () => {
      const { items } = await testbed.client.list<WorkloadObject>(WORKLOADS.deployments, { namespace: NAMESPACE });
      return items.map(({ metadata }) => (metadata.generation ?? 1) - 1);
    };
    const isDone = async () => (await counts()).filter((count) => count > 0).length === COUNT;
    await eventually(isDone, { timeoutMs: PATIENCE_MS, message: "every Deployment is restarted" });
    const took = (performance.now() - begun) / 1000;
    const ratio = shareOf(raw, { edits: 1, others: OTHERS }, Math.max(took - BATCH_S, 0.001));
    const figures = { workloads: COUNT, s: took, "s after the batch": took - BATCH_S };
    const more = (await counts()).filter((count) => count !== 1).length;
    const again = more === 0 ? [] : [`${more} workloads were restarted more than once`];
    const isApplied = (await testbed.secret("shared", NAMESPACE)).data?.["A"] === "after";
    return {
      rows: [{ what: "fan-out: one value, many workloads", figures, ratio, limits: [atLeast(ratio, LIMIT)] }],
      wrong: isApplied ? again : [...again, "the Secret shared does not hold the new value"],
    };
  } finally {
    workloads.stop();
  }
}
