// Small HTTP servers for probes and metrics: /healthz, /readyz, /startz, /metrics.
// What live, ready and started mean is decided by whoever starts them.

import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { ZoppError } from "../crds/errors.js";

/** A server that listens. */
export interface Serving {
  /** The port that was taken, when 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

/** Where to listen; port 0 = any free one. */
export interface ListenOptions {
  readonly port: number;
  /** Absent: all addresses, IPv6 too where there is any, since kubelet and Prometheus come from outside the pod. */
  readonly host?: string | undefined;
}

/** What probes ask: null = fine, else the reason, which is shown. */
export interface HealthOptions extends ListenOptions {
  live(): string | null;
  ready(): string | null;
  /** Whether whoever waits for this process may go on; as live, where it is not given. */
  started?(): string | null;
}

/** Answers /healthz, /readyz and /startz with 200 `ok`, or 503 and the reason. Throws Internal when the port is taken. */
export function serveHealth(options: HealthOptions): Promise<Serving> {
  const checks: Record<string, () => string | null> = {
    "/healthz": options.live,
    "/readyz": options.ready,
    "/startz": options.started ?? options.live,
  };
  return listen(options, (request, response) => {
    const check = checks[pathOf(request.url)];
    if (check === undefined) return answer(response, 404, "not found");
    const reason = check();
    answer(response, reason === null ? 200 : 503, reason ?? "ok");
  });
}

/** Answers /metrics in Prometheus' text form. Throws Internal when the port is taken. */
export function serveMetrics(options: ListenOptions & { readonly registry: Registry }): Promise<Serving> {
  return listen(options, async (request, response) => {
    if (pathOf(request.url) !== "/metrics") return answer(response, 404, "not found");
    try {
      answer(response, 200, await options.registry.metrics(), options.registry.contentType);
    } catch {
      answer(response, 500, "cannot collect");
    }
  });
}

function pathOf(url: string | undefined): string {
  return (url ?? "").split("?", 1)[0] ?? "";
}

function answer(response: ServerResponse, status: number, text: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(text);
}

function listen({ port, host }: ListenOptions, listener: RequestListener): Promise<Serving> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 8192 }, listener);
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new ZoppError("Internal", `cannot listen on port ${port}: is it taken?`, { cause })),
    );
    server.listen(port, host, () =>
      resolve({ port: (server.address() as AddressInfo).port, close: () => close(server) }),
    );
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
