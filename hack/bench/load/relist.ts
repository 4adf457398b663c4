// Every watch breaks at once, and every version that was seen is too old: all namespaces are listed again, while values change.
import { connect } from "../../../operator/kube/client.js";
import { type KubeObject, NAMESPACES, SECRETS, ZOPP_SECRETS } from "../../../operator/kube/resources.js";
import type { Choose, FaultingProxy } from "../../faulting-proxy.js";
import type { Testbed } from "../../testbed.js";
import { readMetrics, versions } from "../../testbed.look.js";
import { rawLimit } from "../raw.limit.js";
import { firstSync, opens } from "../sync.js";
import { inParallel } from "../world.js";
import { atLeast, type Measured, none } from "./rows.js";
import { type Stage, shareOf } from "./stage.js";
import { applied, applyAll, Stock, seconds } from "./stock.js";

const A_NAMESPACE = 20;
const CHANGED = 2;
const IN_FLIGHT = 32;
const LIMIT = 0.25;

/** Two changes a namespace meanwhile. */
export async function relist(stage: Stage): Promise<Measured> {
  // who edits does not go through the proxy
  const { editsPerSecond } = await stage.raw();
  const { world, proxy } = await stage.proxied();
  const { testbed, environments } = world;
  const raw = await rawLimit(world, "xwing-raw-relist", {
    inFlight: IN_FLIGHT,
    count: stage.bundles,
    origin: proxy.url,
  });
  const stocks: Stock[] = [];
  for (let at = 0; at < Math.max(2, stage.bundles / A_NAMESPACE); at += 1) {
    const place = { namespace: `xwing-relist-${at}`, count: A_NAMESPACE };
    stocks.push(await Stock.layOut(testbed, environments.xwing, place));
  }
  const names = stocks.map(({ namespace }) => namespace);
  await firstSync(world, names, stocks.length * A_NAMESPACE);
  const bare = await listAll(proxy, names);
  const changed = stocks.flatMap((stock) => stock.change("relisted", CHANGED));
  const [before, listed] = [await applied(testbed), await lists(testbed)];
  const [seen, opened] = [await versionsOf(testbed, names), opens(testbed.keyring)];
  const took = await seconds(
    testbed,
    async () => {
      proxy.fault(tooOld(await newVersion(testbed)));
      proxy.breakWatches();
      await applyAll(testbed, changed, IN_FLIGHT);
    },
    async () =>
      (await applied(testbed)) >= before + changed.length && (await lists(testbed)) >= listed + 2 * names.length,
  );
  proxy.lift();
  const after = await versionsOf(testbed, names);
  const isChanged = (name: string) => changed.some(({ metadata }) => name.includes(metadata.name));
  const needless = [...after].filter(([name, version]) => !isChanged(name) && seen.get(name) !== version).length;
  const ratio =
    bare / took + shareOf({ ...raw, editsPerSecond }, { edits: changed.length, others: 2 * changed.length }, took);
  const figures = {
    watches: 2 * names.length,
    lists: (await lists(testbed)) - listed,
    s: took,
    "bare lists s": bare,
    changes: changed.length,
    "needless writes": needless,
    "needless opens": opens(testbed.keyring) - opened - changed.length,
  };
  const limits = [
    none(needless, "needless writes"),
    none(figures["needless opens"], "opens"),
    atLeast(ratio, LIMIT, "raw lists and writes"),
  ];
  const wrong: string[] = [];
  for (const stock of stocks) wrong.push(...(await stock.wrong()));
  return { rows: [{ what: "relist storm: every watch cut, 410", figures, ratio, limits }], wrong };
}

/** A version that nobody has listed yet. */
async function newVersion(testbed: Testbed): Promise<number> {
  const { metadata } = await testbed.apply<KubeObject>(NAMESPACES, { metadata: { name: "relisted" } });
  return Number(metadata.resourceVersion);
}

/** Each namespace's bundles, and the metadata of its Secrets, as the operator lists them; gives the seconds. */
async function listAll({ kubeconfig }: FaultingProxy, names: readonly string[]): Promise<number> {
  const client = await connect({ file: kubeconfig, userAgent: "bare" });
  try {
    const begun = performance.now();
    await inParallel(names.length, async (at) => {
      const namespace = names[at];
      await client.list(ZOPP_SECRETS, { namespace });
      await client.list(SECRETS, { namespace, metadataOnly: true });
    });
    return (performance.now() - begun) / 1000;
  } finally {
    await client.close();
  }
}

async function lists({ ports }: Testbed): Promise<number> {
  return (await readMetrics(ports.metrics)).sum("zopp_informer_lists_total");
}

async function versionsOf(testbed: Testbed, names: readonly string[]): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const namespace of names) {
    for (const [name, version] of await versions(testbed, namespace)) all.set(`${namespace}/${name}`, version);
  }
  return all;
}

/** A watch from an earlier version is told that it is too old. */
function tooOld(first: number): Choose {
  return ({ query }) =>
    query.get("watch") === "true" && Number(query.get("resourceVersion")) < first
      ? { kind: "error event", status: 410, reason: "Expired" }
      : undefined;
}
