// An API server under pressure: every fifth write is refused with 429 and Retry-After, everything else comes late.
// The bare client goes through the same proxy, and waits as it is asked to.
import { eventually } from "../../eventually.js";
import type { Asked, Choose } from "../../faulting-proxy.js";
import type { Testbed } from "../../testbed.js";
import { rawLimit } from "../raw.limit.js";
import { readyIn, startedAt } from "../sync.js";
import { atLeast, type Measured } from "./rows.js";
import type { Stage } from "./stage.js";
import { applied, Stock } from "./stock.js";

const EACH = 5;
const RETRY_AFTER_S = 1;
const DELAY_MS = 20;
/** Who waits most has most in flight. */
const IN_FLIGHT = 64;
/** The log's records come one after the other: one that is refused holds up, for the second that it was asked to wait, all that wait for theirs. */
const LIMIT = 0.35;
const PATIENCE_MS = 600_000;

/** First sync through it. */
export async function pressure(stage: Stage): Promise<Measured> {
  const { bundles: count } = stage;
  const { world, proxy } = await stage.proxied();
  const { testbed, environments } = world;
  const stock = await Stock.layOut(testbed, environments.xwing, { namespace: "xwing-pressure", count });
  stage.say("the bare client, and then zopp, through the proxy");
  const pressed = pressing();
  proxy.fault(pressed.choose);
  const raw = await rawLimit(world, "xwing-raw-pressure", { inFlight: IN_FLIGHT, count, origin: proxy.url });
  const before = pressed.refused();
  await testbed.startOperator(["--namespaces", stock.namespace]);
  const took = await untilReady(testbed, stock.namespace, count);
  const refused = pressed.refused() - before;
  proxy.lift();
  const ratio = count / took / raw.bundlesPerSecond;
  const figures = {
    bundles: count,
    s: took,
    "bundles/s": count / took,
    "raw/s": raw.bundlesPerSecond,
    "refused with 429": refused,
  };
  return {
    rows: [{ what: "API pressure: 429 and slow", figures, ratio, limits: [atLeast(ratio, LIMIT)] }],
    wrong: await stock.wrong(),
  };
}

/**
 * Waits until all bundles say that they are ready, since a queue is empty while what was refused waits to be tried again;
 * gives the seconds since the operator began.
 */
async function untilReady(testbed: Testbed, namespace: string, count: number): Promise<number> {
  const begun = startedAt(testbed.operator);
  const within = { timeoutMs: PATIENCE_MS, message: "all bundles are ready" };
  await eventually(async () => (await applied(testbed)) >= count, within);
  await eventually(async () => (await readyIn(testbed, [namespace])) === count, within);
  return (Date.now() - begun) / 1000;
}

/** Refuses each fifth write and delays all else but watches. */
function pressing(): { readonly choose: Choose; refused(): number } {
  let [writes, refused] = [0, 0];
  const choose: Choose = ({ method, query }: Asked) => {
    if (query.get("watch") === "true") return undefined;
    if (method === "GET" || ++writes % EACH !== 0) return { kind: "delay", ms: DELAY_MS };
    refused += 1;
    return { kind: "refuse", status: 429, reason: "TooManyRequests", retryAfter: RETRY_AFTER_S };
  };
  return { choose, refused: () => refused };
}
