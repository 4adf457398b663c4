// The chart's alerts and panels as Prometheus' own tool reads them: they are well formed, and each alert fires when it
// should and only then.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { runProgram } from "../run-program.js";
import { ALERTS, type AlertCase } from "./alerts.cases.js";
import { MODES, pick, render } from "./chart.js";
import { panelExpressions, type Rule, type Rules } from "./monitoring.js";
import { findHelm, findPromtool } from "./programs.js";

const [helm, promtool] = [await findHelm(), await findPromtool()];
const missing = [helm, promtool].flatMap((found) => ("skip" in found ? [found.skip] : []));
const skip = missing.length > 0 && missing.join("; ");

/** The alerts as an installation has them. */
async function rendered(): Promise<Rules> {
  const values = { ...MODES.sidecar, monitoring: { prometheusRule: { enabled: true } } };
  const objects = await render("program" in helm ? helm.program : "", values);
  return pick(objects, "PrometheusRule", "zopp").spec as unknown as Rules;
}

/** Runs promtool in a folder with these files. */
async function run(args: readonly string[], files: Readonly<Record<string, unknown>>) {
  const folder = mkdtempSync(join(tmpdir(), "zopp-promtool-"));
  try {
    // JSON is YAML
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
    const program = "program" in promtool ? promtool.program : "";
    return await runProgram([program, ...args], { env: { HOME: folder }, cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A test as promtool reads it: what of an alert fires at a time. */
function testOf(
  alert: string,
  name: string,
  { series, at }: AlertCase,
  firing: readonly Readonly<Record<string, string>>[],
) {
  const samples = firing.map((labels) => {
    const all = { alertname: alert, alertstate: "firing", ...labels };
    const text = Object.entries(all).map(([label, value]) => `${label}="${value}"`);
    return { labels: `ALERTS{${text.join(",")}}`, value: 1 };
  });
  return {
    name: `${alert}: ${name}`,
    interval: "1m",
    input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      { expr: `ALERTS{alertname="${alert}",alertstate="firing"}`, eval_time: at, exp_samples: samples },
    ],
  };
}

const alertsOf = ({ groups }: Rules) => groups.flatMap(({ rules }) => rules);

/** Every case of an alert, with what fires there. */
function testsOf({ alert, labels }: Rule) {
  const cases = ALERTS[alert];
  if (cases === undefined) throw new Error(`alerts.cases.ts does not say when ${alert} fires`);
  const { fires, silent } = cases;
  const quiet = Object.entries(silent).map(([why, one]) => testOf(alert, why, one, []));
  return [
    testOf(
      alert,
      "fires",
      fires,
      fires.as.map((each) => ({ ...labels, ...each })),
    ),
    ...quiet,
  ];
}

t.test("every alert is well formed, and no two are the same", { skip }, async (t) => {
  const { code, stdout, stderr } = await run(["check", "rules", "--lint=all", "rules.json"], {
    "rules.json": await rendered(),
  });
  t.equal(code, 0, stdout + stderr);
});

t.test("every alert fires when it should, and at nothing less", { skip }, async (t) => {
  const rules = await rendered();
  const alerts = alertsOf(rules);
  t.strictSame(alerts.map(({ alert }) => alert).toSorted(), Object.keys(ALERTS).toSorted());
  const tests = alerts.flatMap(testsOf);
  const file = { rule_files: ["rules.json"], evaluation_interval: "1m", tests };
  const { code, stdout, stderr } = await run(["test", "rules", "tests.json"], {
    "rules.json": rules,
    "tests.json": file,
  });
  t.equal(code, 0, stdout + stderr);
});

t.test("a case that is not so is seen", { skip }, async (t) => {
  const rules = await rendered();
  const { silent = {} } = ALERTS["ZoppChangesWait"] ?? {};
  const tests = Object.values(silent).map((one) => testOf("ZoppChangesWait", "never", one, [{ name: "zoppsecret" }]));
  const file = { rule_files: ["rules.json"], evaluation_interval: "1m", tests };
  const { code, stdout, stderr } = await run(["test", "rules", "tests.json"], {
    "rules.json": rules,
    "tests.json": file,
  });
  t.not(code, 0);
  t.match(stdout + stderr, /FAILED:[\s\S]*alertname="ZoppChangesWait"[\s\S]*got: nil/);
});

t.test("what an alert says names only labels that it has", { skip }, async (t) => {
  for (const { alert, annotations } of alertsOf(await rendered())) {
    const named = [
      ...Object.values(annotations)
        .join(" ")
        .matchAll(/\$labels\.(\w+)/g),
    ].map(([, label]) => label ?? "");
    for (const labels of ALERTS[alert]?.fires.as ?? []) t.hasOwnProps(labels, named, alert);
    t.match(annotations, { summary: /\S/, description: /\S/ }, alert);
  }
});

t.test("every panel of the dashboard asks in PromQL", { skip }, async (t) => {
  const rules = panelExpressions().map((expr, at) => ({ record: `panel:${at}`, expr }));
  t.ok(rules.length >= 15);
  const { code, stdout, stderr } = await run(["check", "rules", "rules.json"], {
    "rules.json": { groups: [{ name: "dashboard", rules }] },
  });
  t.equal(code, 0, stdout + stderr);
});
