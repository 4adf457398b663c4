// Carries a change of people, devices, groups or grants through: the workspace, and each environment that it reaches.
// Who gets an environment's key, who loses it, and what must be signed again is decided here; what changes, by commands.
import type { Identity } from "../crds/crypto/identity.js";
import { ZoppError } from "../crds/errors.js";
import { type EnvironmentContent, environmentContent, type WorkspaceContent } from "../crds/policy/edit.js";
import { type AcceptedEnvironment, judgeEnvironment } from "../crds/policy/environment.js";
import { formatPin } from "../crds/policy/pin.js";
import { may, subjectIncludes } from "../crds/policy/rights.js";
import { hasEnded } from "../crds/policy/versions.js";
import { type AcceptedWorkspace, readWorkspace } from "../crds/policy/workspace.js";
import type { EnvironmentGrant, WorkspaceEnvironment, WorkspaceSpec } from "../crds/types.gen.js";
import { type Amended, type EnvironmentAmendment, refuseStranger, type SignedPolicy, storeAmendment } from "./amend.js";
import { acceptEnvironment, signerOf } from "./policy.js";
import type { Session } from "./session.js";
import { pathIn } from "./settings.js";
import { readerKeys, wrapFurther } from "./wrapping.js";

/** An environment's own grants as they shall be; the same list where nothing changes. */
export type Regrant = (grants: readonly EnvironmentGrant[], scope: string) => readonly EnvironmentGrant[];

/** What a command changes. */
export interface PolicyChange {
  readonly workspace: AcceptedWorkspace;
  /** Absent = the workspace stays as it is. */
  readonly content?: WorkspaceContent | undefined;
  /** In the place of a content: a version that enough owners have signed already. */
  readonly signed?: SignedPolicy | undefined;
  /** Absent = environments keep their grants. */
  readonly regrant?: Regrant | undefined;
}

/** A key that somebody had and loses: what was sealed with it stays open to whoever kept a copy. */
export interface LostKey {
  readonly environment: string;
  readonly epochs: readonly number[];
  readonly principal: string;
}

/** What was stored, and which keys somebody had who has them no longer. */
export interface Changed extends Amended {
  readonly lost: readonly LostKey[];
}

/** The environments of a workspace that can be accepted, and what keeps the others from it. */
export async function environmentsOf(
  session: Session,
  workspace: AcceptedWorkspace,
): Promise<{ readonly environments: readonly AcceptedEnvironment[]; readonly notes: readonly string[] }> {
  const environments: AcceptedEnvironment[] = [];
  const notes: string[] = [];
  for (const { name } of workspace.object.spec.environments ?? []) {
    try {
      environments.push(await acceptEnvironment(session, workspace, pathIn(workspace.name, name), true));
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      notes.push(`environment ${name} is left as it is: ${error.code}: ${error.message}`);
    }
  }
  return { environments, notes };
}

/**
 * Signs and stores a change with all that follows from it: readers of direct environments get the key, those who read
 * no longer lose it, and what a leaver had signed is signed again. Throws NotAuthorised, StillNeeded, and as
 * storeAmendment.
 */
export async function storeChange(session: Session, change: PolicyChange): Promise<Changed> {
  const { workspace, content, signed } = change;
  const identity = await session.identity();
  const now = session.context.now();
  const next = content === undefined ? (signed?.workspace ?? workspace) : wouldBe(workspace, content);
  if (content !== undefined) {
    refuseStranger(workspace, identity);
    refuseLoneDevice(workspace, next, identity);
    refuseTooFewApprovers(workspace, next, now);
  }
  const { environments, notes } = await environmentsOf(session, workspace);
  const given = { ...change, next, identity, now };
  const followed: Followed[] = [];
  const done = new Set(signed?.environments.map(({ object }) => object.metadata.name));
  for (const accepted of environments)
    if (!done.has(accepted.object.metadata.name)) followed.push(await follow(given, accepted));
  const amendments = followed.flatMap(({ amendment }) => (amendment === undefined ? [] : [amendment]));
  const lost = followed.flatMap((each) => each.lost);
  const amended = await storeAmendment(session, { workspace, identity, content, signed, environments: amendments });
  return {
    ...amended,
    lost,
    notes: [
      ...amended.notes,
      ...notes,
      ...followed.flatMap((each) => each.notes),
      ...lost.map(lostNote),
      ...(amended.proposed || next.ownersDigest === workspace.ownersDigest ? [] : [pinNote(amended.workspace)]),
    ],
  };
}

/** The workspace that a content would make: its rights and keys, for environments to be judged by before it is signed. */
function wouldBe({ object }: AcceptedWorkspace, content: WorkspaceContent): AcceptedWorkspace {
  return readWorkspace({ ...object, spec: { ...content, version: object.spec.version, signatures: [] } });
}

interface Following extends PolicyChange {
  readonly next: AcceptedWorkspace;
  readonly identity: Identity;
  readonly now: Date;
}

interface Followed {
  readonly amendment?: EnvironmentAmendment;
  readonly lost: readonly LostKey[];
  readonly notes: readonly string[];
}

async function follow(given: Following, accepted: AcceptedEnvironment): Promise<Followed> {
  const { next, now } = given;
  const before = accepted.object.spec.grants ?? [];
  const grants = given.regrant?.(before, accepted.scope) ?? before;
  const regranted = grants !== before;
  const direct = accepted.object.spec.access === "direct";
  const broken = refusalOf(accepted, next, now);
  // written down, such a grant would make the environment invalid for everybody
  if (broken?.code === "GrantNotEnforceable") throw broken;
  const readers = direct ? readerKeys(next.object.spec, accepted.scope, grants, now) : [];
  const lost = lostKids(given.workspace, accepted, new Set(readers.map(({ kid }) => kid)));
  const { content, note } = await wrapped(given, accepted, readers, lost);
  const notes = note === undefined ? [] : [note];
  const asks = broken !== undefined && broken.code !== "PartlySigned";
  if (!regranted && lost.size === 0 && content === undefined && !asks) {
    return { lost: [], notes: broken === undefined ? notes : [...notes, `${broken.code}: ${broken.message}`] };
  }
  const denied = refusalToSign(given, accepted);
  if (denied !== undefined) {
    // what this change would break is refused; what lay broken before it is no reason to hold it back
    if (regranted || (asks && refusalOf(accepted, given.workspace, now) === undefined)) throw denied;
    return { lost: [], notes: [`environment ${accepted.scope} is left as it is: ${denied.message}`] };
  }
  const { grants: _, ...rest } = content ?? environmentContent(accepted.object);
  const whole = grants.length === 0 ? rest : { ...rest, grants };
  return { amendment: { accepted, content: whole }, lost: namedKeys(given.workspace, accepted, lost), notes };
}

/** How an environment would be refused as it stands, once the workspace has changed. */
function refusalOf(accepted: AcceptedEnvironment, workspace: AcceptedWorkspace, now: Date): ZoppError | undefined {
  try {
    judgeEnvironment({ candidate: accepted.object, workspace, now });
    return undefined;
  } catch (error) {
    if (error instanceof ZoppError) return error;
    throw error;
  }
}

/**
 * Whoever accepts an environment for the first time knows only the workspace's grants: an admin by the environment's
 * own would sign what nobody new can accept.
 */
function refusalToSign({ next, identity, now }: Following, accepted: AcceptedEnvironment): ZoppError | undefined {
  const { name } = signerOf(next, identity).principal;
  if (may({ workspace: next.object.spec, environment: accepted.scope, now }, name, "sign")) return undefined;
  const text = `environment ${accepted.path} must be signed again, and ${name} is no admin of it by the workspace: \`zopp grant ${name} admin --scope ${accepted.scope}\`, by an owner`;
  return new ZoppError("NotAuthorised", text);
}

/** The environment's content with its key wrapped to all readers as far as it opens here, and without the lost wraps. */
async function wrapped(
  { identity, next }: Following,
  accepted: AcceptedEnvironment,
  readers: Parameters<typeof wrapFurther>[1],
  lost: ReadonlySet<string>,
): Promise<{ readonly content: EnvironmentContent | undefined; readonly note?: string }> {
  try {
    return { content: await wrapFurther(accepted, readers, { identity }, [...lost]) };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    const missing = readers.filter(({ kid }) => !accepted.newest.facts.sealed.some(({ to }) => to === kid));
    const names = missing.flatMap(({ kid }) => {
      const found = next.roster.recipients.get(kid);
      return found?.kind === "device" ? [found.principal.name] : [];
    });
    const note = `environment ${accepted.scope} is not wrapped to ${[...new Set(names)].join(", ")} yet: ${error.code}: ${error.message}`;
    return { content: await wrapFurther(accepted, [], { identity }, [...lost]), note };
  }
}

/** Wraps to devices that are no reader's: by kid, of every epoch. */
function lostKids(
  { roster }: AcceptedWorkspace,
  { epochs }: AcceptedEnvironment,
  readers: ReadonlySet<string>,
): ReadonlySet<string> {
  const kids = [...epochs.values()].flatMap(({ facts }) => facts.sealed.map(({ to }) => to));
  return new Set(
    kids.filter((to) => to.startsWith("zk1") && !readers.has(to) && roster.recipients.get(to)?.kind !== "cluster"),
  );
}

function namedKeys(
  { roster }: AcceptedWorkspace,
  { path, epochs }: AcceptedEnvironment,
  lost: ReadonlySet<string>,
): readonly LostKey[] {
  const had = new Map<string, Set<number>>();
  for (const { facts } of epochs.values()) {
    for (const { to } of facts.sealed) {
      const found = roster.recipients.get(to);
      if (!lost.has(to) || found?.kind !== "device") continue;
      had.set(found.principal.name, (had.get(found.principal.name) ?? new Set()).add(facts.epoch));
    }
  }
  return [...had].map(([principal, of]) => ({ environment: path, epochs: [...of], principal }));
}

function lostNote({ environment, epochs, principal }: LostKey): string {
  const which = `epoch${epochs.length === 1 ? "" : "s"} ${epochs.join(", ")}`;
  return `${principal} had the key of environment ${environment} (${which}) on a device that loses it now, and may have kept it: the environment needs a new key (\`zopp environment rekey\`), and its values new ones at their sources`;
}

/** Those who pinned the former owners follow by the rotation; what is installed from now on takes the new pin. */
function pinNote({ name, ownersDigest: owners, version }: AcceptedWorkspace): string {
  const pin = formatPin({ workspace: name, owners, minVersion: version });
  return `the owners' keys changed: keyrings and people follow by themselves, and new ones pin ${pin}`;
}

/** Whoever takes out the device that he signs with cannot sign the environments again. Throws StillNeeded. */
function refuseLoneDevice(workspace: AcceptedWorkspace, next: AcceptedWorkspace, identity: Identity): void {
  if (next.roster.signers.has(identity.signing.verifyKey.kid)) return;
  const text = `workspace ${workspace.name}: the device that signs this cannot take itself out: do it from another owner's device`;
  throw new ZoppError("StillNeeded", text);
}

/** Throws StillNeeded when an environment would ask for more approvals than there are people left to give them. */
function refuseTooFewApprovers(workspace: AcceptedWorkspace, next: AcceptedWorkspace, now: Date): void {
  const before = new Map((workspace.object.spec.environments ?? []).map((rule) => [rule.name, rule]));
  for (const rule of next.object.spec.environments ?? []) {
    const required = rule.approvals?.required ?? 0;
    const left = approversOf(next.object.spec, rule, now);
    if (left.length >= required) continue;
    const had = approversOf(workspace.object.spec, before.get(rule.name) ?? rule, now);
    if (left.length >= had.length) continue;
    const text = `environment ${workspace.name}/${rule.name} asks for ${required} approvals, which only ${left.join(", ") || "nobody"} could still give`;
    throw new ZoppError("StillNeeded", text);
  }
}

function approversOf(spec: WorkspaceSpec, rule: WorkspaceEnvironment, now: Date): readonly string[] {
  const subjects = rule.approvals?.approvers ?? [];
  return spec.principals
    .filter(
      ({ name, expires }) => !hasEnded(expires, now) && subjects.some((each) => subjectIncludes(spec, each, name)),
    )
    .map(({ name }) => name);
}
