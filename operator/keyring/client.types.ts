// The keyring as its callers see it: what they ask, what they are told, and how they reach it.
// Asking is client.ts'.
import type { Duplex } from "node:stream";
import type { RecordFilter } from "../../crds/audit/records.js";
import type { SigningKey } from "../../crds/crypto/identity.js";
import type { WrappedKey } from "../../crds/crypto/wrap.js";
import type { ErrorCode, ZoppError } from "../../crds/errors.js";
import type { GeneratedEntry, JoinRequest, SecretSpec, SecretStatus } from "../../crds/types.gen.js";
import type { Log, Tracing } from "../kube/observe.js";

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

/** A rule whose value stays for now, although it is due: why its CA does not sign. */
export interface Waiting {
  readonly key: string;
  /** IssuerPending, IssuerRefused. */
  readonly error: ZoppError;
}

/** What a call came to. */
export interface Generated {
  /** status.generated as it is to be. */
  readonly generated: Readonly<Record<string, GeneratedEntry>>;
  /** The keys whose values were made. */
  readonly made: readonly string[];
  readonly waiting: readonly Waiting[];
}

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

/** A record: its line, or where the caller may not see it, its hash. */
export type ListedRecord = { readonly index: number } & ({ readonly line: string } | { readonly hash: Uint8Array });

/** Some records of a log, and how long it is. */
export interface RecordPage {
  readonly records: readonly ListedRecord[];
  /** The index to go on from. */
  readonly next: number;
  readonly log: string;
  readonly size: number;
  /** The first record in the cluster, and the tree's complete subtrees before it. */
  readonly first: number;
  readonly start: readonly Uint8Array[];
}

/** The calls of the service Audit. All throw NotAuthorised for whoever has no grant of audit, and as `KeyringClient.open`. */
export interface AuditClient {
  /** Records from an index on, some of them. Throws LogPruned. */
  list(from: number, filter: RecordFilter, hashes?: boolean): Promise<RecordPage>;
  /** Records as they are stored, for a while; gives the index to go on from. */
  tail(from: number, filter: RecordFilter, onPage: (page: RecordPage) => void, signal?: AbortSignal): Promise<number>;
  /** The hashes that prove inclusion of a record, or that the log grew from a size. Throws LogPruned. */
  proof(of: { readonly index: number } | { readonly from: number }, size: number): Promise<readonly Uint8Array[]>;
  /** The signed checkpoint of the log now. */
  checkpoint(): Promise<string>;
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
