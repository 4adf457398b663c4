// Checks one signed part of a bundle, its header or an entry: signature, right, epoch, version, approvals.
// The bundle as a whole is verify.ts' business.
import type { VerifyKey } from "../crypto/keys.js";
import { ZoppError } from "../errors.js";
import { refuseUnapproved } from "../policy/approvals.js";
import { rightsIn } from "../policy/environment.js";
import { may } from "../policy/rights.js";
import type { Signer } from "../policy/roster.js";
import { refuseFarVersion } from "../policy/versions.js";
import { type Statement, verifyStatement } from "../statement.js";
import type { WorkspaceEnvironment } from "../types.gen.js";
import { entryApproval, headerApproval } from "./approve.js";
import { type Accepted, type BundleCase, type PartVerdict, placeOf } from "./case.js";
import { signedFor } from "./explain.js";

/** A bundle as its parts are judged. */
export interface JudgedCase extends BundleCase {
  /** True when the baseline lists exactly this bundle. */
  readonly vouched?: boolean | undefined;
}

/** A header or an entry, in the same words. */
interface SignedPart {
  /** What a message calls it: bundle and field. */
  readonly what: string;
  /** The entry's key; absent for the header. */
  readonly key?: string;
  readonly version: number;
  readonly by: string;
  readonly signature: string;
  readonly approvals?: Readonly<Record<string, string>> | undefined;
  readonly statement: Statement;
  readonly before?: Accepted | undefined;
  approvalStatement(): Statement;
}

/** Checks the header. Gives what is new to the ledger; throws the problem (see verifyBundle). */
export function checkHeader(given: JudgedCase, statement: Statement, rule: WorkspaceEnvironment): PartVerdict {
  const { secret, ledger, environment } = given;
  const { header } = secret.spec;
  return checkPart(given, rule, {
    ...header,
    what: `bundle ${placeOf(secret)}: spec.header`,
    statement,
    before: ledger?.header,
    approvalStatement: () => headerApproval(secret, environment),
  });
}

/** Checks one entry. Gives what is new to the ledger; throws the problem (see verifyBundle). */
export function checkEntry(
  given: JudgedCase,
  key: string,
  statement: Statement,
  rule: WorkspaceEnvironment,
): PartVerdict {
  const { secret, ledger, environment } = given;
  const entry = secret.spec.data?.[key];
  if (entry === undefined) throw new TypeError(`a statement for ${key}, which the bundle lacks`);
  const before = ledger?.entries.get(key);
  const what = `bundle ${placeOf(secret)}: spec.data.${key}`;
  const warnings = before?.hash === statement.hash ? [] : epochWarnings(given, entry.to, what);
  const verdict = checkPart(given, rule, {
    ...entry,
    what,
    key,
    statement,
    before,
    approvalStatement: () => entryApproval(secret, key, entry, environment),
  });
  return { ...verdict, warnings: [...warnings, ...(verdict.warnings ?? [])] };
}

function checkPart(given: JudgedCase, rule: WorkspaceEnvironment, part: SignedPart): PartVerdict {
  if (part.before?.hash === part.statement.hash) return {};
  const signer = given.workspace.roster.signers.get(part.by);
  const key = signer?.key ?? (given.vouched === true ? given.baseline?.authors.get(part.by) : undefined);
  if (key === undefined) return refuseUnknown(given, part);
  if (!verifyStatement(key, part.statement, part.signature)) throw explain(given, part, key);
  if (given.vouched !== true && signer !== undefined) refuseUnauthorised(given, part, signer);
  if (part.key === undefined) refuseRotation(given, part, signer);
  refuseFarVersion(part.version, given.now, part.what);
  const warnings = refuseOlder(given, part);
  if (given.vouched !== true && signer !== undefined) refuseWaiting(given, rule, part, signer);
  return { accepted: { version: part.version, hash: part.statement.hash }, warnings };
}

function refuseUnknown(given: JudgedCase, part: SignedPart): PartVerdict {
  const text = `${part.what} is signed by ${part.by}, whom the policy does not name`;
  if (given.lenient === true) return { warnings: [new ZoppError("AuthorLeft", text)] };
  throw new ZoppError("UnknownSigner", text);
}

/** A signature that does not hold here: made for another place if that can be found out, else plainly invalid. */
function explain(given: BundleCase, part: SignedPart, signer: VerifyKey): ZoppError {
  const place = signedFor(given, part.key, signer, part.signature);
  if (place === undefined)
    return new ZoppError("SignatureInvalid", `${part.what}.signature by ${part.by} does not hold`);
  return new ZoppError("PlaceMismatch", `${part.what} was signed for ${place}`);
}

function refuseUnauthorised(given: JudgedCase, part: SignedPart, { principal }: Signer): void {
  const context = rightsIn(given.workspace, given.environment, given.now);
  const action = part.key === undefined ? "header" : "write";
  if (may(context, principal.name, action, part.key)) return;
  const right = part.key === undefined ? "write all of" : "write that key in";
  throw new ZoppError("NotAuthorised", `${part.what}: ${principal.name} may not ${right} ${given.environment.path}`);
}

/**
 * A rotation's job reads all values of the bundle, those for it alone too: it takes who may sign the environment, as naming its
 * readers does. The whole header is its signer's, also a rotation that stood there before. A baseline lists what nobody reads
 * again, so it does not stand in for that signer.
 */
function refuseRotation({ secret, workspace, environment, now }: JudgedCase, part: SignedPart, signer?: Signer): void {
  if (secret.spec.rotation === undefined) return;
  const context = rightsIn(workspace, environment, now);
  if (signer !== undefined && may(context, signer.principal.name, "sign")) return;
  const who = signer?.principal.name ?? part.by;
  const next = "an admin who has read it signs the header by `zopp set BUNDLE --sign-header`, or drops it";
  const text = `${who} may not sign for a job with the values of ${environment.path}: ${next}`;
  throw new ZoppError("NotAuthorised", `bundle ${placeOf(secret)}: spec.rotation: ${text}`);
}

/** New content is sealed at the newest epoch, unless a baseline lists it; a client, which has no ledger, only warns of an older one. */
function epochWarnings(given: JudgedCase, to: string | undefined, what: string): readonly ZoppError[] {
  if (to === undefined) return [];
  const epoch = given.environment.epochs.get(to);
  if (epoch?.newest || (epoch !== undefined && (given.vouched === true || given.anyEpoch === true))) return [];
  const known =
    epoch === undefined
      ? "an environment key that the policy does not have"
      : `epoch ${epoch.facts.epoch}, not the newest`;
  const error = new ZoppError("UnknownEpoch", `${what}.to is ${known}`);
  if (given.lenient === true && epoch !== undefined) return [error];
  throw error;
}

/** Versions only count up. Under `rollback: allow` an entry (never a header) may go back, with a warning. */
function refuseOlder(given: BundleCase, part: SignedPart): readonly ZoppError[] {
  const { before } = part;
  if (before === undefined || part.version > before.version) return [];
  const relation =
    part.version === before.version
      ? "is the accepted one with other content"
      : `is below the accepted ${before.version}`;
  const error = new ZoppError("RollbackRefused", `${part.what}: version ${part.version} ${relation}`);
  const allowed = given.environment.object.spec.rollback === "allow";
  if (allowed && part.key !== undefined && given.ledger?.environment === given.environment.path) return [error];
  throw error;
}

function refuseWaiting(given: BundleCase, rule: WorkspaceEnvironment, part: SignedPart, signer: Signer): void {
  const { workspace, now } = given;
  const signatures = Object.entries(part.approvals ?? {}).map(([by, value]) => ({ by, value }));
  const author = signer.principal.name;
  const statement = part.approvalStatement;
  refuseUnapproved({ workspace, rule, author, statement, signatures, now }, "PendingApproval", part.what);
}
