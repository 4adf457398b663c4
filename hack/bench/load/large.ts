// Bundles of half a megabyte: sixty-four values of eight KiB.
import { rawLimit } from "../raw.limit.js";
import { firstSync } from "../sync.js";
import { atLeast, type Measured } from "./rows.js";
import type { Stage } from "./stage.js";
import { Stock } from "./stock.js";

const VALUES = 64;
const VALUE_BYTES = 8192;
const LIMIT = 0.5;

/** As many bundles as a twentieth of the suite's measure, but five. */
export async function large(stage: Stage): Promise<Measured> {
  const count = Math.max(5, Math.ceil(stage.bundles / 20));
  const { inFlight } = await stage.raw();
  const world = await stage.world();
  const { testbed, environments } = world;
  const raw = await rawLimit(world, "xwing-raw-large", { inFlight, count, values });
  const stock = await Stock.layOut(testbed, environments.xwing, { namespace: "xwing-large", count, values });
  const { bundlesPerSecond, seconds, operatorMs, keyringMs } = await firstSync(world, [stock.namespace], count);
  const ratio = bundlesPerSecond / raw.bundlesPerSecond;
  const figures = {
    bundles: count,
    s: seconds,
    "MiB/s": (bundlesPerSecond * VALUES * VALUE_BYTES) / 2 ** 20,
    "CPU ms a bundle": operatorMs + keyringMs,
  };
  return {
    rows: [{ what: "large bundles, 64 values of 8 KiB", figures, ratio, limits: [atLeast(ratio, LIMIT)] }],
    wrong: await stock.wrong(),
  };
}

function values(mark: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Array.from({ length: VALUES }, (_, at) => [`KEY_${at}`, `${mark} ${at} `.padEnd(VALUE_BYTES, "v")]),
  );
}
