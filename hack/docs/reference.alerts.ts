// Owns the table of alerts, made of the rules that the chart installs. What to do about each is the page's (docs/operations.md).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { packageRoot } from "../package-root.js";
import { code, table } from "./table.js";

/** One alert of the chart. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

/** The alerts of the chart, in its order. */
export function alerts(): readonly Alert[] {
  const text = readFileSync(join(packageRoot(), "helm", "files", "alerts.yaml"), "utf8");
  const { groups } = parse(text) as { readonly groups: readonly { readonly rules: readonly Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** The table of alerts: what each means, after how long, and where to look first. */
export function alertReference(): string {
  const rows = alerts().map(({ alert, for: after = "at once", labels, annotations }) => [
    `[${code(alert)}](#${alert.toLowerCase()})`,
    labels.severity,
    after,
    inWords(annotations.summary),
    inWords(annotations.description),
  ]);
  return table(["alert", "severity", "after", "what it means", "where to look"], rows);
}

/** Labels that Prometheus fills in, and the namespace of the release. */
function inWords(text: string): string {
  return text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, code("$1")).replaceAll("NAMESPACE", "zopp-system");
}
