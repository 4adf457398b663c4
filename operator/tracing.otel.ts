// Spans by OpenTelemetry, sent to a collector in batches. Loaded by tracing.ts, and only where somebody asks for traces.
// Nothing is global but the handler of its errors: no library instruments itself, so a span says what our code says.
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { parseTraceParent, setGlobalErrorHandler } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { ZoppError } from "../crds/errors.js";
import { VERSION } from "../crds/version.js";
import type { Log, Tracing } from "./kube/observe.js";

const KINDS = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT, server: SpanKind.SERVER } as const;
/** The end of a process waits for its last spans for so long. */
const PATIENCE_MS = 2_000;
/** A collector that is away is told once in so long. */
const QUIET_MS = 60_000;

/** Tracing of a process. */
export interface ProcessTracing extends Tracing {
  /** Sends what waits, within two seconds. */
  close(): Promise<void>;
}

/** Starts tracing; `ratio` of what begins here is traced. */
export function openTelemetry(of: {
  readonly service: string;
  readonly ratio: number;
  readonly log: Log;
}): ProcessTracing {
  sayLost(of.log);
  const own = { "service.name": of.service, "service.version": VERSION, "service.instance.id": hostname() };
  const provider = new TracerProvider({
    // no detector that reads the command line or the machine
    resource: resourceFromAttributes(own).merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(of.ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer(of.service, VERSION);
  const contexts = new AsyncLocalStorageContextManager().enable();
  const here = (): Span | undefined => trace.getSpan(contexts.active());
  return {
    span: ({ name, kind, attributes = {}, parent }, work) => {
      const above = parent === undefined ? contexts.active() : remote(parent);
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, above);
      return contexts.with(trace.setSpan(above, span), () => ended(span, work));
    },
    say: (attributes) => void here()?.setAttributes(attributes),
    headers: () => {
      const spoken = here()?.spanContext();
      if (spoken === undefined) return {};
      const flags = spoken.traceFlags & TraceFlags.SAMPLED ? "01" : "00";
      return { traceparent: `00-${spoken.traceId}-${spoken.spanId}-${flags}` };
    },
    // spans that a collector refuses in the end are lost, and no reason not to end in order
    close: () => Promise.race([provider.shutdown().catch(() => {}), sleep(PATIENCE_MS, undefined, { ref: false })]),
  };
}

/** What somebody else's header says of the span above; one that is no traceparent begins a trace. */
function remote(traceparent: string): Context {
  const parent = parseTraceParent(traceparent);
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}

/** Of an error only its code is said: messages of others can quote what they failed on. */
async function ended<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ZoppError) span.setAttribute("error.type", error.code);
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function sayLost(log: Log): void {
  let saidAt = Number.NEGATIVE_INFINITY;
  setGlobalErrorHandler((err) => {
    if (performance.now() - saidAt < QUIET_MS) return;
    saidAt = performance.now();
    log.warn({ err }, "traces are lost: the collector does not take them");
  });
}
