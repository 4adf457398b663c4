// Judges an environment against its workspace's policy: who signed it, what the owners allow it, whom it is wrapped to.
// Unwrapping its keys is the keyring's business.
import { type EncryptionKey, parseEncryptionKey } from "../crypto/keys.js";
import { ZoppError } from "../errors.js";
import { environmentStatement, verifyStatement } from "../statement.js";
import type { EnvironmentGrant, EnvironmentKey, WorkspaceEnvironment, ZoppEnvironment } from "../types.gen.js";
import { refuseUnapproved } from "./approvals.js";
import { includesRead, may, type RightsContext, scopeCovers } from "./rights.js";
import type { Recipient } from "./roster.js";
import { hasEnded, refuseFarVersion } from "./versions.js";
import type { AcceptedWorkspace } from "./workspace.js";

/** An epoch of an environment with its key read: entries name it by the key's kid. */
export interface Epoch {
  readonly key: EncryptionKey;
  readonly facts: EnvironmentKey;
  readonly newest: boolean;
}

/** An environment that was judged and found good, with everything derived from it. */
export interface AcceptedEnvironment {
  readonly object: ZoppEnvironment;
  /** `workspace/project/environment` */
  readonly path: string;
  /** `project/environment`, as the workspace's policy and scopes name it. */
  readonly scope: string;
  readonly version: number;
  /** Hash of the environment statement. */
  readonly digest: string;
  /** Epochs by the kid of their public key. */
  readonly epochs: ReadonlyMap<string, Epoch>;
  readonly newest: Epoch;
}

/** What a candidate is judged against. */
export interface EnvironmentCase {
  readonly candidate: ZoppEnvironment;
  readonly accepted?: AcceptedEnvironment | undefined;
  readonly workspace: AcceptedWorkspace;
  readonly now: Date;
  /** True to make a next version of it: readers whose right has ended still have its key, and lose it by that version. */
  readonly mending?: boolean | undefined;
}

/** Derives path, digest and epochs without judging anything; throws Malformed or KeyAmbiguous for unusable keys. */
export function readEnvironment(object: ZoppEnvironment): AcceptedEnvironment {
  const { workspace, project, environment, version, keys } = object.spec;
  const epochs = new Map<string, Epoch>();
  for (const [at, facts] of keys.entries()) {
    const key = parseEncryptionKey(facts.public);
    if (key === null)
      throw new ZoppError(
        "Malformed",
        `environment ${object.metadata.name}: spec.keys[${at}].public is not a usable key`,
      );
    if (epochs.has(key.kid))
      throw new ZoppError("KeyAmbiguous", `environment ${object.metadata.name}: two epochs have one key`);
    epochs.set(key.kid, { key, facts, newest: at === keys.length - 1 });
  }
  const newest = [...epochs.values()].at(-1);
  if (newest === undefined) throw new ZoppError("Malformed", `environment ${object.metadata.name}: spec.keys is empty`);
  const digest = environmentStatement(object.spec).hash;
  const scope = `${project}/${environment}`;
  return { object, path: `${workspace}/${scope}`, scope, version, digest, epochs, newest };
}

/** The owners' rule for an environment. Throws UnknownEnvironment when the policy does not name it. */
export function ruleFor(workspace: AcceptedWorkspace, scope: string): WorkspaceEnvironment {
  const rule = workspace.object.spec.environments?.find(({ name }) => name === scope);
  if (rule !== undefined) return rule;
  throw new ZoppError("UnknownEnvironment", `workspace ${workspace.name} does not name the environment ${scope}`);
}

/** The context in which rights in an accepted environment are judged. */
export function rightsIn(workspace: AcceptedWorkspace, environment: AcceptedEnvironment, now: Date): RightsContext {
  const { grants } = environment.object.spec;
  return { workspace: workspace.object.spec, environment: environment.scope, grants, now };
}

/**
 * Judges a candidate; gives it back ready for use, or throws: UnknownEnvironment, EnvironmentRefused,
 * EnvironmentOutdated, Forked, PolicyRollback, NotAuthorised, PartlySigned, SignatureInvalid, UnknownSigner,
 * UnknownRecipient, GrantNotEnforceable, VersionTooFar, Malformed, KeyAmbiguous.
 */
export function judgeEnvironment(given: EnvironmentCase): AcceptedEnvironment {
  const { candidate, accepted, workspace, now } = given;
  const judged = readEnvironment(candidate);
  if (accepted !== undefined && accepted.digest === judged.digest) return accepted;
  const { workspace: owner, project, environment } = candidate.spec;
  if (owner !== workspace.name || candidate.metadata.name !== `${owner}.${project}.${environment}`) {
    const text = `environment ${candidate.metadata.name}: its name is not workspace.project.environment of its spec`;
    throw new ZoppError("EnvironmentRefused", text);
  }
  const rule = ruleFor(workspace, judged.scope);
  refuseFarVersion(judged.version, now, `environment ${judged.path}`);
  refuseOrder(judged, accepted);
  refuseOutdated(judged, rule);
  refuseShape(judged, accepted, rule);
  const author = refuseUnsigned(given, judged);
  refuseGrants(given, judged, author);
  refuseRecipients(given, judged);
  // last, so that what is refused for it lacks nothing else: approvers sign it on that ground
  const signatures = candidate.spec.signatures.slice(1);
  const statement = () => environmentStatement(candidate.spec, true);
  const what = `environment ${judged.path}: version ${judged.version}`;
  refuseUnapproved({ workspace, rule, author, statement, signatures, now }, "PartlySigned", what);
  return judged;
}

/** Throws EnvironmentOutdated when an environment is below the lowest version or epoch that the owners demand. */
export function refuseOutdated(judged: AcceptedEnvironment, rule: WorkspaceEnvironment): void {
  const { epoch } = judged.newest.facts;
  const { minVersion = 0, minEpoch = 0 } = rule;
  if (judged.version < minVersion) {
    const text = `environment ${judged.path}: version ${judged.version} is below the policy's ${minVersion}`;
    throw new ZoppError("EnvironmentOutdated", text);
  }
  if (epoch < minEpoch) {
    throw new ZoppError(
      "EnvironmentOutdated",
      `environment ${judged.path}: epoch ${epoch} is below the policy's ${minEpoch}`,
    );
  }
}

function refuseOrder(judged: AcceptedEnvironment, accepted: AcceptedEnvironment | undefined): void {
  if (accepted === undefined || judged.version > accepted.version) return;
  const what = `environment ${judged.path}: version ${judged.version}`;
  if (judged.version === accepted.version) throw new ZoppError("Forked", `${what} was accepted with another digest`);
  throw new ZoppError("PolicyRollback", `${what} is older than the accepted version ${accepted.version}`);
}

function refuseShape(
  judged: AcceptedEnvironment,
  accepted: AcceptedEnvironment | undefined,
  rule: WorkspaceEnvironment,
): void {
  for (const { facts } of judged.epochs.values()) {
    const before = accepted?.object.spec.keys.find(({ epoch }) => epoch === facts.epoch);
    const what = `environment ${judged.path}: epoch ${facts.epoch}`;
    if (before !== undefined && (before.public !== facts.public || before.binding !== facts.binding)) {
      throw new ZoppError("EnvironmentRefused", `${what} has another key or binding than the accepted one`);
    }
    if (facts.binding === "environment" && (rule.approvals?.required ?? 0) > 0) {
      throw new ZoppError("EnvironmentRefused", `${what}: binding environment and approvals exclude each other`);
    }
  }
}

/** The first signature is an admin's, by the workspace's grants or those of the accepted environment. */
function refuseUnsigned(given: EnvironmentCase, judged: AcceptedEnvironment): string {
  const what = `environment ${judged.path}: version ${judged.version}`;
  const [first] = judged.object.spec.signatures;
  if (first === undefined) throw new ZoppError("PartlySigned", `${what} carries no signature of an admin`);
  const signer = given.workspace.roster.signers.get(first.by);
  if (signer === undefined)
    throw new ZoppError("UnknownSigner", `${what} is signed by ${first.by}, whom the policy does not name`);
  if (!verifyStatement(signer.key, environmentStatement(judged.object.spec), first.value)) {
    throw new ZoppError("SignatureInvalid", `${what}: spec.signatures[0] by ${first.by} does not hold`);
  }
  const { name } = signer.principal;
  if (!may(rightsBefore(given, judged), name, "sign")) {
    throw new ZoppError("NotAuthorised", `${what}: ${name} is not an admin of this environment`);
  }
  return name;
}

/** Rights as they were before the candidate: nobody makes himself admin by the object that he signs. */
function rightsBefore({ workspace, accepted, now }: EnvironmentCase, judged: AcceptedEnvironment): RightsContext {
  const grants = accepted?.object.spec.grants;
  return { workspace: workspace.object.spec, environment: judged.scope, grants, now };
}

/** Grants of the environment reach no higher than their signer, and a read that is limited to keys needs a keyring. */
function refuseGrants(given: EnvironmentCase, judged: AcceptedEnvironment, author: string): void {
  const { spec } = judged.object;
  const own = spec.grants ?? [];
  const before = new Set((given.accepted?.object.spec.grants ?? []).map((grant) => JSON.stringify(grant)));
  const mayAudit = may(rightsBefore(given, judged), author, "audit");
  const tooHigh = own.find((grant) => grant.role === "audit" && !mayAudit && !before.has(JSON.stringify(grant)));
  if (tooHigh !== undefined) {
    throw new ZoppError(
      "NotAuthorised",
      `environment ${judged.path}: ${author} may not grant audit to ${tooHigh.subject}`,
    );
  }
  if (spec.access !== "direct") return;
  const wide = (given.workspace.object.spec.grants ?? []).filter(({ scope }) => scopeCovers(scope, judged.scope));
  const limited = [...wide, ...own].find((grant) => includesRead(grant.role) && hasPatterns(grant));
  if (limited !== undefined) {
    const text = `environment ${judged.path}: access is direct, so the ${limited.role} grant of ${limited.subject} cannot be limited to keys`;
    throw new ZoppError("GrantNotEnforceable", text);
  }
}

function hasPatterns({ keys }: EnvironmentGrant): boolean {
  return keys !== undefined && keys.length > 0;
}

/**
 * Recipients of the newest epoch, and of older ones those that the accepted environment did not have: a named cluster,
 * a recovery key, or (direct) a device whose principal may read.
 */
function refuseRecipients(given: EnvironmentCase, judged: AcceptedEnvironment): void {
  for (const { facts, newest } of judged.epochs.values()) {
    const before = given.accepted?.object.spec.keys.find(({ epoch }) => epoch === facts.epoch);
    if (!newest && before === undefined) continue;
    const known = new Set(newest ? [] : before?.sealed.map(({ to }) => to));
    const stranger = facts.sealed.find(({ to }) => !known.has(to) && !isRecipient(given, judged, to));
    if (stranger !== undefined) {
      const ended = isRecipient({ ...given, mending: true }, judged, stranger.to);
      const why = ended
        ? "whose right to read has ended: `zopp revoke` takes the key too"
        : "which the policy does not allow";
      const text = `environment ${judged.path}: epoch ${facts.epoch} is wrapped to ${stranger.to.slice(0, 24)}, ${why}`;
      throw new ZoppError("UnknownRecipient", text);
    }
  }
}

function isRecipient(given: EnvironmentCase, judged: AcceptedEnvironment, to: string): boolean {
  const { workspace } = given;
  // nothing has ended at the beginning of time
  const now = given.mending === true ? new Date(0) : given.now;
  if (!to.startsWith("zk1")) return workspace.object.spec.recovery?.some(({ recipient }) => recipient === to) ?? false;
  const found = workspace.roster.recipients.get(to);
  return found !== undefined && mayHaveKey(workspace, judged, found, now);
}

/** Whether the policy lets a recipient that it names have an environment's key: a cluster, or (direct) a reader's device. */
export function mayHaveKey(
  workspace: AcceptedWorkspace,
  environment: AcceptedEnvironment,
  recipient: Recipient,
  now: Date,
): boolean {
  if (recipient.kind === "cluster")
    return ruleFor(workspace, environment.scope).clusters?.includes(recipient.cluster.name) ?? false;
  const { principal } = recipient;
  const direct = environment.object.spec.access === "direct";
  return (
    direct && !hasEnded(principal.expires, now) && may(rightsIn(workspace, environment, now), principal.name, "read")
  );
}
