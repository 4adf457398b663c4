// Stands between a process and a real API server and spoils what a test says: answers, watches, silence, its certificate.
// Keeps the writes that the server took, in order. Imitates no Kubernetes semantics: what it lets pass is the server's own.
import { readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, request as ask, createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import type { TlsIdentity } from "../operator/keyring/tls.js";
import type { ControlPlane } from "./control-plane/control-plane.js";
import { expiredPair } from "./fixtures.tls.js";

/** One request as it came. */
export interface Asked {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

/** What is done to a request instead of passing it on and its answer back. */
export type Fault =
  /** The server never sees it, and this is the answer; `retryAfter` in seconds. */
  | { readonly kind: "refuse"; readonly status: number; readonly reason: string; readonly retryAfter?: number }
  /** A watch begins with an event of type ERROR. */
  | { readonly kind: "error event"; readonly status: number; readonly reason: string }
  /** Half of the next part of the answer arrives, then the connection breaks. */
  | { readonly kind: "cut" }
  /** The server does it, and the connection breaks before its answer arrives. */
  | { readonly kind: "lose" }
  /** The server never sees it; the connection breaks when the fault is lifted. */
  | { readonly kind: "hang" }
  /** The server sees it so much later. */
  | { readonly kind: "delay"; readonly ms: number };

/** Says what is done to a request; nothing = it passes. */
export type Choose = (asked: Asked) => Fault | undefined;

const CHANGING = new Set(["POST", "PUT", "PATCH", "DELETE"]);

let proxies = 0;

/** A running proxy. Live until `stop()`. */
export class FaultingProxy {
  /** The path of an administrator's kubeconfig that leads through the proxy. */
  readonly kubeconfig: string;
  /** What the server was asked to change and did, in the order in which it was done; no dry runs are told apart. */
  readonly written: Asked[] = [];
  /** Connections that came while its certificate had expired, and requests over any on which that one was shown. */
  readonly expired = { came: 0, asked: 0 };
  readonly #target: URL;
  readonly #agent: Agent;
  readonly #server: Server;
  readonly #certificates: Readonly<Record<"good" | "expired", TlsIdentity>>;
  /** Connections on which the expired one was shown. */
  readonly #shown = new WeakSet<Socket>();
  #hasExpired = false;
  readonly #hanging = new Set<ServerResponse>();
  readonly #watches = new Set<ServerResponse>();
  #choose: Choose | undefined;
  #spoilt = 0;

  private constructor({ url, ca, folder }: ControlPlane, name: string, expired: TlsIdentity) {
    this.#target = new URL(url);
    this.#agent = new Agent({ ca, keepAlive: true });
    this.kubeconfig = join(folder, `${name}.kubeconfig`);
    // the API server's own certificate: whoever trusts the one trusts the other
    const file = (name: string) => readFileSync(join(folder, "certificates", name));
    const good = { cert: file("apiserver.crt").toString(), key: file("apiserver.key").toString() };
    this.#certificates = { good, expired };
    this.#server = createServer(good, (request, response) => {
      if (this.#shown.has(request.socket)) this.expired.asked += 1;
      void this.#answer(request, response).catch(() => response.destroy());
    });
    this.#server.on("connection", () => {
      if (this.#hasExpired) this.expired.came += 1;
    });
    this.#server.on("secureConnection", (socket: TLSSocket) => {
      // what the handshake showed: it may have begun before a change
      const { valid_to = "" } = (socket.getCertificate() ?? {}) as { readonly valid_to?: string };
      if (Date.parse(valid_to) < Date.now()) this.#shown.add(socket);
    });
  }

  /**
   * A proxy before this control plane, on a free port; each has a name of its own. `through` gives, for that port, the one
   * that its kubeconfig says: of something that stands before the proxy.
   */
  static async start(
    controlPlane: ControlPlane,
    name?: string,
    through = async (port: number) => port,
  ): Promise<FaultingProxy> {
    proxies += 1;
    // before anything is waited for: several may be started at once
    const named = name ?? `proxy-${proxies}`;
    const expired = await expiredPair();
    const proxy = new FaultingProxy(controlPlane, named, expired);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    const port = await through((proxy.#server.address() as AddressInfo).port);
    const direct = readFileSync(controlPlane.kubeconfig, "utf8");
    // trusted too, so that its time is the one thing that is wrong with the expired one
    const trusted = direct.replace(base64(controlPlane.ca), base64(controlPlane.ca + expired.cert));
    writeFileSync(proxy.kubeconfig, trusted.replaceAll(controlPlane.url, `https://127.0.0.1:${port}`), { mode: 0o600 });
    return proxy;
  }

  /** Where it listens. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many requests the present fault has spoilt. */
  get spoilt(): number {
    return this.#spoilt;
  }

  /** From now on requests are spoilt as this says. */
  fault(choose: Choose): void {
    this.#choose = choose;
    this.#spoilt = 0;
  }

  /** From now on everything passes; what hangs breaks. */
  lift(): void {
    this.#choose = undefined;
    for (const response of this.#hanging) response.destroy();
    this.#hanging.clear();
  }

  /** Breaks every watch that is open, so that its client asks again. */
  breakWatches(): void {
    for (const response of this.#watches) response.destroy();
  }

  /** Breaks every connection; whoever comes from now on is shown a certificate that has expired. */
  expireCertificate(): void {
    this.#show("expired");
  }

  /** Breaks every connection; whoever comes from now on is shown the good certificate again. */
  renewCertificate(): void {
    this.#show("good");
  }

  /** Ends every connection. */
  async stop(): Promise<void> {
    this.lift();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  #show(which: "good" | "expired"): void {
    this.#hasExpired = which === "expired";
    // another context has other keys for tickets, so no session that was begun by the one goes on by the other
    this.#server.setSecureContext(this.#certificates[which]);
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await readAsked(request);
    const fault = this.#choose?.(asked);
    if (fault !== undefined) this.#spoilt += 1;
    if (fault?.kind === "refuse") return refuse(response, fault);
    if (fault?.kind === "error event") return errorEvent(response, fault);
    if (fault?.kind === "hang") return void this.#hanging.add(response);
    if (fault?.kind === "delay") await sleep(fault.ms);
    await this.#pass({ request, asked, response, fault });
  }

  /** Asks the server and gives its answer, or half of it, or none. */
  #pass({ request, asked, response, fault }: Passing): Promise<void> {
    const { method = "GET", url: path, headers } = request;
    const { hostname, port } = this.#target;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onward = ask({ hostname, port, method, path, headers, agent: this.#agent }, (answer) => {
      const { statusCode = 500 } = answer;
      if (statusCode < 300 && CHANGING.has(method)) this.written.push(asked);
      if (asked.query.get("watch") === "true") this.#watches.add(response);
      answer.once("error", reject).once("end", resolve);
      response.once("close", () => this.#watches.delete(response) && answer.destroy());
      if (fault?.kind === "lose") {
        answer.resume();
        return response.destroy();
      }
      response.writeHead(statusCode, answer.headers).flushHeaders();
      if (fault?.kind !== "cut") return answer.pipe(response);
      return answer.once("data", (part: Buffer) => {
        response.write(part.subarray(0, part.length >> 1), () => response.destroy());
      });
    });
    onward.once("error", reject).end(asked.body);
    return promise;
  }
}

interface Passing {
  readonly request: IncomingMessage;
  readonly asked: Asked;
  readonly response: ServerResponse;
  readonly fault: Fault | undefined;
}

async function readAsked(request: IncomingMessage): Promise<Asked> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const { pathname, searchParams } = new URL(request.url ?? "/", "https://server");
  const body = Buffer.concat(parts).toString("utf8");
  return { method: request.method ?? "GET", path: pathname, query: searchParams, body };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function statusOf(code: number, reason: string): object {
  return { kind: "Status", apiVersion: "v1", status: "Failure", message: "spoilt by a test", reason, code };
}

function refuse(response: ServerResponse, { status, reason, retryAfter }: Extract<Fault, { kind: "refuse" }>): void {
  const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(statusOf(status, reason)));
}

function errorEvent(response: ServerResponse, { status, reason }: Extract<Fault, { kind: "error event" }>): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(`${JSON.stringify({ type: "ERROR", object: statusOf(status, reason) })}\n`);
}
