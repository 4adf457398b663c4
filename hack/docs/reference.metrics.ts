// Owns the reference of metrics: what both processes' registries hold, asked of the registries themselves.
// Does not own what is counted.
import type { Registry } from "prom-client";
import { VERSION } from "../../crds/version.js";
import { keyringMetrics, operatorMetrics } from "../../operator/metrics.js";
import { code, table } from "./table.js";

/** Names of Node's own metrics, which are the client library's and differ by platform. */
const OF_NODE = /^(?:process|nodejs)_/;

/** A metric as prom-client keeps it; its type leaves the labels out. */
interface Kept {
  readonly labelNames?: readonly string[];
}

/** The page `docs/reference/metrics.md`, without its head. */
export async function metricReference(): Promise<string> {
  const build = { version: VERSION };
  return [
    "## operator",
    await metricTable(operatorMetrics({ ...build, component: "operator" }).registry),
    "## keyring",
    await metricTable(keyringMetrics({ ...build, component: "keyring" }).registry),
    "",
  ].join("\n\n");
}

async function metricTable(registry: Registry): Promise<string> {
  const metrics = (await registry.getMetricsAsJSON())
    .filter(({ name }) => !OF_NODE.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = metrics.map(({ name, type, help }) => {
    const { labelNames = [] } = registry.getSingleMetric(name) as unknown as Kept;
    return [code(name), String(type), labelNames.map(code).join(", "), help];
  });
  return table(["name", "type", "labels", "what it is"], rows).trim();
}
