// The records of a keyring's log: what is written down before anything is released, one JSON line each.
// How lines become stored segments is segment.ts; what the ledger makes of them is ledger.ts.
import type { Accepted, AcceptedGenerated } from "../../crds/bundle/case.js";
import type { ErrorCode } from "../../crds/errors.js";

/** What happened; `open` is the operator's, which fills the ledger, `read` everybody else's, which does not. */
export type Action =
  | "start"
  | "pin"
  | "enrol"
  | "accept-workspace"
  | "accept-environment"
  | "accept-baseline"
  | "open"
  | "read"
  | "join"
  | "wrap"
  | "generate";

/** Whether somebody proved who he is and asked for himself, or the operator asked in order to reconcile. */
export type Evidence = "proved" | "delegated";

/** One fact for the log, as its maker gives it; index and time are added when it is appended. */
export interface Fact {
  readonly action: Action;
  readonly decision: "done" | "accepted" | "released" | "refused";
  /** Who asked: an account, `principal/device`, or the keyring itself. */
  readonly actor: string;
  readonly evidence?: Evidence | undefined;
  /** `namespace/name` of a bundle, or the name of a workspace or environment. */
  readonly object?: string | undefined;
  readonly version?: number | undefined;
  /** Digest of the bundle or policy. */
  readonly digest?: string | undefined;
  /** The keys whose entry keys are released. */
  readonly keys?: readonly string[] | undefined;
  /** Why it was refused. */
  readonly reason?: ErrorCode | undefined;
  /** Of a release to a person, what would not run: an earlier value, to be put back, or one that waits for approval. */
  readonly content?: "earlier" | "waiting" | undefined;
  /** Digests of workspace and environment that decided. */
  readonly policy?: readonly string[] | undefined;
  readonly request?: string | undefined;
  /** The environment of a bundle, as far as what was sent says one. */
  readonly environment?: string | undefined;
  /** The versions of those keys that are not among `entries`. */
  readonly versions?: Readonly<Record<string, number>> | undefined;
  /** Acceptance: what of the bundle is new; the place is bound to its environment from then on. */
  readonly header?: Accepted | undefined;
  readonly entries?: Readonly<Record<string, Accepted>> | undefined;
  readonly generated?: Readonly<Record<string, AcceptedGenerated>> | undefined;
  /** A first use: the pin that was taken. A start: the log's id and the version that runs. An enrolment: pod and key. */
  readonly pin?: string | undefined;
  readonly log?: string | undefined;
  readonly pod?: string | undefined;
  readonly kid?: string | undefined;
  /** A wrap: whom environment keys were wrapped to (the kid, and a cluster's name or `principal/device`), and of which epochs. */
  readonly to?: string | undefined;
  readonly recipient?: string | undefined;
  readonly epochs?: readonly number[] | undefined;
  /** Of values that were made, the certificates that a CA in another bundle signed, by key. */
  readonly issued?: Readonly<Record<string, Issued>> | undefined;
}

/** A certificate that a CA in another bundle signed. */
export interface Issued {
  /** `namespace/name` of the CA's bundle. */
  readonly by: string;
  /** Its serial number, hexadecimal. */
  readonly serial: string;
  readonly names: readonly string[];
  /** When it ends. */
  readonly until: string;
}

/** A fact in the log. */
export interface AuditRecord extends Fact {
  /** Its place in the log, from 0. */
  readonly index: number;
  /** When it was appended, RFC 3339 with milliseconds. */
  readonly time: string;
}

/** The line of a record. */
export function lineOf(record: AuditRecord): string {
  return JSON.stringify(record);
}
