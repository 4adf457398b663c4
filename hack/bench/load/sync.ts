// First sync of many bundles beside the bare client's writes of as many, each right before.
import { rounded } from "../figures.js";
import { rawLimit } from "../raw.limit.js";
import { firstSync, type Synced } from "../sync.js";
import type { Sealing } from "../world.js";
import { atLeast, below, type Measured, type Row } from "./rows.js";
import type { Stage } from "./stage.js";
import { Stock } from "./stock.js";

const LIMITS = { x25519: 0.75, xwing: 0.7 } as const;
const NAMES = { x25519: "X25519", xwing: "X-Wing" } as const;
const MS_A_BUNDLE = 4;
const TIMES = 5;

/** Five times as many bundles as the suite's measure, in both kinds of sealing. */
export async function sync(stage: Stage): Promise<Measured> {
  const count = TIMES * stage.bundles;
  const { inFlight } = await stage.raw();
  const world = await stage.world();
  const raws: number[] = [];
  const found = new Map<Sealing, Synced>();
  const wrong: string[] = [];
  for (const sealing of ["x25519", "xwing"] as const) {
    const raw = await rawLimit(world, `xwing-raw-sync-${sealing}`, { inFlight, count });
    raws.push(raw.bundlesPerSecond);
    stage.say(`raw limit at ${count} bundles: ${raw.bundlesPerSecond.toFixed(0)}/s; first sync of ${NAMES[sealing]}`);
    const place = { namespace: `${sealing}-sync`, count };
    const stock = await Stock.layOut(world.testbed, world.environments[sealing], place);
    found.set(sealing, await firstSync(world, [stock.namespace], count));
    wrong.push(...(await stock.wrong()));
    await world.testbed.operator.stop();
  }
  const raw = raws.reduce((sum, rate) => sum + rate, 0) / raws.length;
  return { rows: [...found].map(([sealing, synced]) => rowOf(sealing, synced, { count, raw })), wrong };
}

function rowOf(
  sealing: Sealing,
  { bundlesPerSecond, operatorMs, keyringMs, seconds }: Synced,
  { count, raw }: { readonly count: number; readonly raw: number },
): Row {
  const ratio = bundlesPerSecond / raw;
  const cpu = rounded(operatorMs + keyringMs);
  return {
    what: `first sync, ${NAMES[sealing]}`,
    figures: { bundles: count, s: seconds, "bundles/s": bundlesPerSecond, "raw/s": raw, "CPU ms a bundle": cpu },
    ratio,
    limits: [atLeast(ratio, LIMITS[sealing]), below(cpu, MS_A_BUNDLE, "ms CPU")],
  };
}
