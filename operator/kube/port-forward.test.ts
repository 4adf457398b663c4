// A stream through the API server to a port, with the kubelet's side of the WebSocket scripted: what runs on a real kubelet is
// docs/reading.md in `make e2e`.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import t, { type Test } from "tap";
import { connectKeyring } from "../keyring/client.js";
import { KEYRING_KEY, KEYS, testKeyring } from "../keyring/server.case.js";
import type { Endpoint } from "./kubeconfig.types.js";
import { silentLog } from "./observe.js";
import { forwardPort } from "./port-forward.js";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const POD = { namespace: "zopp-system", name: "zopp-0" };

/** One binary message, unmasked as servers send it. */
function framed(channel: number, bytes: Uint8Array): Buffer {
  const length = bytes.length + 1;
  const head = length < 126 ? [0x82, length] : [0x82, 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.of(...head, channel), bytes]);
}

const BINARY = 2;
const CLOSE = 8;

/** The client's whole messages; gives what is left of the bytes. */
function unframed(bytes: Buffer, each: (kind: number, payload: Buffer) => void): Buffer {
  let rest = bytes;
  for (;;) {
    const [, second = 0] = rest;
    const wide = (second & 127) === 126;
    const length = wide ? (rest.length < 4 ? 0 : rest.readUInt16BE(2)) : second & 127;
    const at = wide ? 4 : 2;
    if (rest.length < at + 4 || rest.length < at + 4 + length) return rest;
    const mask = rest.subarray(at, at + 4);
    const payload = rest.subarray(at + 4, at + 4 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
    each((rest[0] ?? 0) & 15, Buffer.from(payload));
    rest = rest.subarray(at + 4 + length);
  }
}

/** An API server that forwards to `port` (0: to nothing), and the requests that it saw. */
async function apiServer(t: Test, port: number) {
  const seen: IncomingMessage[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer((_, response) => response.writeHead(403).end());
  server.on("upgrade", (request, socket) => {
    seen.push(request);
    sockets.add(socket);
    socket.on("error", () => undefined);
    if (request.headers.authorization !== "Bearer good") {
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64");
    const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    lines.push(`Sec-WebSocket-Accept: ${accept}`, "Sec-WebSocket-Protocol: v4.channel.k8s.io");
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    const prefix = Buffer.of(0xfb, 0x20);
    for (const channel of [0, 1]) socket.write(framed(channel, prefix));
    if (port === 0) socket.write(framed(1, Buffer.from("nothing listens")));
    else forward(socket, connect(port, "127.0.0.1"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const endpoint = (token: string): Endpoint => ({
    server: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix`),
    credentials: async () => ({ headers: { authorization: `Bearer ${token}` }, tls: {} }),
  });
  return { endpoint, seen, sockets };
}

function forward(socket: Duplex, to: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    rest = unframed(Buffer.concat([rest, bytes]), (kind, payload) => {
      if (kind === BINARY) to.write(payload.subarray(1));
      if (kind === CLOSE) socket.end();
    });
  });
  to.on("data", (bytes) => void socket.write(framed(0, bytes)));
  to.on("close", () => socket.destroy());
  socket.on("close", () => to.destroy());
  to.on("error", () => undefined);
}

/** A port that says everything back. */
async function echo(t: Test): Promise<number> {
  const server = createTcpServer((socket) => void socket.on("error", () => undefined).pipe(socket)).listen(
    0,
    "127.0.0.1",
  );
  await once(server, "listening");
  t.teardown(() => void server.close());
  return (server.address() as AddressInfo).port;
}

t.test("bytes go to the pod's port and come back, whatever their number, and its end is the stream's", async (t) => {
  const api = await apiServer(t, await echo(t));
  const stream = await forwardPort(api.endpoint("good"), POD, 8443);
  t.equal(api.seen[0]?.url, "/prefix/api/v1/namespaces/zopp-system/pods/zopp-0/portforward?ports=8443");
  const sent = Buffer.from(Array.from({ length: 20_000 }, (_, at) => at & 255));
  for (let at = 0; at < sent.length; at += 1_000) stream.write(sent.subarray(at, at + 1_000));
  let got = Buffer.alloc(0);
  for await (const part of stream) {
    got = Buffer.concat([got, part as Buffer]);
    if (got.length >= sent.length) break;
  }
  t.ok(got.equals(sent));
  // who reads no more ends the forwarding, also at the other end
  await Promise.all([...api.sockets].map((socket) => socket.destroyed || once(socket, "close")));
});

t.test("HTTP/2 over TLS goes through it, from the first answer of a connection on", async (t) => {
  const keyring = await testKeyring(t);
  const api = await apiServer(t, keyring.port);
  const { text: keyringKey } = KEYRING_KEY.verifyKey;
  for (let turn = 0; turn < 10; turn += 1) {
    const dial = () => forwardPort(api.endpoint("good"), POD, 8443);
    const connection = { address: "zopp-0.zopp-system:8443", dial, keyringKey, identity: KEYS.device, log: silentLog };
    const client = connectKeyring(connection);
    t.equal((await client.describe()).ready, true);
    await client.close();
  }
});

t.test("a connection that the server cuts ends the stream", async (t) => {
  const api = await apiServer(t, await echo(t));
  const stream = await forwardPort(api.endpoint("good"), POD, 8443);
  const closed = once(stream.resume(), "close");
  for (const socket of api.sockets) socket.destroy();
  await closed;
  t.equal(stream.destroyed, true);
});

t.test("who may not forward, and a port where nothing listens, hear which it was", async (t) => {
  const api = await apiServer(t, 0);
  await t.rejects(forwardPort(api.endpoint("bad"), POD, 8443), {
    code: "ApiUnreachable",
    message: /opens no way to port 8443 of pod zopp-system\/zopp-0.*pods\/portforward/,
  });
  const used = forwardPort(api.endpoint("good"), POD, 8443).then(async (socket) => {
    throw (await once(socket, "error"))[0];
  });
  await t.rejects(used, {
    code: "ApiUnreachable",
    message: /^nothing answers at port 8443 of pod zopp-system\/zopp-0$/,
  });
});

t.test("where no socket can be made, that is said", async (t) => {
  const api = await apiServer(t, await echo(t));
  const before = process.env["TMPDIR"];
  const tooLong = join(t.testdir(), "x".repeat(120));
  mkdirSync(tooLong);
  process.env["TMPDIR"] = tooLong;
  t.teardown(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  });
  await t.rejects(forwardPort(api.endpoint("good"), POD, 8443), {
    code: "FileUnwritable",
    message: /^cannot make a socket in .*xxx$/,
  });
});
