// The keyring's port: mutual TLS, a table of who may call what, limits, and errors with a machine-readable reason.
// What the calls do is keyring.ts'; which keys are admitted is enrol.ts' and policy's.
import http2, { type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { createContextKey, createContextValues, type Interceptor } from "@connectrpc/connect";
import { type ConnectNodeAdapterOptions, connectNodeAdapter } from "@connectrpc/connect-node";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { ListenOptions } from "../health.js";
import type { Tracing } from "../kube/observe.js";
import type { KeyringMetrics } from "../metrics.js";
import { Callers } from "./callers.js";
import { isLoopback } from "./enrol.js";
import { Quota, Rate } from "./limits.js";
import { peerKey, type TlsIdentity } from "./tls.js";
import { answerTraced } from "./traced.js";
import { statusHeaders, toConnectError } from "./wire.errors.js";

/** What a caller is to the keyring. */
export type Role = "stranger" | "operator" | "workload" | "device";

/** Who calls, as the connection proved it. */
export interface Peer {
  readonly key: VerifyKey;
  readonly role: Role;
  /** The account, or `principal/device`. */
  readonly actor: string;
  readonly address: string | undefined;
}

/** Which role may call which method; whatever is not here is denied. */
const METHODS: Readonly<Record<string, ReadonlySet<Role>>> = {
  Enrol: new Set<Role>(["stranger", "operator", "workload"]),
  Describe: new Set<Role>(["operator", "device"]),
  Open: new Set<Role>(["operator", "workload", "device"]),
  Join: new Set<Role>(["stranger", "device"]),
  Offer: new Set<Role>(["device"]),
  Wrap: new Set<Role>(["device"]),
  Generate: new Set<Role>(["operator"]),
  // whether it may see anything is audit.ts'
  List: new Set<Role>(["device"]),
  Tail: new Set<Role>(["device"]),
  Proof: new Set<Role>(["device"]),
  Checkpoint: new Set<Role>(["device"]),
  // grpc.health.v1.Health and grpc.reflection.v1.ServerReflection
  Check: new Set<Role>(["operator", "device"]),
  ServerReflectionInfo: new Set<Role>(["operator", "device"]),
};

const LIMITS = {
  strangerBytes: 4 * 1024,
  requestBytes: 3 * 1024 * 1024,
  deadlineMs: 30_000,
  connections: 256,
  streams: 64,
  callsPerPeer: 16,
  /** Of these, calls that last as long as the caller likes: `Audit.Tail` and the like. */
  streamsPerPeer: 4,
  strangersPerSecond: 20,
  idleMs: 10 * 60_000,
  /** How long a request may take to arrive. */
  requestMs: 20_000,
  handshakeMs: 10_000,
  goodbyeMs: 250,
} as const;

const PEER = createContextKey<Peer | null>(null, { description: "the caller" });
const STREAM = createContextKey<http2.ServerHttp2Stream | null>(null, { description: "what the call's bytes go by" });

/** The caller of the present call. */
export function peerOf(values: { get<T>(key: { id: symbol; defaultValue: T }): T }): Peer {
  const peer = values.get(PEER);
  if (peer === null) throw new TypeError("a call without a caller");
  return peer;
}

/** What the server needs. */
export interface ServerOptions extends ListenOptions {
  readonly tls: TlsIdentity;
  readonly metrics: KeyringMetrics;
  readonly tracing?: Tracing | undefined;
  readonly routes: ConnectNodeAdapterOptions["routes"];
  /** What a key is at this moment: asked at every call, so that expiry and policy count at once. */
  identify(key: VerifyKey): Pick<Peer, "role" | "actor">;
}

/** A keyring's port that listens. */
export interface Listening {
  readonly port: number;
  /** Resolves when nobody is connected. */
  deserted(): Promise<void>;
  /** Takes no more connections and lets running calls finish. */
  close(): Promise<void>;
}

/** Opens the port. Throws Internal when it is taken. */
export function listen(options: ServerOptions): Promise<Listening> {
  const server = http2.createSecureServer({
    ...options.tls,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    requestCert: true,
    // certificates are self-signed: peerKey is our own check, and the handshake proves possession
    rejectUnauthorized: false,
    handshakeTimeout: LIMITS.handshakeMs,
    settings: { maxConcurrentStreams: LIMITS.streams },
  });
  const callers = new Callers();
  const handle = handler(options, callers);
  const sessions = guardConnections(server, options, callers);
  server.on("request", handle);
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new ZoppError("Internal", `cannot listen on port ${options.port}: is it taken?`, { cause })),
    );
    server.listen(options.port, options.host, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        deserted: () => deserted(sessions),
        close: () => close(server, sessions),
      });
    });
  });
}

/** Sessions by how many calls run in each. */
type Sessions = ReadonlyMap<http2.ServerHttp2Session, number>;

/** Closes what proves no identity before a byte of HTTP is read, and what is too many. */
function guardConnections(server: Http2SecureServer, { metrics, identify }: ServerOptions, callers: Callers): Sessions {
  const sessions = new Map<http2.ServerHttp2Session, number>();
  server.prependListener("connection", (socket: Socket) => {
    if (!callers.knocks(socket.remoteAddress ?? "")) socket.destroy();
  });
  server.prependListener("secureConnection", (socket: TLSSocket) => {
    const key = peerKey(socket);
    if (key === null || sessions.size >= LIMITS.connections || !callers.came(key.kid)) {
      socket.destroy();
      return;
    }
    const admitted =
      identify(key).role === "stranger" ? callers.stranger(() => refuseStranger(socket, key, identify)) : () => {};
    socket.once("close", () => {
      callers.left(key.kid);
      admitted();
    });
  });
  server.on("session", (session) => {
    sessions.set(session, 0);
    metrics.connections(1);
    session.setTimeout(LIMITS.idleMs, () => session.destroy());
    session.on("error", () => session.destroy());
    session.on("stream", (stream) => {
      sessions.set(session, (sessions.get(session) ?? 0) + 1);
      stream.once("close", () => {
        const calls = sessions.get(session);
        if (calls !== undefined) sessions.set(session, calls - 1);
      });
    });
    session.once("close", () => {
      sessions.delete(session);
      metrics.connections(-1);
    });
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.on("sessionError", () => {});
  return sessions;
}

/** It may have been admitted since it came. */
function refuseStranger(socket: TLSSocket, key: VerifyKey, identify: ServerOptions["identify"]): void {
  if (identify(key).role === "stranger") socket.destroy();
}

type Rates = Readonly<Record<"near" | "far", Rate>>;
type Quotas = Readonly<Record<"calls" | "streams", Quota>>;
type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Strangers get an adapter of their own, which reads 4 KiB at most. */
function handler(options: ServerOptions, callers: Callers): Handler {
  // whoever knocks from outside must not keep the pod's own operator from enrolling
  const rates = { near: new Rate(LIMITS.strangersPerSecond), far: new Rate(LIMITS.strangersPerSecond) };
  const quotas = {
    calls: new Quota(LIMITS.callsPerPeer, "calls"),
    streams: new Quota(LIMITS.streamsPerPeer, "streams"),
  };
  const adapter = (readMaxBytes: number) =>
    connectNodeAdapter({
      routes: options.routes,
      connect: false,
      grpcWeb: false,
      // how well something compresses says what is in it, also through TLS; and nobody gets to unpack anything here
      acceptCompression: [],
      readMaxBytes,
      maxTimeoutMs: LIMITS.deadlineMs,
      interceptors: [guard(options, callers, rates, quotas)],
      contextValues: (given) => {
        const request = given as Http2ServerRequest;
        return createContextValues().set(PEER, callerOf(request, options)).set(STREAM, request.stream);
      },
    });
  const [full, narrow] = [adapter(LIMITS.requestBytes), adapter(LIMITS.strangerBytes)];
  return (request, response) => {
    const peer = callerOf(request, options);
    if (peer === null) return request.stream.session?.destroy();
    const verdict = peer.role === "operator" ? "call" : callers.calls(peer.key.kid);
    if (verdict === "cut") return request.stream.session?.destroy(undefined, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    if (verdict === "refuse") return refuse(response, options.metrics);
    const slow = setTimeout(() => request.stream.close(http2.constants.NGHTTP2_CANCEL), LIMITS.requestMs);
    for (const event of ["end", "close"] as const) request.once(event, () => clearTimeout(slow));
    (peer.role === "stranger" ? narrow : full)(request, response);
  };
}

const TOO_MANY = statusHeaders(new ZoppError("Overloaded", "too many calls of this key: wait, then send fewer"));

/** Without the adapter, which would cost a flood's target more than its sender. */
function refuse(response: Http2ServerResponse, metrics: KeyringMetrics): void {
  metrics.rpc("refused", "Overloaded", 0);
  response.writeHead(200, { "content-type": "application/grpc", ...TOO_MANY });
  response.end();
}

function callerOf(request: Http2ServerRequest, options: ServerOptions): Peer | null {
  const socket = request.stream.session?.socket as TLSSocket | undefined;
  const key = socket === undefined ? null : peerKey(socket);
  return key === null ? null : { key, address: socket?.remoteAddress, ...options.identify(key) };
}

/** Table, rate, quotas, measurements, and errors that say a reason and nothing else. */
function guard({ metrics, tracing }: ServerOptions, callers: Callers, rates: Rates, quotas: Quotas): Interceptor {
  return (next) => async (request) => {
    const started = performance.now();
    const method = request.method.name;
    const peer = peerOf(request.contextValues);
    let code = "ok";
    try {
      const rate = isLoopback(peer.address) ? rates.near : rates.far;
      admit(peer, method, () => callers.asks(peer.address ?? "") && rate.take());
      const stream = request.contextValues.get(STREAM);
      for (const quota of request.stream ? [quotas.calls, quotas.streams] : [quotas.calls])
        countUntilClosed(quota.take(peer.key.kid), stream);
      return await answerTraced(tracing, request, peer, () => next(request));
    } catch (error) {
      const known = asZoppError(error, `the call ${method}`);
      code = known.code;
      throw toConnectError(known);
    } finally {
      metrics.rpc(method, code, (performance.now() - started) / 1000);
    }
  };
}

/** A call is over when its stream is: an answer that nobody fetches is held here, whatever became of the call's deadline. */
function countUntilClosed(free: () => void, stream: http2.ServerHttp2Stream | null): void {
  if (stream === null || stream.destroyed) free();
  else stream.once("close", free);
}

function admit(peer: Peer, method: string, mayAsk: () => boolean): void {
  if (peer.role === "stranger" && !mayAsk())
    throw new ZoppError("Overloaded", "too many calls of keys that are not admitted");
  if (METHODS[method]?.has(peer.role)) return;
  if (peer.role === "stranger")
    throw new ZoppError("Unauthenticated", `the key ${peer.key.kid} is not enrolled; enrol first`);
  throw new ZoppError("MethodDenied", `${peer.actor} may not call ${method}`);
}

async function deserted(sessions: Sessions): Promise<void> {
  while (sessions.size > 0) await ended(sessions);
}

async function ended(sessions: Sessions): Promise<void> {
  await Promise.all([...sessions.keys()].map((session) => new Promise((resolve) => session.once("close", resolve))));
}

/** Says goodbye to everybody, and waits for those whose calls run; who is idle, or never spoke, is not waited for. */
async function close(server: Http2SecureServer, sessions: Sessions): Promise<void> {
  server.close();
  const gone = ended(sessions);
  for (const session of sessions.keys()) session.close();
  const goodbye = setTimeout(() => {
    for (const [session, calls] of sessions) if (calls === 0) session.destroy();
  }, LIMITS.goodbyeMs);
  await gone;
  clearTimeout(goodbye);
}
