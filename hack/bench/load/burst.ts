// Every bundle is changed at once, as by a rotation of everything.

import { firstSync, statesKept } from "../sync.js";
import { atLeast, type Measured } from "./rows.js";
import { type Stage, shareOf } from "./stage.js";
import { applied, Stock, seconds } from "./stock.js";

/** zopp writes an Event and a kept state as well as Secret and status, so three of five writes with the edit; of that three quarters. */
const LIMIT = 0.45;

/** Changes one value of every bundle, as fast as the API server takes the edits. */
export async function burst(stage: Stage): Promise<Measured> {
  const { bundles: count } = stage;
  const raw = await stage.raw();
  const world = await stage.world();
  const { testbed, environments } = world;
  const stock = await Stock.layOut(testbed, environments.xwing, { namespace: "xwing-burst", count });
  await firstSync(world, [stock.namespace], count);
  // else they would be kept meanwhile
  await statesKept(world, count);
  const changed = stock.change("burst");
  const before = await applied(testbed);
  const took = await seconds(
    testbed,
    () => stock.apply(changed, raw.inFlight),
    async () => (await applied(testbed)) >= before + count,
  );
  const ratio = shareOf(raw, { edits: count, others: 2 * count }, took);
  const figures = { bundles: count, s: took, "changes/s": count / took };
  return {
    rows: [{ what: "burst: every bundle changed at once", figures, ratio, limits: [atLeast(ratio, LIMIT)] }],
    wrong: await stock.wrong(),
  };
}
