// For tests only: a keyring's port with calls that a test scripts, and connections to it of every honest and other kind.
// Nothing of policy, ledger or the API server is here.
import http2 from "node:http2";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, type GrpcTransportOptions, Http2SessionManager } from "@connectrpc/connect-node";
import { Registry } from "prom-client";
import type { Test } from "tap";
import { newSigningKey, type SigningKey } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import { Keyring } from "../../crds/proto/gen/zopp/v1alpha1/keyring_pb.js";
import { keyringMetrics } from "../metrics.js";
import { reflectionAndHealth } from "./reflection.js";
import { type Listening, listen, type Role } from "./server.js";
import { tlsIdentity } from "./tls.js";
import { fromConnectError } from "./wire.errors.js";

/** The keyring's own key in these tests. */
export const KEYRING_KEY = newSigningKey();
/** A key for each role; `stranger` is in no list. */
export const KEYS = {
  operator: newSigningKey(),
  workload: newSigningKey(),
  device: newSigningKey(),
  stranger: newSigningKey(),
} as const satisfies Record<Role, SigningKey>;

/** What a test's keyring does when called; each has an answer by default. */
export interface Script {
  enrol?(token: string): Promise<number> | number;
  describe?(): Promise<string> | string;
  open?(bundles: readonly { namespace: string; name: string; spec: Uint8Array }[]): Promise<void> | void;
  generate?(): Promise<void> | void;
}

/** A port that listens, and what happened at it. */
export interface TestKeyring extends Listening {
  readonly script: Script;
  /** Which key has which role now; tests change it. */
  readonly roles: Map<string, Role>;
  readonly registry: Registry;
  readonly address: string;
}

/** Opens a port on loopback; it is closed when the test ends. */
export async function testKeyring(t: Test, script: Script = {}, port = 0): Promise<TestKeyring> {
  const roles = new Map<string, Role>(Object.entries(KEYS).map(([role, key]) => [key.verifyKey.text, role as Role]));
  const registry = new Registry();
  const listening = await listen({
    tls: await tlsIdentity(KEYRING_KEY),
    host: "127.0.0.1",
    port,
    metrics: keyringMetrics({ component: "keyring", version: "test" }, { registry }),
    identify: (key) => ({ role: roles.get(key.text) ?? "stranger", actor: key.kid }),
    routes: (router) => {
      router.service(Keyring, {
        enrol: async ({ token }) => ({ seconds: BigInt((await script.enrol?.(token)) ?? 3600) }),
        describe: async () => ({ signingKey: KEYRING_KEY.verifyKey.text, notReady: (await script.describe?.()) ?? "" }),
        offer: () => ({}),
        wrap: () => ({}),
        open: async ({ bundles }) => {
          await script.open?.(bundles);
          return { results: bundles.map(({ name }) => ({ digest: name, keys: { [name]: new Uint8Array(32) } })) };
        },
        join: () => ({}),
        generate: async () => {
          await script.generate?.();
          return { generated: Buffer.from("{}"), made: [], waiting: [] };
        },
      });
      reflectionAndHealth(router, () => true);
    },
  });
  t.teardown(() => listening.close());
  return { ...listening, script, roles, registry, address: `127.0.0.1:${listening.port}` };
}

/** A TLS connection to a port with a key's certificate, changed as the test likes; not checked in any way. */
export async function tlsTo(port: number, key: SigningKey | null, changes: ConnectionOptions = {}): Promise<TLSSocket> {
  const identity = key === null ? {} : await tlsIdentity(key);
  return connectTls({
    host: "127.0.0.1",
    port,
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
    ...identity,
    ...changes,
  });
}

/** A gRPC client over a connection made by `tlsTo`; it ends with the test. */
export async function callerOf(
  t: Test,
  port: number,
  key: SigningKey | null,
  changes: ConnectionOptions = {},
): Promise<Client<typeof Keyring>> {
  const transport = await transportOf(t, port, key, changes);
  return createClient(Keyring, transport);
}

/** The transport under `callerOf`, for other services. */
export async function transportOf(
  t: Test,
  port: number,
  key: SigningKey | null,
  changes: ConnectionOptions = {},
  options: Pick<GrpcTransportOptions, "interceptors" | "sendCompression" | "compressMinBytes"> = {},
) {
  const socket = await tlsTo(port, key, changes);
  const baseUrl = `https://127.0.0.1:${port}`;
  const manager = new Http2SessionManager(baseUrl, {}, { createConnection: () => socket });
  t.teardown(() => manager.abort());
  return createGrpcTransport({ baseUrl, sessionManager: manager, ...options });
}

/** What came of a call: "ok", or the error's code. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: unknown) => fromConnectError(error).code,
  );
}

/** How a connection ended before it could be used: closed by the other end, or still open. */
export async function fate(socket: TLSSocket): Promise<"closed" | "open"> {
  const closed = new Promise<"closed">((resolve) => {
    socket.once("close", () => resolve("closed"));
    socket.once("error", () => resolve("closed"));
  });
  // a session that is let in gets the server's SETTINGS
  const open = new Promise<"open">((resolve) => socket.once("data", () => resolve("open")));
  const outcome = await Promise.race([closed, open]);
  socket.destroy();
  return outcome;
}

/** A plain HTTP/2 session over a connection. */
export function sessionOver(t: Test, socket: TLSSocket): http2.ClientHttp2Session {
  const session = http2.connect("https://keyring", { createConnection: () => socket });
  session.on("error", () => {});
  t.teardown(() => session.destroy());
  return session;
}

/** The ZoppError of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<ZoppError> {
  const error = await call.then(
    () => null,
    (caught: unknown) => caught,
  );
  if (!(error instanceof ZoppError)) throw new TypeError("expected a ZoppError");
  return error;
}
