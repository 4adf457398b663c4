// Judges a baseline: bundles that a new keyring may accept although who signed them may write no more.
// What it means for a bundle is crds/bundle's business; which baseline was accepted before is the ledger's.
import { parseVerifyKey, type VerifyKey } from "../crypto/keys.js";
import { type ErrorCode, ZoppError } from "../errors.js";
import { baselineStatement, verifyStatement } from "../statement.js";
import type { ZoppBaseline } from "../types.gen.js";
import { refuseUnapproved } from "./approvals.js";
import { type AcceptedEnvironment, rightsIn, ruleFor } from "./environment.js";
import { may } from "./rights.js";
import { refuseFarVersion } from "./versions.js";
import { type AcceptedWorkspace, refuseExpired } from "./workspace.js";

/** A baseline that was judged and found good. */
export interface AcceptedBaseline {
  readonly object: ZoppBaseline;
  readonly version: number;
  /** Hash of the baseline statement. */
  readonly digest: string;
  /** Digests by `namespace/name`. */
  readonly bundles: ReadonlyMap<string, string>;
  /** Keys of authors whom policy may name no longer, by kid. */
  readonly authors: ReadonlyMap<string, VerifyKey>;
}

/** What a baseline is judged against. */
export interface BaselineCase {
  readonly candidate: ZoppBaseline;
  readonly accepted?: AcceptedBaseline | undefined;
  readonly workspace: AcceptedWorkspace;
  readonly environment: AcceptedEnvironment;
  /** The version number of the moment at which the keyring's log began; 0 for who has no log. */
  readonly since: number;
  readonly now: Date;
}

/** Derives digest, places and keys without judging anything; for what was accepted before. Throws Malformed. */
export function readBaseline(object: ZoppBaseline): AcceptedBaseline {
  const authors = new Map<string, VerifyKey>();
  for (const { name, signingKey } of object.spec.authors ?? []) {
    const key = parseVerifyKey(signingKey);
    if (key === null)
      throw new ZoppError("Malformed", `baseline ${object.metadata.name}: the key of ${name} is no key`);
    authors.set(key.kid, key);
  }
  const { version, bundles } = object.spec;
  return {
    object,
    version,
    digest: baselineStatement(object.spec).hash,
    bundles: new Map(bundles.map(({ namespace, name, digest }) => [`${namespace}/${name}`, digest])),
    authors,
  };
}

/** The version number of the moment at which a log began, by its id; 0 where the id does not say it. */
export function versionOfLog(log: string): number {
  return Number(/^(\d{14})-/.exec(log)?.[1] ?? 0);
}

/**
 * Judges a candidate; gives it back ready for use, or throws: EnvironmentRefused, Forked, PolicyRollback,
 * BaselineOutdated, EnvironmentOutdated, PolicyExpired, VersionTooFar, PartlySigned, UnknownSigner, SignatureInvalid,
 * NotAuthorised, Malformed. A candidate with the accepted digest gives the accepted one.
 */
export function judgeBaseline(given: BaselineCase): AcceptedBaseline {
  const { candidate, accepted, workspace, environment, now } = given;
  const judged = readBaseline(candidate);
  if (accepted !== undefined && accepted.digest === judged.digest) return accepted;
  const what = `baseline ${environment.path}: version ${judged.version}`;
  const refuse = (code: ErrorCode, why: string) => {
    throw new ZoppError(code, `${what} ${why}`);
  };
  const { spec } = candidate;
  if (`${spec.workspace}/${spec.project}/${spec.environment}` !== environment.path)
    refuse("EnvironmentRefused", "is one of another environment");
  refuseFarVersion(judged.version, now, what);
  if (judged.version === accepted?.version) refuse("Forked", "was accepted with another digest");
  if (judged.version < (accepted?.version ?? 0))
    refuse("PolicyRollback", `is older than the accepted version ${accepted?.version}`);
  // one that was signed before this keyring's log began was meant for another keyring: it would bring back old content
  if (judged.version <= given.since) refuse("BaselineOutdated", `is older than this keyring's log`);
  if (workspace.version < spec.since.workspace || environment.version < spec.since.environment) {
    const { workspace: first, environment: second } = spec.since;
    refuse("EnvironmentOutdated", `was made for workspace version ${first} and environment version ${second}`);
  }
  refuseExpired(workspace, now);
  refuseUnsigned(given, what);
  return judged;
}

/** Signed first by somebody who is an admin now, then by the approvers that the owners ask for. */
function refuseUnsigned({ candidate, workspace, environment, now }: BaselineCase, what: string): void {
  const [first, ...signatures] = candidate.spec.signatures;
  if (first === undefined) throw new ZoppError("PartlySigned", `${what} carries no signature of an admin`);
  const signer = workspace.roster.signers.get(first.by);
  if (signer === undefined)
    throw new ZoppError("UnknownSigner", `${what} is signed by ${first.by}, whom the policy does not name`);
  if (!verifyStatement(signer.key, baselineStatement(candidate.spec), first.value))
    throw new ZoppError("SignatureInvalid", `${what}: spec.signatures[0] by ${first.by} does not hold`);
  const { name: author } = signer.principal;
  if (!may(rightsIn(workspace, environment, now), author, "sign"))
    throw new ZoppError("NotAuthorised", `${what}: ${author} is not an admin of this environment`);
  const rule = ruleFor(workspace, environment.scope);
  const statement = () => baselineStatement(candidate.spec, true);
  refuseUnapproved({ workspace, rule, author, statement, signatures, now }, "PartlySigned", what);
}
