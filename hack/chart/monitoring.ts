// Owns reading what the chart's alerts and dashboard ask for, and what a process' /metrics shows, so that they can be compared.
// Does not own either.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { CHART, SYSTEM } from "./chart.js";

/** An alert. */
export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a PrometheusRule holds. */
export interface Rules {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

/** One series of a scrape. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A selector of an expression: a series by name, and which of its labels it asks for, with `=`, `!=`, `=~` or `!~`. */
export interface Selector {
  readonly name: string;
  readonly matchers: readonly { readonly label: string; readonly op: string; readonly value: string }[];
}

const read = (name: string) => readFileSync(join(CHART, "files", name), "utf8");

/** The expressions of all alerts, as an installation has them. */
export function alertExpressions(): readonly string[] {
  return (parse(read("alerts.yaml").replaceAll("NAMESPACE", SYSTEM)) as Rules).groups.flatMap(({ rules }) =>
    rules.map(({ expr }) => expr),
  );
}

/** The expressions of all panels, with a namespace and an interval in place of Grafana's variables. */
export function panelExpressions(): readonly string[] {
  const { panels } = JSON.parse(read("dashboard.json")) as { panels: { targets: { expr: string }[] }[] };
  const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  return expressions.map((expr) => expr.replaceAll("$namespace", SYSTEM).replaceAll("$__rate_interval", "2m"));
}

/** The selectors of an expression. */
export function selectorsOf(expr: string): readonly Selector[] {
  return [...expr.matchAll(/\b([a-z]\w*)\{([^}]*)\}/g)].map(([, name = "", inside = ""]) => ({
    name,
    matchers: [...inside.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, label = "", op = "", value = ""]) => ({
      label,
      op,
      value,
    })),
  }));
}

/** The labels that an expression groups or joins by. */
export function groupedBy(expr: string): readonly string[] {
  const lists = [...expr.matchAll(/\b(?:by|on|group_left) \(([^)]*)\)/g)].map(([, list = ""]) => list);
  return lists.flatMap((list) => list.split(",").map((label) => label.trim()));
}

/** The series of /metrics, in Prometheus' text form. */
export function seriesOf(text: string): readonly Series[] {
  return text.split("\n").flatMap((line) => {
    const [, name, inside = ""] = /^([a-z]\w*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) return [];
    const labels = [...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", value = ""]) => [
      label,
      value,
    ]);
    return [{ name, labels: Object.fromEntries(labels) }];
  });
}
