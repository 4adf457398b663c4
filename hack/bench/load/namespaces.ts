// The same bundles in many namespaces, each followed by itself.
import { firstSync } from "../sync.js";
import { atLeast, type Measured } from "./rows.js";
import type { Stage } from "./stage.js";
import { Stock } from "./stock.js";

const A_NAMESPACE = 10;
/** Five hundredths below that of one namespace: two watches a namespace. */
const LIMIT = 0.5;

/** First sync of ten bundles a namespace. */
export async function namespaces(stage: Stage): Promise<Measured> {
  const raw = await stage.raw();
  const world = await stage.world();
  const { testbed, environments } = world;
  const stocks: Stock[] = [];
  for (let at = 0; at < stage.bundles / A_NAMESPACE; at += 1) {
    const place = { namespace: `xwing-many-${at}`, count: A_NAMESPACE };
    stocks.push(await Stock.layOut(testbed, environments.xwing, place));
  }
  const count = stocks.length * A_NAMESPACE;
  const synced = await firstSync(
    world,
    stocks.map(({ namespace }) => namespace),
    count,
  );
  const ratio = synced.bundlesPerSecond / raw.bundlesPerSecond;
  const { seconds, bundlesPerSecond } = synced;
  const figures = { namespaces: stocks.length, bundles: count, s: seconds, "bundles/s": bundlesPerSecond };
  const wrong: string[] = [];
  for (const stock of stocks) wrong.push(...(await stock.wrong()));
  return { rows: [{ what: "many namespaces, first sync", figures, ratio, limits: [atLeast(ratio, LIMIT)] }], wrong };
}
