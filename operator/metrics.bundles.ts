// What the operator's metrics say of bundles, their restarts and the policy over them: by places where that is asked for, else
// counted over all.
// Does not own what happened to them.
import { Gauge, type Registry } from "prom-client";
import { EXPIRY_REASONS } from "../crds/bundle/endings.js";

/** Labels that name a bundle. */
export interface PlaceLabels {
  readonly namespace: string;
  readonly name: string;
}

/** The part of a condition that is a metric. */
export interface ConditionLabels {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
}

/** Why a CA does not sign. */
const ISSUER_REASONS = ["IssuerPending", "IssuerRefused"] as const;
/** What new values may wait for. */
const ROTATION_REASONS = ["RotationPending", "RotationFailed", "RotationDisabled"] as const;
const CONDITION_VALUE = { True: 1, False: 0, Unknown: -1 } as const;

/** One series a reason of Ready, over all bundles. A reason that no bundle has any more stays, at 0. */
export function bundleGauge(registry: Registry): (key: string, reason: string | null) => void {
  const help = "Bundles by the reason of their condition Ready; Synced is good";
  const made = new Gauge({ name: "zopp_bundles", help, labelNames: ["reason"], registers: [registry] });
  made.set({ reason: "Synced" }, 0);
  const known = new Map<string, string>();
  return (key, reason) => {
    const before = known.get(key);
    if (before === reason) return;
    if (before !== undefined) made.dec({ reason: before });
    if (reason === null) known.delete(key);
    else known.set(key, reason);
    if (reason !== null) made.inc({ reason });
  };
}

/** How many objects of one kind have one reason. */
export interface PolicyCount {
  readonly kind: string;
  readonly reason: string;
  readonly count: number;
}

/** One series for each kind and reason that is told; what is told takes the place of what was told before. */
export function policyGauge(registry: Registry): (counts: readonly PolicyCount[]) => void {
  const help = "Workspaces, environments and baselines by what the keyring makes of them; Accepted is good";
  const made = new Gauge({ name: "zopp_policies", help, labelNames: ["kind", "reason"], registers: [registry] });
  return (counts) => {
    made.reset();
    for (const { kind, reason, count } of counts) made.set({ kind, reason }, count);
  };
}

/** One series over all namespaces: a label would be as many as there are of them. */
export function refusedGauge(registry: Registry): (namespace: string, workloads: number) => void {
  const help = "Workloads whose restart for a changed Secret was refused and is still to be done";
  const made = new Gauge({ name: "zopp_restarts_refused", help, registers: [registry] });
  const known = new Map<string, number>();
  return (namespace, workloads) => {
    made.inc(workloads - (known.get(namespace) ?? 0));
    if (workloads === 0) known.delete(namespace);
    else known.set(namespace, workloads);
  };
}

/** One series for each condition of each bundle; `null` = the bundle is gone. */
export function conditionGauge(
  registry: Registry,
): (place: PlaceLabels, conditions: readonly ConditionLabels[] | null) => void {
  const labels = ["namespace", "name", "condition"];
  const help = "Conditions of a bundle: 1 True, 0 False, -1 Unknown; only with --object-metrics on";
  const made = new Gauge({ name: "zopp_secret_condition", help, labelNames: labels, registers: [registry] });
  const known = new Map<string, readonly string[]>();
  return ({ namespace, name }, conditions) => {
    const place = `${namespace}/${name}`;
    for (const condition of known.get(place) ?? []) made.remove({ namespace, name, condition });
    known.delete(place);
    if (conditions === null) return;
    for (const { type, status } of conditions) made.set({ namespace, name, condition: type }, CONDITION_VALUE[status]);
    known.set(
      place,
      conditions.map(({ type }) => type),
    );
  };
}

/** Counts something of a bundle, by reason; none where the bundle is gone. */
export type CountReasons = (bundle: string, entries: readonly { readonly reason: string }[]) => void;

/** Values that end soon or have ended. */
export function expiringGauge(registry: Registry): CountReasons {
  const help = "Values that end soon or have ended, by reason";
  return reasonGauge(registry, { name: "zopp_entries_expiring", help, reasons: EXPIRY_REASONS });
}

/** Bundles with certificates that are due and wait for their CA. */
export function certificatesGauge(registry: Registry): CountReasons {
  const help = "Bundles with a certificate that is due and whose CA does not sign, by reason";
  return reasonGauge(registry, { name: "zopp_certificates_waiting", help, reasons: ISSUER_REASONS });
}

/** Bundles whose new generated values wait for a job; one that has ended is none. */
export function rotationGauge(registry: Registry): CountReasons {
  const help = "Bundles whose new generated values wait for a job, by reason";
  return reasonGauge(registry, { name: "zopp_rotations_waiting", help, reasons: ROTATION_REASONS });
}

/** One series a reason, over all bundles; these are there from the start, so that an alert can tell none from unknown. */
function reasonGauge(
  registry: Registry,
  { name, help, reasons }: { readonly name: string; readonly help: string; readonly reasons: readonly string[] },
): CountReasons {
  const made = new Gauge({ name, help, labelNames: ["reason"], registers: [registry] });
  for (const reason of reasons) made.set({ reason }, 0);
  const known = new Map<string, readonly { readonly reason: string }[]>();
  return (bundle, entries) => {
    for (const { reason } of known.get(bundle) ?? []) made.dec({ reason });
    for (const { reason } of entries) made.inc({ reason });
    if (entries.length === 0) known.delete(bundle);
    else known.set(bundle, entries);
  };
}
