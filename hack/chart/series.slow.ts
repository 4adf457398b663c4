// What running processes show in /metrics, held against what the chart's alerts and dashboard ask for, and against the
// reference. Everything that is counted is made to happen once, faults too.
import t from "tap";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { isErrorCode } from "../../crds/errors.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import { silentLog } from "../../operator/kube/observe.js";
import { referencePages } from "../docs/reference.js";
import { eventually } from "../eventually.js";
import { flip, withEntry } from "../fixtures.bundle.js";
import { withValue } from "../fixtures.js";
import { readMetrics, readText } from "../testbed.look.js";
import { startProxiedTestbed } from "../testbed.proxied.js";
import { alertExpressions, groupedBy, panelExpressions, type Series, selectorsOf, seriesOf } from "./monitoring.js";

const { bed, proxy } = await startProxiedTestbed(t, {
  apart: true,
  env: { ZOPP_KEYRING_LEADER_ELECT: "zopp-system/zopp-keyring" },
});

/** Waits until a count of the operator, or of the keyring, has grown. */
function counted(who: "metrics" | "keyringMetrics", name: string): Promise<unknown> {
  const grown = async () => {
    bed.operator.refuseDead();
    bed.keyring.refuseDead();
    return (await readMetrics(bed.ports[who])).sum(name) > 0;
  };
  return eventually(grown, { timeoutMs: 60_000, message: `${name} has grown` });
}

/** Lets happen what there are metrics of. */
async function live(): Promise<void> {
  await bed.operator.stop();
  await bed.startOperator(["--leader-elect", "zopp-system/zopp-operator", "--object-metrics", "on"]);
  const good = bed.seal({ A: "a" });
  await bed.applyBundle(good);
  await bed.settled("Synced");
  const second = withValue(good, "A", "b", bed.writing());
  await bed.applyBundle(second);
  await counted("metrics", "zopp_history_total");
  await bed.applyBundle(
    withEntry({ ...good, metadata: { ...good.metadata, name: "bad" } }, "A", {
      signature: flip(good.spec.data?.["A"]?.signature ?? ""),
    }),
  );
  await counted("metrics", "zopp_open_total");
  // somebody whom no policy names
  const stranger = connectKeyring({
    address: `127.0.0.1:${bed.ports.keyring}`,
    keyringKey: bed.keyringKey,
    identity: identityFromSeed(newSeed()).signing,
    log: silentLog,
  });
  await stranger.describe().catch(() => undefined);
  await stranger.close();
  await counted("keyringMetrics", "zopp_keyring_errors_total");
  const refused = { kind: "refuse", status: 500, reason: "InternalError" } as const;
  // neither status nor Lease: a leader that cannot renew it ends
  proxy.fault(({ method, path }) => (method === "PATCH" && path.includes("/secrets/") ? refused : undefined));
  await bed.applyBundle(withValue(second, "A", "c", bed.writing()));
  await counted("metrics", "controller_runtime_reconcile_errors_total");
  proxy.fault(({ query }) => (query.get("watch") === "true" ? refused : undefined));
  proxy.breakWatches();
  await counted("metrics", "zopp_informer_failures_total");
  await counted("keyringMetrics", "zopp_informer_failures_total");
  proxy.lift();
}

await live();
const [ofOperator, ofKeyring] = (await Promise.all(
  [bed.ports.metrics, bed.ports.keyringMetrics].map(async (port) => seriesOf(await readText(port, "/metrics"))),
)) as [readonly Series[], readonly Series[]];
const emitted = [...ofOperator, ...ofKeyring];

/** What Prometheus adds to every series of a pod. */
const BY_SCRAPING = new Set(["namespace", "pod", "container"]);

/** Whether a matcher finds a series, or could when something else goes wrong: reasons are those of the error table. */
function isPossible(
  matcher: { readonly label: string; readonly op: string; readonly value: string },
  found: readonly Series[],
) {
  const { label, op, value } = matcher;
  if (op.startsWith("!")) return found.some(({ labels }) => label in labels);
  const pattern = new RegExp(`^(?:${value})$`);
  if (found.some(({ labels }) => pattern.test(labels[label] ?? ""))) return true;
  return label === "code" && found.some(({ labels }) => label in labels) && value.split("|").every(isErrorCode);
}

for (const [what, expressions] of [
  ["alerts", alertExpressions()],
  ["panels", panelExpressions()],
] as const) {
  t.test(`${what} ask for series that running processes show, with their labels`, async (t) => {
    for (const expr of expressions) {
      const selectors = selectorsOf(expr);
      t.ok(selectors.length > 0, expr);
      const named = new Set(selectors.flatMap(({ name }) => emitted.filter((each) => each.name === name)));
      for (const { name, matchers } of selectors) {
        const found = emitted.filter((each) => each.name === name);
        t.ok(found.length > 0, `${name} is shown`);
        for (const each of matchers.filter(({ label }) => !BY_SCRAPING.has(label)))
          t.ok(isPossible(each, found), `${name}{${each.label}${each.op}"${each.value}"}`);
      }
      const labels = new Set([...named].flatMap((each) => Object.keys(each.labels)));
      for (const label of groupedBy(expr).filter((each) => !BY_SCRAPING.has(each)))
        t.ok(labels.has(label), `${label} of ${expr}`);
    }
  });
}

/** The rows of the reference of one process: labels, and the most series of it, by name. */
async function documented(title: string) {
  const page = (await referencePages()).get("docs/reference/metrics.md") ?? "";
  const section = page.split("\n## ").find((text) => text.startsWith(`${title}\n`)) ?? "";
  const rows = [...section.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) \| (\d+)( a bundle)? \| .*\|$/gm)];
  return new Map(
    rows.map(([, name = "", , labels = "", most = "", each]) => [
      name,
      { labels: [...labels.matchAll(/`(\w+)`:/g)].map(([, label]) => label), most: Number(most), each },
    ]),
  );
}

/** The series of a scrape by the metric that they are of. */
function byMetric(series: readonly Series[]): ReadonlyMap<string, readonly Series[]> {
  const ours = series.filter(({ name }) => !/^(?:process|nodejs)_/.test(name));
  const buckets = new Set(ours.filter(({ labels }) => "le" in labels).map(({ name }) => name.replace(/_bucket$/, "")));
  return Map.groupBy(ours, ({ name }) => {
    const metric = name.replace(/_(?:bucket|sum|count)$/, "");
    return buckets.has(metric) ? metric : name;
  });
}

for (const [title, series] of [
  ["operator", ofOperator],
  ["keyring", ofKeyring],
] as const) {
  t.test(
    `every metric of the ${title} is in the reference with its labels, and has no more series than it says`,
    async (t) => {
      const rows = await documented(title);
      const shown = byMetric(series);
      t.ok(shown.size >= 9);
      for (const [metric, found] of shown) {
        const row = rows.get(metric);
        const labels = new Set(found.flatMap((each) => Object.keys(each.labels)).filter((label) => label !== "le"));
        t.strictSame([...labels].toSorted(), row?.labels.toSorted(), metric);
        const most = (row?.most ?? 0) * (row?.each === undefined ? 1 : 2);
        t.ok(found.length <= most, `${metric}: ${found.length} series, and at most ${most}`);
      }
      t.strictSame(
        [...rows.keys()].filter((metric) => !shown.has(metric)),
        [],
        "and nothing is documented that is not shown",
      );
    },
  );
}
