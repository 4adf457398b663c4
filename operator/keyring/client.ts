// The keyring as its callers see it: opens are batched, enrolment happens by itself, errors are ZoppErrors.
// The keyring's key is pinned: nothing is sent to another one.
import type { Duplex } from "node:stream";
import type { SigningKey } from "../../crds/crypto/identity.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import type { WrappedKey } from "../../crds/crypto/wrap.js";
import type { ErrorCode, ZoppError } from "../../crds/errors.js";
import type { JoinRequest, SecretSpec, SecretStatus } from "../../crds/types.gen.js";
import type { Log, Tracing } from "../kube/observe.js";
import { type AuditClient, auditClient } from "./audit-client.js";
import { Batcher } from "./batch.js";
import type { Generated, Waiting } from "./generate.js";
import type { SentBundle } from "./open.js";
import { Session } from "./session.js";
import { Turns } from "./turns.js";
import { fromDescribeResponse, fromOpenResult, fromWaiting } from "./wire.js";

/** A bundle to open; `spec` exactly as it will be used. */
export interface OpenRequest {
  readonly namespace: string;
  readonly name: string;
  readonly spec: SecretSpec;
  /** Only the entry keys of these; absent = all that the caller may have. */
  readonly keys?: readonly string[];
  /** The entries are earlier ones, to be put back. */
  readonly earlier?: boolean | undefined;
  /** The bundle's generated values, as they will be used. */
  readonly generated?: GeneratedValues | undefined;
}

/** A bundle that is to have values made, and those whose CAs sign its certificates. */
export interface GenerateQuery extends Omit<OpenRequest, "keys" | "earlier"> {
  readonly issuers?: readonly Omit<OpenRequest, "keys" | "earlier">[] | undefined;
}

/** status.generated of a bundle. */
export type GeneratedValues = NonNullable<SecretStatus["generated"]>;

export type { Waiting };

/** What came of it: entry keys (32 bytes) by key, or why not. `policy` = digests of workspace and environment. */
export type OpenResult =
  | {
      readonly ok: true;
      readonly digest: string;
      readonly policy: readonly string[];
      readonly keys: ReadonlyMap<string, Uint8Array>;
      readonly warnings: readonly string[];
      /** The signed checkpoint of the log that holds the record of this release, as it was sent. */
      readonly checkpoint: string;
    }
  | { readonly ok: false; readonly error: ZoppError; readonly policy: readonly string[] };

/** What the keyring made of a workspace, environment or baseline. */
export interface PolicyState {
  readonly name: string;
  readonly uid: string;
  /** The generation that was seen last. */
  readonly generation: number;
  readonly accepted?: { readonly version: number; readonly digest: string } | undefined;
  readonly refused?: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** Environments: whether the owners ask for approvals. */
  readonly approvals?: boolean | undefined;
  /** Workspaces: who waits to be signed in. */
  readonly joinRequests?: readonly JoinRequest[] | undefined;
}

/** The keyring about itself. */
export interface Description {
  readonly cluster: { readonly signingKey: string; readonly encryptionKey: string; readonly log: string };
  readonly ready: boolean;
  readonly reason?: string;
  readonly workspaces: readonly PolicyState[];
  readonly environments: readonly PolicyState[];
  readonly baselines: readonly PolicyState[];
}

/** An epoch's private key for one recipient. */
export interface WrappedEpoch extends WrappedKey {
  readonly epoch: number;
}

/** A connection to one keyring. Live until `close`. */
export interface KeyringClient {
  /** Opens a bundle. A refusal is a result; throws KeyringUnavailable, AuditUnavailable, Overloaded, EnrolmentRefused, KeyringMismatch. */
  open(request: OpenRequest, signal?: AbortSignal): Promise<OpenResult>;
  /** Throws as `open` does. */
  describe(signal?: AbortSignal): Promise<Description>;
  /** Asks to be signed into a workspace. Throws as `open` does, and JoinRefused, InviteContested. */
  join(workspace: string, asked: JoinRequest): Promise<void>;
  /** Offers a signed object; gives what is in force then. Throws as `open` does, and why it is refused. */
  offer(object: object, signal?: AbortSignal): Promise<{ readonly version: number; readonly digest: string }>;
  /** An environment's keys (its path), wrapped to the recipient with this kid. Throws as `open` does, and why it is refused. */
  wrap(environment: string, to: string, signal?: AbortSignal): Promise<readonly WrappedEpoch[]>;
  /** The bundle's generated values as they are to be kept. Throws as `open` does, and why it is refused. */
  generate(request: GenerateQuery, signal?: AbortSignal): Promise<Generated>;
  /** The log, for whoever has the role audit. */
  readonly audit: AuditClient;
  close(): Promise<void>;
}

/** How to reach a keyring, and as whom. */
export interface KeyringConnection {
  /** host:port, as it is named in errors where `dial` makes the way there. */
  readonly address: string;
  /** Makes a stream to the keyring's port; absent = TCP to the address. */
  readonly dial?: (() => Promise<Duplex>) | undefined;
  /** The pinned key, `ed25519:…`. */
  readonly keyringKey: string;
  /** The key that this end shows. */
  readonly identity: SigningKey;
  /** A pod-bound token to enrol with; absent for devices that policy names. */
  readonly token?: (() => Promise<string>) | undefined;
  readonly log: Log;
  readonly tracing?: Tracing | undefined;
  /** How long one call may take. Default 10 s. */
  readonly timeoutMs?: number;
}

/** Connects on first use and again whenever the connection is lost. Throws Malformed when the pinned key is no key. */
export function connectKeyring(connection: KeyringConnection): KeyringClient {
  const session = new Session(connection);
  const batcher = new Batcher(async (bundles: SentBundle[]) => {
    const { results, checkpoint } = await session.call((keyring, options) => keyring.open({ bundles }, options));
    return results.map((result) => ({ result, checkpoint }));
  });
  const generates = new Turns();
  return {
    async open(request, signal) {
      const bundle = sentOf(request);
      const { result, checkpoint } = await batcher.add(bundle, bundle.spec.length + bundle.generated.length, signal);
      return fromOpenResult(result, checkpoint);
    },
    async describe(signal) {
      return fromDescribeResponse(await session.call((keyring, options) => keyring.describe({}, options), signal));
    },
    async join(workspace, asked) {
      await session.call((keyring, options) => keyring.join({ workspace, asked }, options));
    },
    async offer(object, signal) {
      const bytes = utf8(JSON.stringify(object));
      const { version, digest } = await session.call(
        (keyring, options) => keyring.offer({ object: bytes }, options),
        signal,
      );
      return { version: Number(version), digest };
    },
    async wrap(environment, to, signal) {
      const { keys } = await session.call((keyring, options) => keyring.wrap({ environment, to }, options), signal);
      return keys.map(({ epoch, enc, wrapped }) => ({ epoch: Number(epoch), to, enc, wrapped }));
    },
    async generate({ issuers: others = [], ...request }, signal) {
      const bundle = sentOf(request);
      const issuers = others.map(sentOf);
      const answer = await generates.next(
        () => session.call((keyring, options) => keyring.generate({ bundle, issuers }, options), signal),
        signal,
      );
      const generated = JSON.parse(Buffer.from(answer.generated).toString("utf8")) as GeneratedValues;
      return { generated, made: answer.made, waiting: fromWaiting(answer.waiting) };
    },
    audit: auditClient(session),
    close: () => session.close(),
  };
}

function sentOf({ namespace, name, spec, keys = [], earlier = false, generated }: OpenRequest) {
  const values = generated === undefined ? new Uint8Array(0) : utf8(JSON.stringify(generated));
  return { namespace, name, spec: utf8(JSON.stringify(spec)), keys: [...keys], earlier, generated: values };
}
