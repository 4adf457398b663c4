// What an opening takes and gives. How it goes is open.ts'.
import type { VerifyKey } from "../../crds/crypto/keys.js";
import type { ZoppError } from "../../crds/errors.js";
import type { Ledger } from "./ledger.js";
import type { PolicyBook } from "./policy.js";
import type { ReaderIn } from "./readers.js";
import type { Fact } from "./records.js";

/** A bundle as it was sent. */
export interface SentBundle {
  readonly namespace: string;
  readonly name: string;
  /** spec as UTF-8 JSON. */
  readonly spec: Uint8Array;
  /** Only the entry keys of these; none = all that the caller may have. */
  readonly keys: string[];
  /** Its entries are earlier ones, read in order to go back to them (see earlier.ts). */
  readonly earlier?: boolean;
  /** status.generated as UTF-8 JSON; absent or empty = none. */
  readonly generated?: Uint8Array;
}

/** Who asks. */
export interface Caller {
  readonly actor: string;
  readonly request: string;
  /** Finds him in policy; absent for the operator, which asks in order to reconcile. */
  readonly reader?: ReaderIn | undefined;
}

/** What came out of one bundle. */
export type Opened =
  | {
      readonly ok: true;
      readonly digest: string;
      readonly keys: ReadonlyMap<string, Uint8Array>;
      readonly policy: readonly string[];
      readonly warnings: readonly ZoppError[];
    }
  | { readonly ok: false; readonly error: ZoppError; readonly policy: readonly string[] };

/** What opening needs of the rest of the keyring. */
export interface OpenOptions {
  readonly book: PolicyBook;
  readonly ledger: Ledger;
  /** The key that this cluster signs generated values with. */
  readonly cluster: VerifyKey;
  now(): Date;
  /** Appends a fact to the log; throws AuditUnavailable or LogForked when the log takes no more. */
  note(fact: Fact): void;
  /** Resolves when everything that was noted is durable. */
  durable(): Promise<void>;
  /** Throws AuditUnavailable when the ledger was not all that is on record: decide again. */
  upToDate(): Promise<void>;
  /** Notes a refusal in the log, once per object, digest, policy and reason. */
  refuse(fact: Fact): void;
}
