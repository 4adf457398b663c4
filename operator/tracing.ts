// Whether a process tells OpenTelemetry what it does, by the standard variables. Where not, nothing of it is loaded.
// What a span is made of is tracing.otel.ts'; what becomes one, whoever does it.
import { ZoppError } from "../crds/errors.js";
import type { Log } from "./kube/observe.js";
import type { ProcessTracing } from "./tracing.otel.js";

/**
 * Tracing by OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT (OTLP over HTTP, as JSON); undefined without.
 * Of what begins here OTEL_TRACES_SAMPLER_ARG is the part that is traced, 1 unless said otherwise. Throws Usage.
 */
export async function startTracing(
  service: string,
  log: Log,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ProcessTracing | undefined> {
  const endpoint = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] || env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (!endpoint || env["OTEL_SDK_DISABLED"] === "true") return undefined;
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new ZoppError("Usage", "the endpoint for traces (OTEL_EXPORTER_OTLP_…) is no http:// or https:// address");
  const ratio = Number(env["OTEL_TRACES_SAMPLER_ARG"] || "1");
  if (!(ratio >= 0 && ratio <= 1)) throw new ZoppError("Usage", "OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1");
  const { openTelemetry } = await import("./tracing.otel.js");
  return openTelemetry({ service, ratio, log });
}
