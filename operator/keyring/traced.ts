// What of a keyring becomes a span: calls at both ends, and each segment of the log.
// A trace decides nothing: of an operator's header only the span above is taken, and only once the call was admitted; of others' nothing.
import type { Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import type { Tracing } from "../kube/observe.js";
import { fromConnectError } from "./wire.errors.js";

/** The header of W3C Trace Context. No other one of it is read: `tracestate` and `baggage` are a caller's own words. */
const HEADER = "traceparent";

/** A caller's side of calls. */
export function callsTraced(tracing: Tracing | undefined): Interceptor[] {
  if (tracing === undefined) return [];
  return [
    (next) => (request) =>
      tracing.span({ ...nameOf(request), kind: "client" }, async () => {
        for (const [name, value] of Object.entries(tracing.headers())) request.header.set(name, value);
        try {
          return await next(request);
        } catch (error) {
          tracing.say({ "error.type": fromConnectError(error).code });
          throw error;
        }
      }),
  ];
}

/** The keyring's side of one call that was admitted. */
export function answerTraced<T>(
  tracing: Tracing | undefined,
  request: UnaryRequest | StreamRequest,
  { role }: { readonly role: string },
  answer: () => Promise<T>,
): Promise<T> {
  if (tracing === undefined) return answer();
  // nobody else chooses a trace, nor has all of its calls sampled
  const parent = role === "operator" ? (request.header.get(HEADER) ?? undefined) : undefined;
  const { name, attributes } = nameOf(request);
  return tracing.span({ name, attributes: { ...attributes, "zopp.role": role }, kind: "server", parent }, answer);
}

/** One segment of the log, until it is stored or will not be. */
export function segmentTraced<T>(
  tracing: Tracing | undefined,
  { spec: { first, count } }: ZoppAuditSegment,
  store: () => Promise<T>,
): Promise<T> {
  if (tracing === undefined) return store();
  const attributes = { "zopp.log.first": first, "zopp.log.records": count };
  return tracing.span({ name: "log segment", kind: "internal", attributes }, store);
}

function nameOf({ service, method }: UnaryRequest | StreamRequest) {
  const attributes = { "rpc.system": "grpc", "rpc.service": service.typeName, "rpc.method": method.name };
  return { name: `${service.typeName}/${method.name}`, attributes };
}
