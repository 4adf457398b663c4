// Values change all the time, at a fifth of what the API server could take.
import { setTimeout as sleep } from "node:timers/promises";
import { NAMESPACES } from "../../../operator/kube/resources.js";
import { Load, type Outcome } from "../../load.js";
import { atMost, type Measured, none } from "./rows.js";
import type { Stage } from "./stage.js";

const NAMESPACE = "xwing-churn";
const BUNDLES = 40;
const SHARE_OF_RAW = 0.2;
const MOST_SECONDS = 20;
const LEAST_SECONDS = 5;
const BUNDLES_A_SECOND = 50;
/** The last Secret follows the last edit at once: whoever falls behind is late by more. */
const LIMIT = 1.1;

/** What a load showed that must never be, but for what was applied twice, which has its own limit. */
export function wrongOf({ wrong, lost }: Outcome): readonly string[] {
  return [...wrong, ...lost.map((name) => `the last change of ${name} was lost`)];
}

/** Changes values all the time and watches each Secret. */
export async function churn(stage: Stage): Promise<Measured> {
  const { bundlesPerSecond } = await stage.raw();
  const { testbed } = await stage.world();
  await testbed.apply(NAMESPACES, { metadata: { name: NAMESPACE } });
  await testbed.startOperator(["--namespaces", NAMESPACE]);
  const lostSight: string[] = [];
  const options = { client: testbed.client, namespace: NAMESPACE, bundles: BUNDLES, writing: testbed.writing() };
  const load = await Load.begin(options, (error) => lostSight.push(`the witness lost sight: ${String(error)}`));
  let isOver = false;
  const begun = performance.now();
  const running = load.run(SHARE_OF_RAW * bundlesPerSecond, () => isOver);
  const lasts = Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, stage.bundles / BUNDLES_A_SECOND));
  await sleep(lasts * 1000);
  isOver = true;
  await running;
  const edited = (performance.now() - begun) / 1000;
  const outcome = await load.end();
  const ratio = (performance.now() - begun) / 1000 / edited;
  const figures = {
    "changes/s": outcome.changes / edited,
    "of raw %": (100 * outcome.changes) / edited / bundlesPerSecond,
    "longest ms": outcome.longestMs,
    lost: outcome.lost.length,
    twice: outcome.repeated.length,
  };
  const limits = [atMost(ratio, LIMIT, "the edits' time"), none(outcome.repeated.length, "applied twice")];
  return {
    rows: [{ what: "churn: changes without end", figures, ratio, limits }],
    wrong: [...lostSight, ...wrongOf(outcome)],
  };
}
