// A caller's connection: TLS with our own key, the keyring's key checked before a byte is sent, enrolment when needed.
// What is called is client.ts'.
import { connect as connectTls } from "node:tls";
import { type CallOptions, type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { parseVerifyKey, type VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { Keyring } from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import type { KeyringConnection } from "./client.js";
import { peerKey, type TlsIdentity, tlsIdentity } from "./tls.js";
import { fromConnectError } from "./wire.js";

const TIMEOUT_MS = 10_000;
/** Enrolment is renewed when this much of it is left. */
const RENEW_MS = 5 * 60_000;
/** A connection that answers no ping for this long is dead: the keyring hangs or is gone. */
const PING = { pingIntervalMs: 5_000, pingTimeoutMs: 5_000, idleConnectionTimeoutMs: 15 * 60_000 } as const;
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

type Call<T> = (keyring: Client<typeof Keyring>, options: CallOptions) => Promise<T>;

/** One caller's session with one keyring. */
export class Session {
  readonly #connection: KeyringConnection;
  readonly #pinned: VerifyKey;
  #manager: Http2SessionManager | null = null;
  #client: Promise<Client<typeof Keyring>> | null = null;
  #mismatch = false;
  #enrolling: Promise<void> | null = null;
  #enrolledUntil = 0;

  constructor(connection: KeyringConnection) {
    this.#connection = connection;
    const pinned = parseVerifyKey(connection.keyringKey);
    if (pinned === null) throw new ZoppError("Malformed", "the keyring's pinned key is not an ed25519 key");
    this.#pinned = pinned;
  }

  /** Calls; enrols before if needed, and once more when the keyring does not know this key (it was restarted). */
  async call<T>(call: Call<T>, signal?: AbortSignal): Promise<T> {
    if (this.#connection.token !== undefined && Date.now() > this.#enrolledUntil - RENEW_MS) await this.#enrol();
    try {
      return await this.#once(call, signal);
    } catch (error) {
      const again = error instanceof ZoppError && error.code === "Unauthenticated" && this.#connection.token !== undefined;
      if (!again) throw error;
      this.#enrolledUntil = 0;
      await this.#enrol();
      return this.#once(call, signal);
    }
  }

  async close(): Promise<void> {
    this.#manager?.abort();
    this.#manager = null;
    this.#client = null;
  }

  async #once<T>(call: Call<T>, signal?: AbortSignal): Promise<T> {
    const keyring = await (this.#client ??= this.#connect());
    const timeoutMs = this.#connection.timeoutMs ?? TIMEOUT_MS;
    try {
      return await call(keyring, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      if (this.#mismatch) {
        const text = `the keyring at ${this.#connection.address} does not have the pinned key ${this.#pinned.kid}`;
        throw new ZoppError("KeyringMismatch", text);
      }
      throw fromConnectError(error);
    }
  }

  /** One enrolment at a time, whoever asks. */
  #enrol(): Promise<void> {
    this.#enrolling ??= this.#enrolNow().finally(() => {
      this.#enrolling = null;
    });
    return this.#enrolling;
  }

  async #enrolNow(): Promise<void> {
    if (Date.now() <= this.#enrolledUntil - RENEW_MS) return;
    const token = (await this.#connection.token?.()) ?? "";
    const { seconds } = await this.#once((keyring, options) => keyring.enrol({ token }, options));
    this.#enrolledUntil = Date.now() + Math.max(Number(seconds) * 1000, RENEW_MS + 1_000);
    this.#connection.log.info({ seconds: Number(seconds) }, "enrolled with the keyring");
  }

  async #connect(): Promise<Client<typeof Keyring>> {
    const identity = await tlsIdentity(this.#connection.identity);
    const baseUrl = `https://${this.#connection.address}`;
    this.#manager = new Http2SessionManager(baseUrl, PING, {
      createConnection: (authority) => this.#secure(authority, identity),
    });
    const transport = createGrpcTransport({ baseUrl, sessionManager: this.#manager, readMaxBytes: MAX_MESSAGE_BYTES });
    return createClient(Keyring, transport);
  }

  /** A TLS connection that destroys itself before HTTP begins, unless the other end proved the pinned key. */
  #secure({ hostname, port }: URL, identity: TlsIdentity) {
    const host = hostname.replace(/^\[|\]$/g, "");
    const options = { ...identity, host, port: Number(port), ALPNProtocols: ["h2"], minVersion: "TLSv1.3" } as const;
    // self-signed: the pinned key is the check, and the handshake proves that the other end holds it
    const socket = connectTls({ ...options, rejectUnauthorized: false });
    socket.once("secureConnect", () => {
      this.#mismatch = peerKey(socket)?.text !== this.#pinned.text;
      if (this.#mismatch) socket.destroy();
    });
    return socket;
  }
}
