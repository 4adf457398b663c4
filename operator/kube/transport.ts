// One pool of connections to one API server, kept open, with fresh credentials on every request.
// Knows HTTP and nothing of Kubernetes objects.

import { type Dispatcher, Pool, ProxyAgent } from "undici";
import { ZoppError } from "../../crds/errors.js";
import { parseRetryAfter, unreachable } from "./errors.js";
import { fenced } from "./fence.js";
import type { Credentials, Endpoint, TlsOptions } from "./kubeconfig.types.js";
import { type Answered, Limiter, type Pass } from "./limiter.js";
import type { ClientHooks, Tracing } from "./observe.js";

/** How a transport is made. */
export interface TransportOptions {
  readonly endpoint: Endpoint;
  readonly userAgent: string;
  /** Sockets for requests (default 32); watches have sockets of their own beside these. */
  readonly connections?: number | undefined;
  /** Send fewer requests at once while the API server has too much to do (see {@link Limiter}); watches are not counted. */
  readonly adaptive?: boolean | undefined;
  /** Longest wait for an answer's headers and between parts of its body (default 30 s). */
  readonly timeoutMs?: number | undefined;
  /** Longest answer that is read whole (default 64 MiB); a list that is longer is asked for in smaller pages. */
  readonly maxAnswerBytes?: number | undefined;
  readonly hooks?: ClientHooks | undefined;
  readonly tracing?: Tracing | undefined;
  /** Asked of the path as a request that changes something goes out; false: it fails (NotLeading). Absent: all go out. */
  readonly mayWrite?: ((path: string) => boolean) | undefined;
}

/** One request; `action` names it in errors ("get secrets shop/api"). */
export interface ApiRequest {
  readonly action: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly accept?: string | undefined;
  readonly contentType?: string | undefined;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A whole answer. */
export interface ApiResponse {
  readonly status: number;
  readonly text: string;
  readonly retryAfter?: string | undefined;
}

/** The start of an answer that goes on. */
export interface ApiStream {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
  readonly retryAfter?: string | undefined;
}

interface Sockets {
  readonly identity: string;
  readonly requests: Dispatcher;
  /** The same, but for what may not be written. */
  readonly asking: Dispatcher;
  readonly watches: Dispatcher;
}

const CONNECTIONS = 32;
/** client-go reads token files again after a minute too. */
const CREDENTIALS_MS = 60_000;
/** Below the API server's own 90 s, so that a request never goes out on a socket that it just closed. */
const KEEP_ALIVE_MS = 60_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Sockets and credentials of a process for one API server. Live from construction to `close()`. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #timeoutMs: number;
  readonly #limiter: Limiter | undefined;
  #sockets: Sockets | null = null;
  #headers: Record<string, string> = {};
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<Sockets> | null = null;
  #closed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    if (options.adaptive !== true) return;
    const limited = (requests: number) => options.hooks?.limited?.(requests);
    this.#limiter = new Limiter({ most: options.connections ?? CONNECTIONS, limited });
  }

  /** Sends a request and reads its whole answer, whatever its status. Throws ApiUnreachable when there is none. */
  send(request: ApiRequest): Promise<ApiResponse> {
    return this.#traced(request, () => this.#send(request));
  }

  async #send(request: ApiRequest): Promise<ApiResponse> {
    const pass = await this.#enter(request);
    const startedAt = performance.now();
    let answered: Answered | undefined;
    try {
      const sockets = await this.#connect();
      const { statusCode, headers, body } = await sockets.asking.request(this.#dispatch(request, this.#timeoutMs));
      const text = await body.text();
      this.#seen(request, statusCode, startedAt);
      const retryAfter = headerText(headers["retry-after"]);
      // a list may take its time
      answered = { status: statusCode, retryAfterMs: parseRetryAfter(retryAfter), isQuick: request.method !== "GET" };
      return { status: statusCode, text, retryAfter };
    } catch (error) {
      throw this.#failed(request, error, startedAt);
    } finally {
      pass?.end(answered);
    }
  }

  /**
   * Sends a request and gives the answer's body as it comes; the caller reads it to its end or aborts `signal`.
   * `quietMs` is the longest silence inside the body. Throws ApiUnreachable when there is no answer.
   */
  stream(request: ApiRequest, quietMs: number): Promise<ApiStream> {
    return this.#traced(request, () => this.#stream(request, quietMs));
  }

  async #stream(request: ApiRequest, quietMs: number): Promise<ApiStream> {
    const startedAt = performance.now();
    try {
      const sockets = await this.#connect();
      const { statusCode, headers, body } = await sockets.watches.request(this.#dispatch(request, quietMs));
      this.#seen(request, statusCode, startedAt);
      return { status: statusCode, body, retryAfter: headerText(headers["retry-after"]) };
    } catch (error) {
      throw this.#failed(request, error, startedAt);
    }
  }

  /** Cuts every connection; requests in flight fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const sockets = this.#sockets;
    this.#sockets = null;
    if (sockets !== null) await Promise.all([sockets.requests.destroy(), sockets.watches.destroy()]);
  }

  /** A request is a span from being asked for to its answer, or the start of one that goes on. */
  #traced<T extends { readonly status: number }>(request: ApiRequest, ask: () => Promise<T>): Promise<T> {
    const { tracing } = this.#options;
    if (tracing === undefined) return ask();
    // "get secrets shop/api": which one it is stands in the span above
    const [verb = "", resource = ""] = request.action.split(" ");
    const attributes = { "http.request.method": request.method, "zopp.verb": verb, "zopp.resource": resource };
    return tracing.span({ name: `${verb} ${resource}`, kind: "client", attributes }, async () => {
      const answer = await ask();
      tracing.say({ "http.response.status_code": answer.status });
      return answer;
    });
  }

  async #enter({ action, signal }: ApiRequest): Promise<Pass | undefined> {
    try {
      return await this.#limiter?.enter(signal);
    } catch (error) {
      throw unreachable(action, error);
    }
  }

  #dispatch(request: ApiRequest, bodyTimeout: number): Dispatcher.RequestOptions {
    const headers: Record<string, string> = {
      ...this.#headers,
      ...this.#options.tracing?.headers(),
      "user-agent": this.#options.userAgent,
      accept: request.accept ?? "application/json",
    };
    if (request.contentType !== undefined) headers["content-type"] = request.contentType;
    return {
      origin: this.#options.endpoint.server.origin,
      path: `${this.#root}${request.path}`,
      method: request.method,
      headers,
      body: request.body ?? null,
      signal: request.signal ?? null,
      headersTimeout: this.#timeoutMs,
      bodyTimeout,
    };
  }

  /** What stands before every path. */
  get #root(): string {
    return this.#options.endpoint.server.pathname.replace(/\/$/, "");
  }

  async #connect(): Promise<Sockets> {
    if (this.#closed) throw new TypeError("the API client is closed");
    if (this.#sockets !== null && performance.now() - this.#readAt < CREDENTIALS_MS) return this.#sockets;
    this.#reading ??= this.#refresh().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /** Reads the credentials again; sockets are replaced only when what they were made from changed. Only the first reading can fail. */
  async #refresh(): Promise<Sockets> {
    const old = this.#sockets;
    let read: Credentials;
    try {
      read = await this.#options.endpoint.credentials();
    } catch (error) {
      if (old === null) throw error;
      // a file that is just being replaced, or no descriptor left: what was read before may well be good until the next reading
      this.#readAt = performance.now();
      return old;
    }
    const { headers, tls } = read;
    this.#headers = { ...headers };
    this.#readAt = performance.now();
    const identity = JSON.stringify(tls);
    if (old !== null && old.identity === identity) return old;
    const { requests, watches } = this.#open(tls);
    const { mayWrite } = this.#options;
    const made = {
      identity,
      requests,
      watches,
      asking: mayWrite ? fenced(requests, (path) => mayWrite(path.slice(this.#root.length))) : requests,
    };
    this.#sockets = made;
    // requests in flight end on the old sockets; a watch that does not is cut when it is quiet
    if (old !== null) void Promise.allSettled([old.requests.close(), old.watches.close()]);
    return made;
  }

  #open(tls: TlsOptions): Pick<Sockets, "requests" | "watches"> {
    const { endpoint } = this.#options;
    // one multiplexed h2 connection costs a fifth more CPU per small PATCH than sockets of HTTP/1.1, and is slower
    const shared = { allowH2: false, keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS };
    const connections = this.#options.connections ?? CONNECTIONS;
    const maxResponseSize = this.#options.maxAnswerBytes ?? MAX_ANSWER_BYTES;
    if (endpoint.proxy !== undefined) {
      const proxy = { ...shared, uri: endpoint.proxy, proxyTunnel: true, requestTls: { ...tls } };
      return { requests: new ProxyAgent({ ...proxy, connections, maxResponseSize }), watches: new ProxyAgent(proxy) };
    }
    const connect = { ...tls, timeout: 10_000, keepAlive: true, keepAliveInitialDelay: 30_000 };
    const { origin } = endpoint.server;
    return {
      requests: new Pool(origin, { ...shared, connect, connections, maxResponseSize }),
      watches: new Pool(origin, { ...shared, connect }),
    };
  }

  #seen(request: ApiRequest, status: number, startedAt: number): void {
    // a rotated token is read at once, not after a minute
    if (status === 401) this.#readAt = Number.NEGATIVE_INFINITY;
    this.#options.hooks?.requested?.(request.method, String(status), (performance.now() - startedAt) / 1000);
  }

  #failed(request: ApiRequest, error: unknown, startedAt: number): unknown {
    this.#options.hooks?.requested?.(request.method, "<error>", (performance.now() - startedAt) / 1000);
    if (error instanceof TypeError || error instanceof ZoppError) return error;
    return unreachable(request.action, error);
  }
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
