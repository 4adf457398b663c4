// Two operators, of which one leads by a Lease: it is asked to end while values change.
import { setTimeout as sleep } from "node:timers/promises";
import { NAMESPACES } from "../../../operator/kube/resources.js";
import { Operators } from "../../e2e/operators.js";
import { Load } from "../../load.js";
import { wrongOf } from "./churn.js";
import { below, type Measured, none } from "./rows.js";
import type { Stage } from "./stage.js";

const NAMESPACE = "xwing-handover";
const BUNDLES = 40;
const PER_SECOND = 20;
const SETTLE_MS = 2_000;
const GAP_S = 2;

/** Ends the leader twice, each time with another one standing by. */
export async function handover(stage: Stage): Promise<Measured> {
  const { testbed } = await stage.world();
  await testbed.apply(NAMESPACES, { metadata: { name: NAMESPACE } });
  const operators = new Operators(testbed);
  const lostSight: string[] = [];
  try {
    const served = ["--namespaces", NAMESPACE];
    await operators.start(...served);
    await operators.leader();
    const options = { client: testbed.client, namespace: NAMESPACE, bundles: BUNDLES, writing: testbed.writing() };
    const load = await Load.begin(options, (error) => lostSight.push(`the witness lost sight: ${String(error)}`));
    let isOver = false;
    const running = load.run(PER_SECOND, () => isOver);
    for (let time = 1; time <= 2; time += 1) {
      stage.say(`starting one that stands by, ending the leader: ${time} of 2`);
      const leader = await operators.leader();
      await operators.start(...served);
      await leader.child.stop("SIGTERM");
      await operators.leader();
      await sleep(SETTLE_MS);
    }
    isOver = true;
    await running;
    const outcome = await load.end();
    const { changes, longestMs, repeated, lost } = outcome;
    const gap = longestMs / 1000;
    const figures = { handovers: 2, changes, "longest wait s": gap, twice: repeated.length, lost: lost.length };
    const limits = [below(gap, GAP_S, "s"), none(repeated.length, "applied twice")];
    const rows = [{ what: "leader handover under changes", figures, limits }];
    return { rows, wrong: [...lostSight, ...wrongOf(outcome)] };
  } finally {
    await operators.stop();
  }
}
