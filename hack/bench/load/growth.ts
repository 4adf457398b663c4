// A restart with nothing changed, of twenty times the suite's measure; and what time, CPU and memory do from the measure to
// there. Each size has an API server, a keyring and an operator of its own.
import { gcOptions } from "../gc.options.js";
import { residentAfterGc } from "../memory.js";
import { cpuMs } from "../process.js";
import { firstSync, type Restarted, restart, type Synced } from "../sync.js";
import { below, type Measured, none, type Row } from "./rows.js";
import type { Stage } from "./stage.js";
import { Stock } from "./stock.js";

const TIMES = 20;
const READY_S = 30;
/** Of cost by size: 1 is linear. */
const EXPONENT = 1.1;
/** X-Wing bundles lie in the operator's memory with about 12 kB each: 20,000 need more than the images' 256 MiB. */
const ENV = { NODE_OPTIONS: `--max-old-space-size=640 ${gcOptions()}` };

interface Size {
  readonly bundles: number;
  readonly synced: Synced;
  readonly restarted: Restarted;
  /** CPU of the operator's restart. */
  readonly restartCpuMs: number;
  readonly memoryMiB: number;
  readonly wrong: readonly string[];
}

/** Measures both sizes. */
export async function growth(stage: Stage): Promise<Measured> {
  const small = await sizeOf(stage, stage.bundles);
  const large = await sizeOf(stage, TIMES * stage.bundles);
  return { rows: [restartRow(large), ...costRows(small, large)], wrong: [...small.wrong, ...large.wrong] };
}

async function sizeOf(stage: Stage, bundles: number): Promise<Size> {
  const world = await stage.start();
  const namespace = "xwing-growth";
  try {
    stage.say(`laying out ${bundles} bundles`);
    const stock = await Stock.layOut(world.testbed, world.environments.xwing, { namespace, count: bundles });
    stage.say(`first sync of ${bundles} bundles`);
    const synced = await firstSync(world, [namespace], bundles, ENV);
    stage.say(`synced in ${synced.seconds.toFixed(0)} s; restarting`);
    const restarted = await restart(world, namespace, ENV);
    const { operator, keyring } = world.testbed;
    const restartCpuMs = await cpuMs(operator.pid);
    const memoryMiB = (await residentAfterGc(operator.pid)) + (await residentAfterGc(keyring.pid));
    return { bundles, synced, restarted, restartCpuMs, memoryMiB, wrong: await stock.wrong() };
  } finally {
    await world.testbed.stop();
  }
}

function restartRow({ bundles, restarted: { writes, opens, readyMs }, restartCpuMs }: Size): Row {
  const ready = readyMs / 1000;
  return {
    what: "restart, nothing changed",
    figures: { bundles, writes, opens, "ready s": ready, "CPU s": restartCpuMs / 1000 },
    limits: [none(writes, "writes"), none(opens, "opens"), below(ready, READY_S, "s")],
  };
}

const cpuOf = ({ operatorMs, keyringMs }: Synced): number => operatorMs + keyringMs;

function costRows(small: Size, large: Size): readonly Row[] {
  const cost = (what: string, unit: string, of: (size: Size) => number): Row => {
    const exponent = Math.log(of(large) / of(small)) / Math.log(large.bundles / small.bundles);
    // what a process takes without any bundle is in both
    const grown = (1000 * (of(large) - of(small))) / (large.bundles - small.bundles);
    const [first, last] = [`${unit} for ${small.bundles}`, `for ${large.bundles}`];
    const figures = { [first]: of(small), [last]: of(large), "each 1,000 more": grown, exponent };
    return { what, figures, limits: [below(exponent, EXPONENT, "exponent")] };
  };
  return [
    cost("growth of first sync's time", "s", ({ synced }) => synced.seconds),
    cost("growth of first sync's CPU", "s", ({ synced, bundles }) => (cpuOf(synced) * bundles) / 1000),
    cost("growth of memory", "MiB", ({ memoryMiB }) => memoryMiB),
  ];
}
