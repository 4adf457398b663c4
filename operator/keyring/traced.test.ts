// Whose word of a trace the keyring takes. What spans say, and that they arrive, is hack/tracing/traces.slow.ts.
import type { UnaryRequest } from "@connectrpc/connect";
import t from "tap";
import { silentLog } from "../kube/observe.js";
import { startTracing } from "../tracing.js";
import { answerTraced } from "./traced.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const header = new Headers({ traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
const request = { service: { typeName: "Keyring" }, method: { name: "Open" }, header } as unknown as UnaryRequest;

t.test("only an operator chooses the trace of its calls, and whether they are sampled", async (t) => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_TRACES_SAMPLER_ARG: "0" };
  const tracing = await startTracing("zopp-keyring", silentLog, env);
  if (tracing === undefined) throw new Error("nothing is traced");
  const within = (role: string) => answerTraced(tracing, request, { role }, async () => tracing.headers());
  t.match(await within("operator"), { traceparent: new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`) });
  for (const role of ["device", "workload", "stranger"]) {
    t.match(await within(role), { traceparent: new RegExp(`^00-(?!${TRACE})[0-9a-f]{32}-[0-9a-f]{16}-00$`) }, role);
  }
  await tracing.close();
});
