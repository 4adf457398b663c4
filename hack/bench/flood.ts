// One caller who floods the keyring: two hundred connections and two thousand calls a second, in a process of its own.
// Run as a program: address, and who of the fixtures calls. Prints, on SIGTERM, what became of the calls.
import http2 from "node:http2";
import { constants, setPriority } from "node:os";
import { connect, type TLSSocket } from "node:tls";
import { tlsIdentity } from "../../operator/keyring/tls.js";
import { identityOf } from "../fixtures.js";

const CONNECTIONS = 200;
const CALLS_PER_SECOND = 2_000;
const TICK_MS = 10;
/** An empty message. */
const FRAME = Buffer.alloc(5);

// it stands for another machine: what its own work takes of this one's CPU must not count as the keyring's trouble
setPriority(constants.priority.PRIORITY_LOW);
const [address = "", name = ""] = process.argv.slice(2);
const [host = "", port = ""] = address.split(":");
const identity = await tlsIdentity(identityOf(name).signing);
const sessions = new Set<http2.ClientHttp2Session>();
const counts = { calls: 0, answered: 0, refused: 0, connections: 0 };

function open(): void {
  counts.connections += 1;
  const socket: TLSSocket = connect({
    host,
    port: Number(port),
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
    ...identity,
  });
  socket.on("error", () => {});
  socket.once("secureConnect", () => {
    const session = http2.connect("https://keyring", { createConnection: () => socket });
    session.on("error", () => {});
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
}

function call(session: http2.ClientHttp2Session): void {
  counts.calls += 1;
  const stream = session.request({
    ":method": "POST",
    ":path": "/zopp.v1alpha1.Keyring/Describe",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.once("response", (headers) => {
    if (headers["grpc-status"] === undefined) counts.answered += 1;
    else counts.refused += 1;
  });
  stream.resume();
  stream.end(FRAME);
}

let owed = 0;
setInterval(() => {
  // whatever was closed is opened again, so that all two hundred come anew each second
  for (let at = 0; at < (CONNECTIONS * TICK_MS) / 1000 && sessions.size < CONNECTIONS; at += 1) open();
  owed = Math.min(owed + (CALLS_PER_SECOND * TICK_MS) / 1000, CALLS_PER_SECOND);
  const live = [...sessions];
  for (; owed >= 1 && live.length > 0; owed -= 1) {
    const session = live[Math.floor(owed) % live.length];
    if (session !== undefined && !session.closed && !session.destroyed) call(session);
  }
}, TICK_MS);
process.once("SIGTERM", () => {
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
});
