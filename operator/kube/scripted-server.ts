// For tests only: an HTTP server on loopback that answers exactly as a test says, half lines and cuts included.
// Imitates no Kubernetes semantics; those are tested on a real API server.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Endpoint } from "./kubeconfig.types.js";
import type { KubeObject } from "./resources.js";

/** One request as it came. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Answers one request. */
export type Script = (request: Received, response: ServerResponse) => void;

/** A running server. */
export interface ScriptedServer {
  readonly endpoint: Endpoint;
  /** Everything received so far. */
  readonly received: Received[];
  /** How many sockets were opened so far. */
  readonly sockets: () => number;
  /** Answers from now on by another script. */
  use(script: Script): void;
  /** Cuts every connection and refuses new ones. */
  down(): Promise<void>;
  /** Listens again on the same port. */
  up(): Promise<void>;
}

/** Starts a server on a free port. */
export async function scriptedServer(script: Script): Promise<ScriptedServer> {
  let current = script;
  let opened = 0;
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://server");
      const body = Buffer.concat(parts).toString("utf8");
      const one = {
        method: request.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body,
      };
      received.push(one);
      current(one, response);
    });
  });
  server.on("connection", () => {
    opened += 1;
  });
  const up = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await up(0);
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: { server: new URL(`http://127.0.0.1:${port}`), credentials: async () => ({ headers: {}, tls: {} }) },
    received,
    sockets: () => opened,
    use(next) {
      current = next;
    },
    up: () => up(port),
    down: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers with JSON. */
export function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** A Status object, as the API server sends for failures; its message stands for something secret. */
export function statusOf(code: number, reason: string, details?: object): object {
  return {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    message: "hunter2 is quoted here",
    reason,
    code,
    details,
  };
}

/** A ConfigMap-like object of namespace `shop`. */
export function object(name: string, resourceVersion: number, more: object = {}): KubeObject {
  const metadata = { name, namespace: "shop", uid: `uid-${name}`, resourceVersion: String(resourceVersion), ...more };
  return { metadata };
}

/** One line of a watch. */
export function line(type: string, of: object): string {
  return `${JSON.stringify({ type, object: of })}\n`;
}
