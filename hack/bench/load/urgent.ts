// A large backlog is being worked off, and people change values: theirs go first.
import { quiet, readMetrics } from "../../testbed.look.js";
import { changes } from "../change.js";
import { firstSync } from "../sync.js";
import { atMost, type Measured, type Row } from "./rows.js";
import type { Raw, Stage } from "./stage.js";
import { Stock } from "./stock.js";

const TIMES = 5;
const EDITS = 50;
const CALM = "xwing-urgent";
/** Of what the bare client waits for its own two writes when it keeps the API server as busy. */
const LIMITS = { p50: 2, p99: 4 } as const;

/** Changes values one after the other while five times as many bundles as the suite's measure appear. */
export async function urgent(stage: Stage): Promise<Measured> {
  const raw = await stage.raw();
  const world = await stage.world();
  const { testbed, environments } = world;
  const edits = Math.min(EDITS, stage.bundles);
  await Stock.layOut(testbed, environments.xwing, { namespace: CALM, count: edits });
  await firstSync(world, [CALM], edits);
  await testbed.operator.stop();
  const count = TIMES * stage.bundles;
  stage.say(`laying out a backlog of ${count} bundles`);
  const backlog = await Stock.layOut(testbed, environments.xwing, { namespace: "xwing-backlog", count });
  await testbed.startOperator(["--namespaces", `${CALM},${backlog.namespace}`]);
  stage.say(`changing ${edits} values meanwhile`);
  const latency = await changes(world, CALM, edits);
  const left = (await readMetrics(testbed.ports.metrics)).sum("workqueue_depth", { name: "zoppsecret" });
  await quiet(testbed);
  return { rows: [rowOf(latency, raw, { edits, left })], wrong: await backlog.wrong() };
}

function rowOf(
  { p50Ms, p99Ms }: Raw["latency"],
  { latency }: Raw,
  { edits, left }: { readonly edits: number; readonly left: number },
): Row {
  const ratio = p99Ms / latency.p99Ms;
  return {
    what: "urgent change in a backlog",
    figures: {
      edits,
      "p50 ms": p50Ms,
      "p99 ms": p99Ms,
      "raw p50 ms": latency.p50Ms,
      "raw p99 ms": latency.p99Ms,
      "still waiting then": left,
    },
    ratio,
    limits: [atMost(p50Ms / latency.p50Ms, LIMITS.p50, "raw p50"), atMost(ratio, LIMITS.p99, "raw p99")],
  };
}
