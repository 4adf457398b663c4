// The one error class of zopp and the one table that says what each code means at every edge:
// controller (condition), keyring (gRPC), command line (exit code) and person (next step).
import { denied, type ErrorKind, EXIT, invalid, refused, terminal, transient } from "./errors.kinds.js";

/**
 * The table. A code's name is also its condition reason and the `reason` of its google.rpc.ErrorInfo,
 * so that one word can be searched for in status, logs, metrics and documents.
 */
export const ERRORS = {
  // shape and encoding
  Malformed: invalid("correct the fields that the message names; `zopp verify` lists all of them"),
  TooLarge: invalid("split the bundle, or shorten the value, so that it stays below the limit in the message"),
  UnknownVersion: invalid("use an apiVersion and a kind that this zopp knows, or upgrade zopp"),
  TokenInvalid: invalid("copy the whole token again: 76 characters that start with zopp_"),

  // policy: workspaces and their pins
  NoPolicy: transient(
    "failed_precondition",
    EXIT.notFound,
    "apply the workspace that this keyring is pinned to, signed by its owners",
  ),
  NotPinned: denied("pin the workspace outside the store: `zopp trust`, ZOPP_TRUST, or the keyring's trust list"),
  AmbiguousFirstUse: denied("leave one workspace in the cluster, or replace firstUse by a trust list"),
  PinMismatch: denied("compare the owners' digest with an owner, then correct the pin or the workspace"),
  PartlySigned: transient(
    "failed_precondition",
    EXIT.conflict,
    "collect the signatures that the message says are missing",
  ),
  Forked: refused("two policies have one version: an owner signs a newer one that follows the accepted one"),
  PolicyGap: refused("offer a policy version between the accepted one and this one"),
  PolicyRollback: refused("apply the newest policy from git: this one is older than the accepted one"),
  PolicyExpired: refused("an owner signs a new policy version with a later `expires`"),
  KeyAmbiguous: denied("two keys of the policy have one kid, or a key stands twice: replace one of them"),

  // policy: environments
  UnknownEnvironment: transient(
    "failed_precondition",
    EXIT.notFound,
    "apply the environment, and name it in the workspace's `environments`",
  ),
  EnvironmentRefused: denied("sign the environment again within what the workspace allows, as the message says"),
  EnvironmentOutdated: refused("apply the newest environment from git: this one is below what the policy demands"),
  UnknownRecipient: denied("wrap the environment key only to named clusters, recovery keys and (direct) readers"),
  NoRecipient: terminal(
    "failed_precondition",
    EXIT.cannotOpen,
    "name at least one cluster in the environment: `zopp cluster add`",
  ),
  ClusterNotNamed: denied("name this cluster in the policy's environment and wrap its key: `zopp cluster add`"),
  NotServedHere: denied(
    "apply bundles where their environment is served, or have this cluster serve it: `zopp cluster add --environment`",
  ),
  NamespaceConflict: denied("let each namespace belong to one environment only"),
  NamespaceNotAllowed: denied(
    "move the bundle, or have an owner add the namespace to the environment: edit a copy of the workspace and `zopp policy propose FILE`; the chart's namespaces must list it too",
  ),
  GrantNotEnforceable: denied("remove the key patterns from the read grant, or make the environment brokered"),

  // bundles
  UnknownEpoch: refused("seal the entry again at the newest epoch: `zopp set`"),
  UnknownSigner: denied("have somebody whom the policy names sign it, or add that device to the policy"),
  SignatureInvalid: denied(
    "find who changed it (git log); put back what was signed, or sign anew: `zopp set`, for the header with --sign-header, for a generated value `zopp generate BUNDLE KEY --again`",
  ),
  PlaceMismatch: denied(
    "put the bundle back to the place that the message names; kustomize's namespace and namePrefix move bundles",
  ),
  NotAuthorised: denied("ask an owner or admin for a grant that covers this key, or have somebody with one sign it"),
  PendingApproval: transient(
    "failed_precondition",
    EXIT.denied,
    "collect the approvals that the message says are missing",
  ),
  RollbackRefused: refused(
    "go back by `zopp rollback`, or write the value again with `zopp set`: either is a new version",
  ),
  VersionTooFar: refused("write it again with a correct clock: the version is more than a day ahead"),
  EntryMissing: refused("remove keys with `zopp unset`, which leaves a signed tombstone, or put the entry back"),
  GeneratedLost: refused(
    "restore status.generated (docs/backup.md#lose-it-and-restore), or sign for another value: `zopp generate BUNDLE KEY --again`",
  ),
  EnvironmentChanged: refused("have somebody who may write both environments sign the header"),
  BaselineOutdated: refused("write the baseline again: `zopp baseline create`"),
  LedgerLost: terminal(
    "failed_precondition",
    EXIT.denied,
    "if you have a backup of log and ledger, stop the keyring and restore it; else look at `zopp verify --as-new-cluster`, and have an owner run `zopp cluster add`",
  ),

  // opening
  CannotOpen: terminal(
    "failed_precondition",
    EXIT.cannotOpen,
    "seal the value again with `zopp set`; if all fail, wrap the environment's key again: `zopp cluster add` for a cluster, `zopp environment rekey` for a recovery key",
  ),
  BrokeredOnly: terminal(
    "permission_denied",
    EXIT.cannotOpen,
    "name a cluster that serves the environment: it is read through a keyring, and nothing on this machine opens it",
  ),
  NotRecipient: terminal(
    "permission_denied",
    EXIT.cannotOpen,
    "ask an admin for a read grant and to wrap the environment key to this device",
  ),

  // keyring
  Unauthenticated: transient("unauthenticated", EXIT.denied, "enrol again; the operator does so by itself"),
  EnrolmentRefused: terminal(
    "permission_denied",
    EXIT.denied,
    "use a pod-bound token of the operator's own account and pod, or of an account that policy names as a workload here",
  ),
  MethodDenied: denied("use a key that may call this method"),
  KeyringUnavailable: transient(
    "unavailable",
    EXIT.unreachable,
    "look at the keyring container: its log says why it does not answer",
  ),
  KeyringMismatch: denied("compare the keyring's public key with the pinned one; do not go on if they differ"),
  AuditUnavailable: transient(
    "unavailable",
    EXIT.unreachable,
    "nothing is released unrecorded: try again; if it stays so, restore write access to ZoppAuditSegment objects",
  ),
  LogForked: terminal(
    "aborted",
    EXIT.conflict,
    "somebody else writes this log: find who, and run keyrings of one seed only where all segments stay (keyring.auditKeep: 0)",
  ),
  LogBroken: terminal(
    "failed_precondition",
    EXIT.conflict,
    "restore ZoppAuditSegment and ZoppLedger objects, together, from a backup; without one begin a new log: docs/backup.md#the-log-is-gone-ledgerlost",
  ),
  LogChanged: refused("take it for tampering: keep both checkpoints and the export, and ask who could write the log"),
  CheckpointInvalid: denied("take a checkpoint of this log, signed by the key that the policy names for its keyring"),
  LogPruned: terminal(
    "not_found",
    EXIT.notFound,
    "ask an export (`zopp audit list --from FILE`): the cluster keeps the newest only",
  ),
  Overloaded: transient("resource_exhausted", EXIT.unreachable, "send fewer or smaller requests; it is tried again"),
  SeedExists: terminal("failed_precondition", EXIT.conflict, "keep the seed that is there, or name another file"),
  SeedMissing: terminal(
    "failed_precondition",
    EXIT.notFound,
    "put the seed back from a backup, or make one with `keyring keygen --seed FILE --public FILE`; in a cluster the chart makes one where there never was one",
  ),

  // targets
  TargetForbidden: denied("choose a target type, labels and annotations that zopp allows"),
  TargetShape: invalid("give the keys that the target's type demands, with contents of that type"),
  TargetConflict: refused(
    "choose another target name, or annotate that Secret with zopp.dev/adopt: <bundle> if zopp should take it over",
  ),
  TargetImmutable: refused("delete the immutable Secret yourself, or choose another target name"),
  TargetTerminating: transient(
    "failed_precondition",
    EXIT.conflict,
    "wait until the Secret is gone, or take away the finalizer that the message names: it is made again then",
  ),
  TargetDenied: transient(
    "permission_denied",
    EXIT.denied,
    "give the operator the right on Secrets in this namespace, or change what refused the write",
  ),
  RenderInvalid: invalid("correct the template: only keys of this bundle and the documented filters"),

  // rotation jobs
  RotationPending: transient(
    "failed_precondition",
    EXIT.conflict,
    "wait for the Job that the message names: new values are published once it has succeeded",
  ),
  RotationFailed: transient(
    "failed_precondition",
    EXIT.conflict,
    "read the log of the Job that the message names; it is made again when it is gone: kubectl delete job NAME to try now, or delete what the message says is in its place",
  ),
  RotationDisabled: denied("let the operator run jobs (chart: operator.rotationJobs: true), or `zopp rotation remove`"),

  // certificates by a CA in another bundle
  IssuerPending: transient(
    "failed_precondition",
    EXIT.conflict,
    "wait for the bundle that the message names, or apply it: it is looked at again when that one changes",
  ),
  IssuerRefused: denied(
    "have whoever may sign the CA's bundle allow the names (`zopp generate CA-BUNDLE KEY --issues BUNDLE=NAME`), or put right what the message says",
  ),

  // API server
  ApiUnreachable: transient("unavailable", EXIT.unreachable, "check the address and that the API server answers"),
  ApiRefused: transient("permission_denied", EXIT.denied, "check the account's rights on the resource in the message"),
  NotLeading: transient("unavailable", EXIT.unreachable, "another operator leads; this one ends and stands by again"),
  ApiConflict: transient("aborted", EXIT.conflict, "run it again: somebody else changed the object meanwhile"),
  ApiInvalid: terminal(
    "invalid_argument",
    EXIT.invalid,
    "the API server refuses the object: correct the field that the message names",
  ),

  // command line
  Usage: terminal("invalid_argument", EXIT.usage, "see --help of the command"),
  NotFound: terminal("not_found", EXIT.notFound, "check the name; `zopp list` shows what there is"),
  AlreadyExists: refused("choose another name, or change the one that is there"),
  StillNeeded: refused("change first what the message says still needs it"),
  NoIdentity: terminal(
    "unauthenticated",
    EXIT.notFound,
    "run `zopp init`, or `zopp join` with an invite, or set ZOPP_TOKEN",
  ),
  WrongPassphrase: terminal("permission_denied", EXIT.cannotOpen, "type the passphrase of the identity file again"),
  FileExposed: denied("let nobody but yourself read or write the file: chmod 600"),
  FileUnwritable: terminal(
    "failed_precondition",
    EXIT.generic,
    "make the file writable, or free space on its disk; it is unchanged",
  ),
  GitFailed: terminal(
    "failed_precondition",
    EXIT.generic,
    "run `git fsck` in the checkout, and clone it again where it finds something",
  ),
  InviteInvalid: invalid("copy the whole invite code again: it starts with zoppjoin_"),
  JoinRefused: denied("ask an owner for a new invite: `zopp invite create`"),
  InviteContested: refused(
    "compare the fingerprints with the person who shall join, then pick one by --fingerprint, or revoke the invite",
  ),
  AuthorLeft: denied(
    "list it in a baseline (`zopp baseline create`), or have somebody whom the policy names write it again",
  ),
  NotRenewed: refused("give the keyring another seed first, as in docs/recovery.md, then run it again"),
  Interrupted: terminal("aborted", EXIT.generic, "what is written is whole; look with `zopp status`, and run it again"),
  Internal: transient("internal", EXIT.generic, "please report this with the message and the version"),
} as const satisfies Record<string, ErrorKind>;

/** The closed set of codes. */
export type ErrorCode = keyof typeof ERRORS;

/** A bad field: its path (`spec.data.DB_PASSWORD.to`) and what is wrong with it, never its value. */
export interface FieldProblem {
  readonly path: string;
  readonly problem: string;
}

/** The longest list of fields that a message spells out. */
const FIELDS_IN_MESSAGE = 5;

/**
 * The only error zopp throws on purpose. `message` is lower case, names object and field, and never
 * holds a value, key, token or an API server's answer; `cause` stays in the process.
 */
export class ZoppError extends Error {
  override readonly name = "ZoppError";
  readonly code: ErrorCode;
  readonly fields: readonly FieldProblem[];

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; fields?: readonly FieldProblem[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fields = options.fields ?? [];
  }

  /** The row of the table for this error's code. */
  get kind(): ErrorKind {
    return ERRORS[this.code];
  }

  /** True when trying again without anybody's change is useless. */
  get terminal(): boolean {
    return this.kind.persistence === "terminal";
  }
}

/** Builds the error for bad fields: all of them in `fields`, the first few in the message. */
export function malformed(object: string, fields: readonly FieldProblem[]): ZoppError {
  const shown = fields.slice(0, FIELDS_IN_MESSAGE).map((field) => `${field.path} ${field.problem}`);
  const more = fields.length > FIELDS_IN_MESSAGE ? ` (and ${fields.length - FIELDS_IN_MESSAGE} more)` : "";
  return new ZoppError("Malformed", `${object}: ${shown.join("; ")}${more}`, { fields });
}

/** True for a string that is one of the codes (used where a code arrives over the wire). */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

/** The single funnel for unknown errors at an edge: keeps a ZoppError, wraps anything else as Internal. */
export function asZoppError(error: unknown, context: string): ZoppError {
  if (error instanceof ZoppError) return error;
  return new ZoppError("Internal", `${context} failed unexpectedly`, { cause: error });
}
