// What the chart's network policies leave open, and for whom.
import t from "tap";
import { isHook, MODES, pick, podsOf, type Rendered, render, runHelm, type Values } from "./chart.js";
import { findHelm } from "./programs.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

const PORTS = { install: [53, 53, 443, 6443], test: [53, 53, 8081, 8083] } as const;

function egressPorts(spec: Rendered["spec"]): readonly number[] {
  const rules = (spec?.["egress"] ?? []) as { readonly ports: readonly { readonly port: number }[] }[];
  return rules.flatMap(({ ports }) => ports.map(({ port }) => port));
}

t.test(
  "where networks are closed, what hooks do is open: the API server, and what `helm test` asks",
  { skip },
  async (t) => {
    const objects = await render(helm, { ...MODES.deployment, networkPolicy: { enabled: true } });
    for (const component of ["install", "test"] as const) {
      const { spec, metadata } = pick(objects, "NetworkPolicy", `zopp-${component}`);
      t.match(spec, { podSelector: { matchLabels: { "app.kubernetes.io/component": component } } });
      t.ok(Number(metadata.annotations?.["helm.sh/hook-weight"]) < 0, "before the pod");
      const pod = podsOf(objects).find(({ metadata: { name } }) => name === `zopp-${component}`);
      t.match(pod?.metadata, {
        labels: { "app.kubernetes.io/component": component, "app.kubernetes.io/name": "zopp" },
      });
      t.strictSame(egressPorts(spec), PORTS[component]);
    }
  },
);

t.test("traces are sent where an endpoint is named, and only then may the pods reach it", { skip }, async (t) => {
  const networkPolicy = { enabled: true };
  const speaks = async (values: Values) => {
    const objects = await render(helm, { ...MODES.deployment, networkPolicy, ...values });
    const texts = objects.filter(({ kind }) => kind === "Deployment").map((object) => JSON.stringify(object));
    const egress = objects
      .filter((object) => object.kind === "NetworkPolicy" && !isHook(object))
      .map(({ spec }) => spec?.["egress"]);
    return { told: texts.filter((text) => text.includes("OTEL_EXPORTER_OTLP_ENDPOINT")).length, egress };
  };
  const off = await speaks({});
  t.equal(off.told, 0);
  for (const [endpoint, port] of [
    ["http://otel.observability.svc:4318", 4318],
    ["http://[fd00::1]:4318/path", 4318],
    ["https://otel.example", 443],
    ["http://otel.example/", 80],
  ] as const) {
    const { told, egress } = await speaks({ tracing: { endpoint, samplingRatio: 0.1 } });
    t.equal(told, 2, "operator and keyring");
    for (const [at, rules] of (egress as object[][]).entries()) {
      const added = rules.filter((rule) => !JSON.stringify(off.egress[at]).includes(JSON.stringify(rule)));
      t.strictSame(added, [{ ports: [{ protocol: "TCP", port }] }], endpoint);
    }
  }
  const to = [{ namespaceSelector: { matchLabels: { name: "observability" } } }];
  const tracing = { endpoint: "http://otel:4318" };
  const { egress } = await speaks({ tracing, networkPolicy: { enabled: true, tracesTo: to } });
  t.equal(egress.filter((rules) => JSON.stringify(rules).includes(JSON.stringify({ to }).slice(1, -1))).length, 2);
  const ownPods = await render(helm, { ...MODES.sidecar, tracing });
  t.equal(JSON.stringify(pick(ownPods, "Deployment", "zopp")).split("OTEL_TRACES_SAMPLER_ARG").length - 1, 2);
  const { code, stderr } = await runHelm(helm, ["template", "zopp"], {
    ...MODES.sidecar,
    tracing: { endpoint: "otel:4318" },
  });
  t.not(code, 0);
  t.match(stderr, /tracing\/endpoint/);
});
