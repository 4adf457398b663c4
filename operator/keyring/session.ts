// A caller's session with a keyring: enrolment when needed, deadlines, and one kind of error.
// The connection and its pinned key are connection.ts'; what is called is client.ts'.
import { type CallOptions, type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { parseVerifyKey, type VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { Audit, Keyring } from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import type { KeyringConnection } from "./client.types.js";
import { PinnedConnection } from "./connection.js";
import { tlsIdentity } from "./tls.js";
import { callsTraced } from "./traced.js";
import { fromConnectError } from "./wire.errors.js";

const TIMEOUT_MS = 10_000;
/** Enrolment is renewed when this much of it is left. */
const RENEW_MS = 5 * 60_000;
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

type Call<T> = (keyring: Client<typeof Keyring>, options: CallOptions, audit: Client<typeof Audit>) => Promise<T>;

/** One caller's session with one keyring. */
export class Session {
  readonly #connection: KeyringConnection;
  readonly #pinned: VerifyKey;
  #pinnedConnection: PinnedConnection | null = null;
  #clients: { readonly keyring: Client<typeof Keyring>; readonly audit: Client<typeof Audit> } | null = null;
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
      const again =
        error instanceof ZoppError && error.code === "Unauthenticated" && this.#connection.token !== undefined;
      if (!again) throw error;
      this.#enrolledUntil = 0;
      await this.#enrol();
      return this.#once(call, signal);
    }
  }

  async close(): Promise<void> {
    this.#pinnedConnection?.abort();
    this.#pinnedConnection = null;
    this.#clients = null;
  }

  async #once<T>(call: Call<T>, signal?: AbortSignal): Promise<T> {
    this.#clients ??= this.#connect();
    const { keyring, audit } = this.#clients;
    const timeoutMs = this.#connection.timeoutMs ?? TIMEOUT_MS;
    try {
      return await call(keyring, { timeoutMs, ...(signal === undefined ? {} : { signal }) }, audit);
    } catch (error) {
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

  #connect() {
    const { address, dial, identity } = this.#connection;
    const peering = { address, dial, pinned: this.#pinned, identity: tlsIdentity(identity) };
    this.#pinnedConnection = new PinnedConnection(peering);
    const baseUrl = this.#pinnedConnection.authority;
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager: this.#pinnedConnection,
      readMaxBytes: MAX_MESSAGE_BYTES,
      interceptors: callsTraced(this.#connection.tracing),
    });
    return { keyring: createClient(Keyring, transport), audit: createClient(Audit, transport) };
  }
}
