// When a process traces. That spans arrive, and what they say, is hack/tracing/traces.slow.ts.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t from "tap";
import { silentLog } from "./kube/observe.js";
import { startTracing } from "./tracing.js";

const start = (env: NodeJS.ProcessEnv) => startTracing("zopp-operator", silentLog, env);
const ENDPOINT = "http://127.0.0.1:9";

t.test("nothing is traced unless an endpoint is named, and nothing when it is switched off", async (t) => {
  for (const env of [
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: "" },
    { OTEL_TRACES_SAMPLER_ARG: "1" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_SDK_DISABLED: "true" },
  ])
    t.equal(await start(env), undefined, JSON.stringify(env));
});

t.test("what cannot be meant is refused at the start", async (t) => {
  await t.rejects(start({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }), { code: "Usage" });
  const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${ENDPOINT}/v1/traces` };
  for (const ratio of ["2", "-1", "some"]) {
    await t.rejects(start({ ...env, OTEL_TRACES_SAMPLER_ARG: ratio }), { code: "Usage" }, ratio);
  }
});

t.test("what is asked within a span names it, and outside of spans nothing is named", async (t) => {
  for (const [ratio, flags] of [
    ["1", "01"],
    ["0", "00"],
  ]) {
    const tracing = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_TRACES_SAMPLER_ARG: ratio });
    if (tracing === undefined) throw new Error("nothing is traced");
    t.strictSame(tracing.headers(), {});
    const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    await tracing.span({ name: "own", kind: "internal" }, async () => {
      t.match(tracing.headers(), { traceparent: new RegExp(`^00-[0-9a-f]{32}-[0-9a-f]{16}-${flags}$`) });
    });
    await tracing.span({ name: "another's", kind: "server", parent }, async () => {
      t.match(tracing.headers(), { traceparent: /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad)[0-9a-f]{16}-00$/ });
    });
    await tracing.span({ name: "garbled", kind: "server", parent: "00-x" }, async () => {
      t.match(tracing.headers(), { traceparent: new RegExp(`^00-[0-9a-f]{32}-[0-9a-f]{16}-${flags}$`) });
    });
    await tracing.close();
  }
});

t.test("a collector that refuses what it gets is no reason not to end in order", async (t) => {
  let refused = 0;
  const collector = createServer((request, response) => {
    refused += 1;
    request.resume().on("end", () => response.writeHead(400).end("no"));
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  t.teardown(() => collector.close());
  const { port } = collector.address() as AddressInfo;
  // the exporter itself reads the process's own
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = `http://127.0.0.1:${port}`;
  t.teardown(() => void delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]);
  const tracing = await start(process.env);
  if (tracing === undefined) throw new Error("nothing is traced");
  await tracing.span({ name: "own", kind: "internal" }, async () => {});
  await t.resolves(tracing.close());
  t.equal(refused, 1);
});
