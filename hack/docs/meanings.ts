// Owns what each code of the error table means, in a sentence for somebody who met it as a reason.
// Does not own the codes, nor what to do about them: that is crds/errors.ts.
import type { ErrorCode } from "../../crds/errors.js";

/** One sentence for each code; a code without one does not compile. */
export const MEANINGS: Readonly<Record<ErrorCode, string>> = {
  Malformed: "A field is missing, unknown, or not in the one form that it may have.",
  TooLarge: "Something is over a limit of the format, whatever it holds.",
  UnknownVersion: "The apiVersion or kind is none that this build knows.",
  TokenInvalid: "An API token was cut or mistyped: its check digits do not fit.",

  NoPolicy: "The keyring is pinned to a workspace that it has not seen yet.",
  NotPinned: "A workspace is there that nobody told this keyring or this machine to trust.",
  AmbiguousFirstUse: "With first use there must be one workspace, and there are several.",
  PinMismatch: "The workspace is owned by others than the pin says.",
  PartlySigned: "Signatures of owners or approvals of the environment are still missing.",
  Forked: "Two different policies have the same version.",
  PolicyGap: "The policy does not name the accepted one among its ancestors: too many versions lie between.",
  PolicyRollback: "The policy or environment is older than the accepted one.",
  PolicyExpired: "The policy's `expires` has passed: nothing new is accepted, and what runs stays.",
  KeyAmbiguous: "Two keys of the policy cannot be told apart.",

  UnknownEnvironment: "The environment that the bundle names is not there, or not in the policy.",
  EnvironmentRefused: "The environment asks for more than the owners allow, or was not signed by somebody who may.",
  EnvironmentOutdated: "The environment is below the lowest version or epoch that the owners' policy demands.",
  UnknownRecipient: "The environment's key is wrapped to somebody who may not have it.",
  NoRecipient: "The environment's key is wrapped to no cluster.",
  ClusterNotNamed:
    "The policy does not name this cluster, or not any more for this environment, or the environment's key is not wrapped to it.",
  NotServedHere:
    "The policy lets other clusters serve the environment, not this one: no fault of the environment, which is `Ready` with this reason; a bundle of it does not belong here.",
  NamespaceConflict: "Two environments claim one namespace.",
  NamespaceNotAllowed: "The bundle lies in a namespace that its environment does not serve.",
  GrantNotEnforceable:
    "A read grant has key patterns where people read with their own key, which nothing could enforce.",

  UnknownEpoch: "The value is sealed to a key that is not the environment's newest.",
  UnknownSigner: "The policy does not name the key that signed.",
  SignatureInvalid: "What is stored is not what was signed.",
  PlaceMismatch: "The content was signed for another place, key or version, and was moved.",
  NotAuthorised: "The signer may not write this key, or not sign the bundle's header.",
  PendingApproval: "The environment asks for approvals, and some are missing; the whole bundle waits.",
  RollbackRefused: "The content is older than what was accepted here, or has its version with other bytes.",
  VersionTooFar: "The version lies more than a day in the future.",
  EntryMissing: "A key that was accepted is gone without a signed tombstone.",
  GeneratedLost: "A value that the keyring made is not in the bundle's status any more, or another one is.",
  EnvironmentChanged: "The bundle names another environment than before, without a right in both.",
  BaselineOutdated:
    "The baseline was signed before this keyring's log began, so it could bring back old content; or a bundle is not what it lists.",
  LedgerLost: "The keyring's log is not the one that the policy names: it was lost, or is a new one.",

  CannotOpen: "The keyring has the key, and the value does not open with it.",
  BrokeredOnly: "Values of this environment are read through a keyring, and no cluster serves it.",
  NotRecipient: "The environment's key is not wrapped to this device.",

  Unauthenticated:
    "The keyring does not know the caller's key, its enrolment has ended, or the token to enrol with cannot be read.",
  EnrolmentRefused:
    "The token is neither bound to the operator's own account and pod, nor to a pod of a workload that policy names.",
  MethodDenied: "The caller's key may not use this method.",
  KeyringUnavailable: "The keyring does not answer.",
  KeyringMismatch: "What answers is not the keyring that was pinned.",
  AuditUnavailable: "The log cannot be written, and nothing is released unrecorded.",
  LogForked:
    "Somebody else writes this log: another keyring with the same seed where segments may be deleted, or another history.",
  LogBroken: "The log or a snapshot of it is incomplete or changed; the keyring does not start.",
  LogChanged:
    "The audit log is not the one that was seen before, or a record of it was changed, dropped or put elsewhere.",
  CheckpointInvalid: "A checkpoint is not one, not of this log, or not signed by the keyring's key.",
  LogPruned: "The records asked for are older than what the cluster keeps.",
  Overloaded: "Too much is asked at once.",
  SeedExists: "`keygen` never overwrites a seed.",
  SeedMissing: "The seed file cannot be read, or a share of the seed was deleted.",

  TargetForbidden: "The Secret's type, a label or an annotation could make another controller act.",
  TargetShape: "The bundle lacks keys that the Secret's type demands, or their contents are of another form.",
  TargetConflict: "A Secret of that name is there and is not zopp's, or another bundle's.",
  TargetImmutable: "The Secret is immutable and would have to change.",
  TargetTerminating: "The Secret is being deleted, and something holds it by a finalizer.",
  TargetDenied: "The API server does not let the operator write the Secret.",
  RenderInvalid:
    "A template of `render` cannot be read, names a key that is not in the bundle, or cannot hold a value.",

  RotationPending:
    "New values wait for the Job that brings them to where they are checked; the last good Secret serves.",
  RotationFailed: "The Job that brings new values to where they are checked has failed, or is not this bundle's.",
  RotationDisabled: "The bundle has `rotation`, and this operator was not told that it may run Jobs.",

  IssuerPending: "The CA that signs one of the bundle's certificates is not there, not accepted yet, or has ended.",
  IssuerRefused:
    "The CA that the bundle names does not sign these names for it, is none, or its own bundle is refused.",

  ApiUnreachable: "The API server does not answer.",
  ApiRefused: "The API server says that the account may not do this.",
  NotLeading: "An operator of several may write no more: it does not hold the Lease by which one of them leads.",
  ApiConflict: "Somebody else changed the object at the same time.",
  ApiInvalid: "The API server refuses the object's shape.",

  Usage: "The command line is not understood; nothing was tried.",
  NotFound: "There is nothing of that name.",
  AlreadyExists: "Something of that name is there already.",
  InviteInvalid: "An invite code was not copied whole.",
  JoinRefused: "A request to join is not made with a live invite of the policy, or not by the keys that it names.",
  InviteContested: "Several devices ask to join by one invite, which was meant for one.",
  StillNeeded: "What shall go is still needed: by the owners' threshold, by approvals, or because a grant names it.",
  NoIdentity: "This machine has no identity of zopp's.",
  WrongPassphrase: "The identity file, or the recovery key, does not open.",
  FileExposed: "Other accounts of this machine may read or write a private file.",
  FileUnwritable: "A file cannot be written; it is as it was.",
  GitFailed: "git cannot read all that it should have of this checkout; nothing is concluded from the rest.",
  AuthorLeft: "The author of a value is no longer in the policy: a new cluster would not accept it.",
  NotRenewed: "`zopp keys renew`: the keyring still has the key that the policy names.",
  Interrupted: "Somebody ended the command.",
  Internal: "A mistake in zopp.",
};
