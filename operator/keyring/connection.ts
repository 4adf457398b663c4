// Connections to a port whose key is pinned: HTTP/2 begins only after the other end has proved to hold that key.
// One connection at a time, made again when it is lost. What is called over it is session.ts' business.
import type http2 from "node:http2";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Http2SessionManager } from "@connectrpc/connect-node";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { peerKey, type TlsIdentity } from "./tls.js";

/** A connection that answers no ping for this long is dead: the keyring hangs or is gone. */
const PING = { pingIntervalMs: 5_000, pingTimeoutMs: 5_000, idleConnectionTimeoutMs: 15 * 60_000 } as const;
const HANDSHAKE_MS = 5_000;
/**
 * For how long, and how often, a connection that is refused is tried again: of several keyrings behind one address only one
 * listens, and when it ends the next one soon does.
 */
const REFUSED = { patienceMs: 1_000, pauseMs: 50 } as const;

/** Where to connect, as whom, and who must be there. */
export interface Peering {
  /** host:port */
  readonly address: string;
  /** Makes a stream to the port in another way than by TCP to the address. */
  readonly dial?: (() => Promise<Duplex>) | undefined;
  readonly pinned: VerifyKey;
  readonly identity: Promise<TlsIdentity>;
}

/** A connection that was checked. */
interface Live {
  readonly socket: TLSSocket;
  readonly manager: Http2SessionManager;
  /** The other end takes no more requests on it. */
  ended: boolean;
}

/**
 * The session manager of a gRPC transport. Node's http2 begins to speak on a socket in the very event that says that
 * TLS is established, so a socket is only handed to it when it has been checked.
 */
export class PinnedConnection {
  readonly authority: string;
  readonly #peering: Peering;
  readonly #owners = new WeakMap<http2.ClientHttp2Stream, Http2SessionManager>();
  #live: Promise<Live> | null = null;
  #current: Live | null = null;
  #handshaking: TLSSocket | null = null;

  constructor(peering: Peering) {
    this.#peering = peering;
    this.authority = `https://${peering.address}`;
  }

  /** Opens a stream. Throws KeyringMismatch for another key than the pinned one, KeyringUnavailable for no connection. */
  async request(
    method: string,
    path: string,
    headers: http2.OutgoingHttpHeaders,
    options: Omit<http2.ClientSessionRequestOptions, "signal">,
  ): Promise<http2.ClientHttp2Stream> {
    for (let retried = false; ; retried = true) {
      const live = await this.#connected();
      try {
        const stream = await live.manager.request(method, path, headers, options);
        this.#owners.set(stream, live.manager);
        return stream;
      } catch (error) {
        // the connection was lost, or is being closed by the keyring, without our knowing
        if (retried || isUsable(live)) throw error;
      }
    }
  }

  notifyResponseByteRead(stream: http2.ClientHttp2Stream): void {
    this.#owners.get(stream)?.notifyResponseByteRead(stream);
  }

  /** Ends the connection and every stream on it. */
  abort(reason?: Error): void {
    this.#handshaking?.destroy();
    this.#current?.manager.abort(reason);
    this.#live = null;
    this.#current = null;
  }

  #connected(): Promise<Live> {
    if (this.#current !== null && !isUsable(this.#current)) this.#live = null;
    this.#live ??= this.#connect().catch((error: unknown) => {
      this.#live = null;
      throw error;
    });
    return this.#live;
  }

  async #connect(): Promise<Live> {
    this.#current = null;
    const socket = await this.#patiently();
    let used = false;
    const createConnection = () => {
      if (used) {
        live.ended = true;
        throw unavailable("the connection to the keyring has ended");
      }
      used = true;
      return socket;
    };
    const live: Live = {
      socket,
      manager: new Http2SessionManager(this.authority, PING, { createConnection }),
      ended: false,
    };
    this.#current = live;
    return live;
  }

  async #patiently(): Promise<TLSSocket> {
    const until = performance.now() + REFUSED.patienceMs;
    for (;;) {
      try {
        return await this.#handshake();
      } catch (error) {
        if (!isRefused(error) || performance.now() > until) throw error;
        await sleep(REFUSED.pauseMs);
      }
    }
  }

  /** Resolves with a socket on which nothing was sent but TLS itself, and whose other end is the pinned one. */
  async #handshake(): Promise<TLSSocket> {
    const { hostname, port } = new URL(this.authority);
    const { dial, identity } = this.#peering;
    const way =
      dial === undefined ? { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) } : { socket: await dial() };
    const options = {
      ...(await identity),
      ...way,
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.3",
    } as const;
    // self-signed: the pinned key is the check, and the handshake proves that the other end holds it
    const socket = connectTls({ ...options, rejectUnauthorized: false });
    this.#handshaking = socket;
    try {
      await established(socket);
    } finally {
      if (this.#handshaking === socket) this.#handshaking = null;
    }
    if (peerKey(socket)?.text === this.#peering.pinned.text) return socket;
    socket.destroy();
    const { address, pinned } = this.#peering;
    throw new ZoppError("KeyringMismatch", `the keyring at ${address} does not have the pinned key ${pinned.kid}`);
  }
}

function established(socket: TLSSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.destroy(), HANDSHAKE_MS);
  socket.once("secureConnect", resolve);
  // both stay: after the handshake they tell nobody anything
  socket.on("error", (cause) => reject(unavailable("no connection to the keyring", cause)));
  socket.once("close", () => reject(unavailable("the keyring did not complete a TLS handshake")));
  return promise.finally(() => clearTimeout(timer));
}

function isRefused(error: unknown): boolean {
  return error instanceof ZoppError && (error.cause as NodeJS.ErrnoException | undefined)?.code === "ECONNREFUSED";
}

function isUsable({ ended, socket, manager }: Live): boolean {
  return !ended && !socket.destroyed && manager.state() !== "error";
}

function unavailable(text: string, cause?: unknown): ZoppError {
  return new ZoppError("KeyringUnavailable", text, { cause });
}
