// A socket to a port of a pod through the API server, as `kubectl port-forward` makes one, but without a port on this machine.
// What is spoken on it is the caller's business.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { Agent, type Dispatcher, ProxyAgent, WebSocket } from "undici";
import { ZoppError } from "../../crds/errors.js";
import type { Endpoint } from "./kubeconfig.types.js";
import { type Place, PODS, pathOf } from "./resources.js";

/** The kubelet's form of it for WebSockets: a byte that names the channel, then bytes of that channel. */
const PROTOCOL = "v4.channel.k8s.io";
const DATA = 0;
const ERROR = 1;
/** The first message of either channel begins with the port's number. */
const PORT_BYTES = 2;
const OPEN_MS = 10_000;

/** Opens the stream; whoever destroys it ends the forwarding. Throws ApiUnreachable, and NotFound or Malformed as the endpoint. */
export async function forwardPort(endpoint: Endpoint, pod: Required<Place>, port: number): Promise<Socket> {
  const { headers, tls } = await endpoint.credentials();
  const dispatcher =
    endpoint.proxy === undefined
      ? new Agent({ connect: { ...tls }, allowH2: false })
      : new ProxyAgent({ uri: endpoint.proxy, proxyTunnel: true, requestTls: { ...tls }, allowH2: false });
  const url = new URL(endpoint.server);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/$/, "")}${pathOf(PODS, pod, "portforward")}`;
  url.search = `?ports=${port}`;
  const socket = new WebSocket(url, { protocols: [PROTOCOL], headers: { ...headers }, dispatcher });
  socket.binaryType = "arraybuffer";
  const what = `port ${port} of pod ${pod.namespace}/${pod.name}`;
  try {
    await opened(socket, what);
    return await asSocket(streamOf(socket, dispatcher, what));
  } catch (error) {
    socket.close();
    await dispatcher.destroy();
    throw error;
  }
}

function opened(socket: WebSocket, what: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // a WebSocket does not say with which status it was refused
  const refuse = () =>
    reject(
      new ZoppError(
        "ApiUnreachable",
        `the API server opens no way to ${what}: is it there, and may this account create pods/portforward?`,
      ),
    );
  const timer = setTimeout(refuse, OPEN_MS);
  socket.addEventListener("open", () => resolve());
  socket.addEventListener("error", refuse);
  socket.addEventListener("close", refuse);
  return promise.finally(() => clearTimeout(timer));
}

function streamOf(socket: WebSocket, dispatcher: Dispatcher, what: string): Duplex {
  const begun = new Set<number>();
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      if (socket.readyState === WebSocket.OPEN) socket.send(Buffer.concat([Buffer.of(DATA), chunk]));
      done();
    },
    final(done) {
      socket.close();
      done();
    },
    destroy(error, done) {
      socket.close();
      void dispatcher.destroy().finally(() => done(error));
    },
  });
  socket.addEventListener("message", ({ data }) => {
    const message = Buffer.from(data as ArrayBuffer);
    const channel = message[0] ?? ERROR;
    const bytes = message.subarray(begun.has(channel) ? 1 : 1 + PORT_BYTES);
    begun.add(channel);
    if (bytes.length === 0) return;
    if (channel === DATA) stream.push(bytes);
    // what the kubelet says there is not repeated: it is not ours
    else stream.destroy(new ZoppError("ApiUnreachable", `nothing answers at ${what}`));
  });
  socket.addEventListener("close", () => stream.destroy());
  return stream;
}

/**
 * The stream as a socket: HTTP/2 over TLS over anything else loses the first answer of a connection. The way between them
 * is a Unix socket in a folder that nobody else may enter, and is gone once both ends have met.
 */
async function asSocket(stream: Duplex): Promise<Socket> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-"));
  const path = join(folder, "s");
  const server = createServer();
  let failed: Error | undefined;
  stream.on("error", (error) => {
    failed = error;
  });
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
    const near = connect(path);
    const [[far]] = await Promise.all([once(server, "connection") as Promise<[Socket]>, once(near, "connect")]);
    if (failed !== undefined) {
      for (const end of [near, far]) end.destroy();
      throw failed;
    }
    // one end's end is the other's
    stream.on("error", (error) => near.destroy(error)).on("close", () => far.destroySoon());
    far.on("error", () => stream.destroy()).on("close", () => stream.destroy());
    far.pipe(stream).pipe(far);
    return near;
  } catch (cause) {
    stream.destroy();
    if (cause === failed) throw cause;
    throw new ZoppError("FileUnwritable", `cannot make a socket in ${tmpdir()}`, { cause });
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
