import { fileURLToPath } from "node:url";
import t from "tap";
import { SECRETS } from "../../../operator/kube/resources.js";
import { eventually } from "../../eventually.js";
import { startTestbed } from "../../testbed.js";
import { COMPILED } from "../../testbed.policy.js";
import { loadTable } from "./rows.js";
import { Stock } from "./stock.js";
import { chosen, runSuite } from "./suite.js";

const BUNDLES = 40;
/** Those with a limit that any machine can keep. */
const EXACT = ["no-op", "churn", "handover", "deletion", "epoch", "relist"];
/** Left out is `restart`: it takes twenty times as many bundles, and two zopps more. */
const PLAYED = ["sync", "burst", "fan-out", "namespaces", "large", "urgent", ...EXACT, "pressure"];
/** First syncs have one for each way of sealing. */
const ROWS = PLAYED.length + 1;

t.test("scenarios are chosen by their names, all of them when none is named", async (t) => {
  t.strictSame(chosen(" burst, handover "), ["burst", "handover"]);
  t.equal(chosen("").length, 14);
  t.throws(() => chosen("burst bursts"), { message: /there is no scenario bursts; choose of sync restart burst/ });
});

t.test("each scenario but `restart` leaves every Secret right and says what it measured", async (t) => {
  const told: string[] = [];
  const suite = await runSuite(chosen(PLAYED.join(" ")), {
    bundles: BUNDLES,
    say: (text) => told.push(text),
    programs: COMPILED,
    cli: fileURLToPath(new URL("../../../cli/main.js", import.meta.url)),
  });
  t.strictSame(suite.wrong, [], "no Secret is wrong, no change is lost, and nothing is done that is not needed");
  t.equal(suite.rows.length, ROWS);
  t.equal(suite.rows.filter(({ limits }) => limits.some(({ exact }) => exact)).length, EXACT.length);
  for (const { what, figures, ratio = 1, limits } of suite.rows) {
    t.ok(Object.keys(figures).length > 1, `${what} has figures`);
    t.strictSame(
      Object.entries(figures).filter(([, figure]) => !Number.isFinite(figure)),
      [],
      what,
    );
    t.ok(Number.isFinite(ratio) && ratio > 0, `${what} has a ratio`);
    t.ok(limits.length > 0, `${what} has limits`);
  }
  const pressed = suite.rows.find(({ what }) => what.startsWith("API pressure"));
  t.ok((pressed?.figures["refused with 429"] ?? 0) > 0, "requests were refused under pressure");
  for (const name of PLAYED)
    t.ok(
      told.some((text) => text.includes(name)),
      `${name} was told of`,
    );
  t.comment(`\n${loadTable(suite.rows)}`);
});

t.test("a Secret that is wrong, missing or too many is found, and named", async (t) => {
  const bed = await startTestbed();
  t.teardown(() => bed.stop());
  const place = { namespace: "shop-prod", count: 3 };
  const stock = await Stock.layOut(bed, bed.environment, place);
  await eventually(async () => (await stock.wrong()).length === 0, { timeoutMs: 60_000, message: "all are right" });
  await bed.operator.stop();
  const changed = stock.change("never applied", 1);
  const [{ metadata }] = changed as [(typeof changed)[number]];
  t.strictSame(await stock.wrong(), [`the Secret shop-prod/${metadata.name} holds other values`]);
  await bed.client.delete(SECRETS, { namespace: place.namespace, name: metadata.name });
  t.strictSame(await stock.wrong(), [`the Secret shop-prod/${metadata.name} is not there`]);
  await bed.apply(SECRETS, { metadata: { namespace: place.namespace, name: "stray" } });
  t.strictSame(await stock.wrong(), [
    "the Secret shop-prod/stray should not be there",
    `the Secret shop-prod/${metadata.name} is not there`,
  ]);
});
