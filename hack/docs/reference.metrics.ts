// Owns the reference of metrics: what both processes' registries hold, asked of the registries themselves, and how many
// series that can be. Does not own what is counted.
import type { Registry } from "prom-client";
import { ERRORS } from "../../crds/errors.js";
import { VERSION } from "../../crds/version.js";
import { CONDITION_TYPES } from "../../operator/kube/conditions.js";
import { MAX_SHARDS } from "../../operator/kube/shards.plan.js";
import { keyringMetrics, operatorMetrics } from "../../operator/metrics.js";
import { code, table } from "./table.js";

/** Names of Node's own metrics, which are the client library's and differ by platform. */
const OF_NODE = /^(?:process|nodejs)_/;

/** A metric as prom-client keeps it; its type leaves the labels and the buckets out. */
interface Kept {
  readonly labelNames?: readonly string[];
  readonly upperBounds?: readonly number[];
}

interface Label {
  /** What its values are. */
  readonly what: string;
  /** The most values that it has in one process; null: as many as there are objects. */
  readonly most: number | null;
}

const REASONS = Object.keys(ERRORS).length;
const CONTROLLERS: Label = { what: "the controllers: a kind each, `history` and `restart`", most: 6 };
const ANSWERS: Label = { what: "HTTP statuses that were answered", most: 20 };

/** Labels by `metric.label`, or by `label` alone where it is the same everywhere. */
const LABELS: Readonly<Record<string, Label>> = {
  component: { what: "`operator` or `keyring`", most: 1 },
  version: { what: "the version of zopp", most: 1 },
  node: { what: "the version of Node", most: 1 },
  controller: CONTROLLERS,
  name: CONTROLLERS,
  "leader_election_master_status.name": { what: "the Lease", most: 1 },
  resource: { what: "the kinds that are followed", most: 5 },
  phase: { what: "`list` or `watch`", most: 2 },
  status: ANSWERS,
  method: { what: "HTTP methods", most: 5 },
  "zopp_keyring_rpc_seconds.method": { what: "the keyring's methods, and `refused`", most: 16 },
  code: { what: "`ok` or a reason", most: REASONS + 1 },
  "rest_client_requests_total.code": { ...ANSWERS, what: `${ANSWERS.what}, and \`<error>\`` },
  "controller_runtime_reconcile_total.result": {
    what: "`success`, `requeue_after`, `conflict`, `terminal`, `error`",
    most: 5,
  },
  "zopp_open_total.result": { what: "`ok` or a reason", most: REASONS + 1 },
  "zopp_history_total.result": { what: "`kept`, `dropped`, `failed`", most: 3 },
  "zopp_restarts_total.result": { what: "`restarted`, `skipped`, `waiting`, `refused`", most: 4 },
  "zopp_rotation_jobs_total.result": { what: "`created`, `succeeded`, `failed`", most: 3 },
  "zopp_rotations_waiting.reason": { what: "`RotationPending`, `RotationFailed`, `RotationDisabled`", most: 3 },
  "zopp_bundles.reason": { what: "`Synced` or a reason", most: REASONS + 1 },
  "zopp_policies.kind": { what: "`ZoppWorkspace`, `ZoppEnvironment`, `ZoppBaseline`", most: 3 },
  "zopp_policies.reason": { what: "`Accepted`, `Waiting` or a reason", most: REASONS + 2 },
  "zopp_certificates_waiting.reason": { what: "`IssuerPending`, `IssuerRefused`", most: 2 },
  "zopp_entries_expiring.reason": { what: "`ExpiresSoon`, `ExpiresWithinADay`, `Expired`", most: 3 },
  "zopp_secret_condition.namespace": { what: "the bundle's namespace", most: null },
  "zopp_secret_condition.name": { what: "the bundle's name", most: null },
  "zopp_secret_condition.condition": { what: "the types of conditions", most: CONDITION_TYPES.length },
};

/** Labels that are others of an operator than of a keyring. */
const OF_OPERATOR: typeof LABELS = {
  "leader_election_master_status.name": { what: "the Leases, one for each shard", most: MAX_SHARDS },
};

/** The page `docs/reference/metrics.md`, without its head. */
export async function metricReference(): Promise<string> {
  const build = { version: VERSION };
  const operator = operatorMetrics({ ...build, component: "operator" }, { perObject: true }).registry;
  const keyring = keyringMetrics({ ...build, component: "keyring" }).registry;
  return ["## operator", await metricTable(operator, OF_OPERATOR), "## keyring", await metricTable(keyring), ""].join(
    "\n\n",
  );
}

async function metricTable(registry: Registry, own: typeof LABELS = {}): Promise<string> {
  const metrics = (await registry.getMetricsAsJSON())
    .filter(({ name }) => !OF_NODE.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = metrics.map(({ name, type, help }) => {
    const { labelNames = [], upperBounds } = registry.getSingleMetric(name) as unknown as Kept;
    const labels = labelNames.map((label) => ({ label, ...labelOf(name, label, own) }));
    const said = labels.map(({ label, what }) => `${code(label)}: ${what}`).join("; ");
    return [code(name), String(type), said, mostSeries(labels, upperBounds), help];
  });
  return table(["name", "type", "labels", "series", "what it is"], rows).trim();
}

function labelOf(metric: string, label: string, own: typeof LABELS): Label {
  const found = own[`${metric}.${label}`] ?? LABELS[`${metric}.${label}`] ?? LABELS[label];
  if (found === undefined) throw new TypeError(`nothing says what the label ${label} of ${metric} can be`);
  return found;
}

/** A histogram has a series for each bucket, one without end, its sum and its count. */
function mostSeries(labels: readonly Label[], buckets: readonly number[] | undefined): string {
  const each = buckets === undefined ? 1 : buckets.length + 3;
  const most = labels.reduce((product, label) => product * (label.most ?? 1), each);
  return labels.some((label) => label.most === null) ? `${most} a bundle` : String(most);
}
