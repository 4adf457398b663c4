// Judges a workspace's policy: does it chain from a pin, or from the accepted policy, and do enough owners sign it.
// Storing what was accepted, and serving by it, is the caller's business.

import { parseVerifyKey } from "../crypto/keys.js";
import { ZoppError } from "../errors.js";
import { rotationStatement, type Statement, verifyStatement, workspaceStatement } from "../statement.js";
import type { OwnersSet, Rotation, Signature, ZoppWorkspace } from "../types.gen.js";
import { refuseSharedNamespaces } from "./namespaces.js";
import { formatPin, type Pin, pinNames } from "./pin.js";
import { ownersDigest, ownersSet, type Roster, readRoster } from "./roster.js";
import { hasEnded, refuseFarVersion } from "./versions.js";

/** The most ancestors a policy lists; a list of this length may have lost the accepted one at its end. */
export const MAX_ANCESTORS = 256;

/** A policy that was judged and found good, with everything derived from it. */
export interface AcceptedWorkspace {
  readonly object: ZoppWorkspace;
  readonly name: string;
  readonly version: number;
  /** Hash of the workspace statement. */
  readonly digest: string;
  readonly owners: OwnersSet;
  readonly ownersDigest: string;
  readonly roster: Roster;
}

/** What a candidate is judged against: the accepted policy if there is one, else a pin. */
export interface WorkspaceCase {
  readonly candidate: ZoppWorkspace;
  readonly accepted?: AcceptedWorkspace | undefined;
  readonly pin?: Pin | undefined;
  readonly now: Date;
  /** Namespaces no environment may serve: kube-system and zopp's own. */
  readonly reservedNamespaces?: readonly string[];
}

/** Derives digest, owners and roster without judging anything; for what was accepted before. Throws as readRoster. */
export function readWorkspace(object: ZoppWorkspace): AcceptedWorkspace {
  const name = object.metadata.name;
  const owners = ownersSet(object.spec);
  return {
    object,
    name,
    version: object.spec.version,
    digest: workspaceStatement(name, object.spec).hash,
    owners,
    ownersDigest: ownersDigest(name, owners),
    roster: readRoster(object.spec),
  };
}

/**
 * Judges a candidate; gives it back ready for use, or throws: NotPinned, PinMismatch, PolicyRollback, Forked,
 * PolicyGap, PartlySigned, VersionTooFar, NamespaceConflict, KeyAmbiguous, Malformed. A candidate with the accepted
 * digest gives the accepted one.
 */
export function judgeWorkspace(given: WorkspaceCase): AcceptedWorkspace {
  const { candidate, accepted, now } = given;
  const judged = readWorkspace(candidate);
  if (accepted !== undefined && accepted.digest === judged.digest) return accepted;
  refuseFarVersion(judged.version, now, `workspace ${judged.name}`);
  if (accepted === undefined) refuseUnpinned(judged, given.pin);
  else refuseStranger(judged, accepted);
  refuseUnderSigned(judged);
  refuseSharedNamespaces(candidate.spec.environments ?? [], given.reservedNamespaces ?? ["kube-system"]);
  return judged;
}

/** Throws PolicyExpired when a policy is past its `expires`: it accepts no new content. */
export function refuseExpired(workspace: AcceptedWorkspace, now: Date): void {
  const { expires } = workspace.object.spec;
  if (hasEnded(expires, now)) throw new ZoppError("PolicyExpired", `workspace ${workspace.name} expired at ${expires}`);
}

function refuseUnpinned(judged: AcceptedWorkspace, pin: Pin | undefined): void {
  if (pin === undefined || pin.workspace !== judged.name) {
    throw new ZoppError("NotPinned", `workspace ${judged.name} is not pinned`);
  }
  if (judged.version < pin.minVersion) {
    const text = `workspace ${judged.name}: version ${judged.version} is below the pin's ${pin.minVersion}`;
    throw new ZoppError("PolicyRollback", text);
  }
  if (pinNames(pin, judged.ownersDigest)) return;
  if (rotationsLead(judged, pin.minVersion, (digest) => pinNames(pin, digest))) return;
  const text = `workspace ${judged.name}: its owners are not those of the pin ${formatPin(pin)}, nor rotated from them since that version`;
  throw new ZoppError("PinMismatch", text);
}

function refuseStranger(judged: AcceptedWorkspace, accepted: AcceptedWorkspace): void {
  const what = `workspace ${judged.name}: version ${judged.version}`;
  if (judged.version === accepted.version) {
    throw new ZoppError(
      "Forked",
      `${what} was accepted with the digest ${accepted.digest}, this one has ${judged.digest}`,
    );
  }
  if (judged.version < accepted.version) {
    throw new ZoppError("PolicyRollback", `${what} is older than the accepted version ${accepted.version}`);
  }
  const { ancestors = [] } = judged.object.spec;
  if (!ancestors.includes(accepted.digest)) {
    const code = ancestors.length >= MAX_ANCESTORS ? "PolicyGap" : "Forked";
    throw new ZoppError(code, `${what} does not name the accepted version ${accepted.version} among its ancestors`);
  }
  if (judged.ownersDigest !== accepted.ownersDigest) refuseUsurpers(judged, accepted, ancestors[0] === accepted.digest);
}

/** New owners: the accepted ones signed the step, and this very policy when it follows theirs directly. */
function refuseUsurpers(judged: AcceptedWorkspace, accepted: AcceptedWorkspace, direct: boolean): void {
  const what = `workspace ${judged.name}: version ${judged.version}`;
  if (!rotationsLead(judged, accepted.version, (digest) => digest === accepted.ownersDigest)) {
    throw new ZoppError("PolicyGap", `${what} has other owners, and no rotation leads to them from the accepted ones`);
  }
  const statement = workspaceStatement(judged.name, judged.object.spec);
  if (direct) refuseMissing(accepted.owners, statement, judged.object.spec.signatures, `${what} (accepted owners)`);
}

function refuseUnderSigned(judged: AcceptedWorkspace): void {
  const statement = workspaceStatement(judged.name, judged.object.spec);
  const what = `workspace ${judged.name}: version ${judged.version}`;
  refuseMissing(judged.owners, statement, judged.object.spec.signatures, what);
}

function refuseMissing(owners: OwnersSet, statement: Statement, signatures: readonly Signature[], what: string): void {
  const signed = ownersWhoSigned(owners, statement, signatures);
  if (signed.size >= owners.threshold) return;
  const waiting = owners.principals.map(({ name }) => name).filter((name) => !signed.has(name));
  const text = `${what} has ${signed.size} of ${owners.threshold} owners' signatures; missing from: ${waiting.join(", ")}`;
  throw new ZoppError("PartlySigned", text);
}

/** The owners with a valid signature by any of their keys; two devices of one owner count once. */
export function ownersWhoSigned(
  owners: OwnersSet,
  statement: Statement,
  signatures: readonly Signature[],
): ReadonlySet<string> {
  const signed = new Set<string>();
  for (const { name, signingKeys } of owners.principals) {
    const keys = signingKeys.map(parseVerifyKey).filter((key) => key !== null);
    const valid = signatures.some(({ by, value }) =>
      keys.some((key) => key.kid === by && verifyStatement(key, statement, value)),
    );
    if (valid) signed.add(name);
  }
  return signed;
}

/**
 * Whether valid rotations lead, without a gap, from an owners' set that `starts` names to the judged owners. Only steps
 * made after the version that the set is known from count: one of before may have been taken back since, and whoever it
 * once made an owner would come back by it. Throws PartlySigned where nothing is lacking but signatures.
 */
function rotationsLead(judged: AcceptedWorkspace, since: number, starts: (digest: string) => boolean): boolean {
  const steps = (judged.object.spec.rotations ?? []).filter(({ version }) => version > since);
  const first = steps.findIndex(({ from }) => starts(ownersDigest(judged.name, from)));
  if (first < 0) return false;
  const chain = steps.slice(first).map((step, at, rest) => ({ step, next: rest[at + 1]?.from ?? judged.owners }));
  if (!chain.every(({ step, next }) => step.to === ownersDigest(judged.name, next))) return false;
  // a step that nobody of its `from` signed is nobody's wish but a stranger's
  if (!chain.every(({ step }) => signersOfStep(judged, step, step.from).size > 0)) return false;
  for (const { step, next } of chain) refuseUnfinished(judged, step, next);
  return true;
}

function signersOfStep(judged: AcceptedWorkspace, step: Rotation, owners: OwnersSet): ReadonlySet<string> {
  return ownersWhoSigned(owners, rotationStatement(judged.name, step), step.signatures);
}

/** A threshold of both sets signs a step. */
function refuseUnfinished(judged: AcceptedWorkspace, step: Rotation, next: OwnersSet): void {
  const statement = rotationStatement(judged.name, step);
  const what = `workspace ${judged.name}: the change of owners in version ${step.version}`;
  refuseMissing(step.from, statement, step.signatures, `${what} (owners before it)`);
  refuseMissing(next, statement, step.signatures, `${what} (owners after it)`);
}
