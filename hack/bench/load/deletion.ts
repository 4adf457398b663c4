// Every bundle is deleted at once. The Secrets are theirs (ownerReferences), so Kubernetes' garbage collector deletes them, at
// the twenty objects a second that it allows itself; zopp has to do nothing, and to undo nothing.
import { SECRETS, ZOPP_SECRETS } from "../../../operator/kube/resources.js";
import { eventually } from "../../eventually.js";
import type { Testbed } from "../../testbed.js";
import { quiet } from "../../testbed.look.js";
import { writesOf } from "../audit.js";
import { cpuMs } from "../process.js";
import { opens, readyIn } from "../sync.js";
import { inParallel, layOut, nameOf } from "../world.js";
import { atLeast, type Measured, none } from "./rows.js";
import type { Stage } from "./stage.js";
import { Stock } from "./stock.js";

/** The bare client's bundles have no Secrets: here the garbage collector works meanwhile, on the control plane's cores. */
const LIMIT = 0.33;
const FOLLOWED = "xwing-deleted";
const UNFOLLOWED = "xwing-raw-deleted";
const PATIENCE_MS = 600_000;

/** Deletes half as many bundles as the suite's measure that nobody follows, and then as many with their Secrets. */
export async function deletion(stage: Stage): Promise<Measured> {
  const count = Math.ceil(stage.bundles / 2);
  const { inFlight } = await stage.raw();
  const world = await stage.world();
  const { testbed, environments } = world;
  await layOut(world, "xwing", UNFOLLOWED, count);
  const stock = await Stock.layOut(testbed, environments.xwing, { namespace: FOLLOWED, count });
  // kept states are deleted by the garbage collector too, and would make it twice as long
  await testbed.startOperator(["--namespaces", FOLLOWED, "--history", "0"]);
  await eventually(async () => (await secretsIn(testbed)) === count, { timeoutMs: PATIENCE_MS });
  // a queue is empty while a write that failed waits to be tried again, which would be counted
  await eventually(async () => (await readyIn(testbed, [FOLLOWED])) === count, { timeoutMs: PATIENCE_MS });
  await quiet(testbed);
  const wrong = await stock.wrong();
  const raw = await deleteAll(testbed, UNFOLLOWED, { count, inFlight });
  const [writes, opened] = [await writesOf(testbed.ports.metrics), opens(testbed.keyring)];
  const [cpu, begun] = [await cpuMs(testbed.operator.pid), performance.now()];
  const took = await deleteAll(testbed, FOLLOWED, { count, inFlight });
  stage.say(`${count} bundles are deleted after ${took.toFixed(1)} s; their Secrets follow`);
  await eventually(async () => (await secretsIn(testbed)) === 0, {
    timeoutMs: PATIENCE_MS,
    message: "no Secret is left",
  });
  const gone = (performance.now() - begun) / 1000;
  await quiet(testbed);
  const left = await secretsIn(testbed);
  const figures = {
    bundles: count,
    s: took,
    "raw s": raw,
    "Secrets gone after s": gone,
    writes: (await writesOf(testbed.ports.metrics)) - writes,
    opens: opens(testbed.keyring) - opened,
    "CPU ms a bundle": ((await cpuMs(testbed.operator.pid)) - cpu) / count,
  };
  const limits = [none(figures.writes, "writes"), none(figures.opens, "opens"), atLeast(raw / took, LIMIT)];
  const back = left === 0 ? [] : [`${left} Secrets of deleted bundles came back`];
  return { rows: [{ what: "mass deletion", figures, ratio: raw / took, limits }], wrong: [...wrong, ...back] };
}

/** Deletes every bundle of a namespace; gives the seconds. */
async function deleteAll(
  { client }: Testbed,
  namespace: string,
  { count, inFlight }: { readonly count: number; readonly inFlight: number },
): Promise<number> {
  const begun = performance.now();
  await inParallel(count, (at) => client.delete(ZOPP_SECRETS, { namespace, name: nameOf(at) }), inFlight);
  return (performance.now() - begun) / 1000;
}

async function secretsIn({ client }: Testbed): Promise<number> {
  const list = await client.list(SECRETS, { namespace: FOLLOWED, metadataOnly: true });
  return list.items.length;
}
