// Policy that a command may act on: taken from the store, judged from every pin there is, and then remembered.
// Nothing is sealed, wrapped or called verified on the word of a store alone.

import type { Policy } from "../crds/bundle/case.js";
import type { Identity } from "../crds/crypto/identity.js";
import type { VerifyKey } from "../crds/crypto/keys.js";
import { ZoppError } from "../crds/errors.js";
import { approversOf } from "../crds/policy/approvals.js";
import { type AcceptedEnvironment, judgeEnvironment, rightsIn, ruleFor } from "../crds/policy/environment.js";
import { type Action, may } from "../crds/policy/rights.js";
import type { Signer } from "../crds/policy/roster.js";
import { type AcceptedWorkspace, judgeWorkspace } from "../crds/policy/workspace.js";
import type { ZoppEnvironment, ZoppWorkspace } from "../crds/types.gen.js";
import type { Context } from "./context.js";
import { advance, pinsFor, seenVersion } from "./pins.js";
import type { Session } from "./session.js";
import { type EnvironmentPath, label, pathText } from "./settings.js";

/**
 * Judges a workspace from every pin. Throws NotPinned where there is none, and as judgeWorkspace. `older`: the version
 * may lie below what this machine has seen, for a look at the past that nothing new is accepted on.
 */
export function judgeFromPins(context: Context, candidate: ZoppWorkspace, older = false): AcceptedWorkspace {
  const name = candidate.metadata.name;
  let judged: AcceptedWorkspace | undefined;
  for (const { pin } of pinsFor(context, name)) {
    judged = judgeWorkspace({ candidate, pin: older ? { ...pin, minVersion: 0 } : pin, now: context.now() });
  }
  if (judged !== undefined) return judged;
  const text = `workspace ${name} is not pinned on this machine: ask an owner for its pin, which reads ${name}@VERSION:DIGEST`;
  throw new ZoppError("NotPinned", text);
}

/** The workspace of the store, if it chains from the pins; they then advance to it. Throws NotFound and as judgeFromPins. */
export async function acceptWorkspace(session: Session, name: string): Promise<AcceptedWorkspace> {
  const store = await session.store();
  const candidate = await store.read("ZoppWorkspace", { name });
  if (candidate === undefined) {
    // a workspace that no pin names is refused as that, whether it is there or not
    if (pinsFor(session.context, name).length === 0)
      throw new ZoppError("NotPinned", `workspace ${name} is not pinned on this machine`);
    throw new ZoppError("NotFound", `there is no workspace ${name} in ${store.title}`);
  }
  const judged = judgeFromPins(session.context, candidate);
  await remember(session, judged, []);
  return judged;
}

/** The workspace of the store that the settings name. Throws Usage for none, and as acceptWorkspace. */
export function acceptNamedWorkspace(session: Session): Promise<AcceptedWorkspace> {
  return acceptWorkspace(session, label("workspace", session.settings.workspace));
}

/** Judges an environment as a client does, which remembers the highest version it has seen. Throws as judgeEnvironment. */
export function judgeSeen(
  context: Context,
  candidate: ZoppEnvironment,
  workspace: AcceptedWorkspace,
  accepted?: AcceptedEnvironment,
  mending = false,
): AcceptedEnvironment {
  const judged = judgeEnvironment({ candidate, workspace, accepted, now: context.now(), mending });
  const seen = seenVersion(context, workspace.name, judged.scope);
  if (judged.version >= seen) return judged;
  throw new ZoppError(
    "PolicyRollback",
    `environment ${judged.path}: version ${judged.version} is older than ${seen}, which this machine has seen`,
  );
}

/** The workspace and one of its environments. Throws as acceptWorkspace, UnknownEnvironment and as judgeEnvironment. */
export async function acceptPolicy(session: Session, path: EnvironmentPath): Promise<Policy> {
  const workspace = await acceptWorkspace(session, path.workspace);
  return { workspace, environment: await acceptEnvironment(session, workspace, path) };
}

/**
 * One environment of an accepted workspace; `mending`: to make a next version of it (see EnvironmentCase). Throws
 * UnknownEnvironment and as judgeEnvironment.
 */
export async function acceptEnvironment(
  session: Session,
  workspace: AcceptedWorkspace,
  path: EnvironmentPath,
  mending = false,
): Promise<AcceptedEnvironment> {
  const candidate = await readEnvironmentObject(session, path);
  const judged = judgeSeen(session.context, candidate, workspace, undefined, mending);
  await remember(session, workspace, [judged]);
  return judged;
}

/** An environment as it lies in the store, judged by nobody. Throws UnknownEnvironment, and as the store. */
export async function readEnvironmentObject(session: Session, path: EnvironmentPath): Promise<ZoppEnvironment> {
  const store = await session.store();
  const found = await store.read("ZoppEnvironment", { name: environmentName(path) });
  if (found !== undefined) return found;
  throw new ZoppError("UnknownEnvironment", `there is no environment ${pathText(path)} in ${store.title}`);
}

/**
 * Lets the pins advance to what was accepted. Drafts are left out (git's HEAD has an older version): taking back an
 * edit that nobody else has seen is no rollback. HEAD's object must be good by the pins as well, not older than they
 * are, and what the draft was made from: else whoever writes to git could keep the pins from advancing.
 */
export async function remember(
  session: Session,
  workspace: AcceptedWorkspace,
  environments: readonly AcceptedEnvironment[],
): Promise<void> {
  const store = await session.store();
  const isDraft = async (
    kind: "ZoppWorkspace" | "ZoppEnvironment",
    name: string,
    version: number,
  ): Promise<boolean> => {
    const head = await store.committed(kind, { name }).catch(() => undefined);
    return head !== undefined && head.spec.version < version && isGood(session, head, workspace);
  };
  const { name, ownersDigest: owners, version } = workspace;
  const draft = await isDraft("ZoppWorkspace", name, version);
  const pin = { workspace: name, owners, minVersion: draft ? 0 : version };
  if (!draft) advance(session.context, pin);
  for (const { object, scope, version: seen } of environments) {
    if (!(await isDraft("ZoppEnvironment", object.metadata.name, seen)))
      advance(session.context, pin, { scope, version: seen });
  }
}

/** True when an object of git's HEAD chains from the pins, and the workspace in hand follows it. */
function isGood(session: Session, head: ZoppWorkspace | ZoppEnvironment, workspace: AcceptedWorkspace): boolean {
  try {
    if (head.kind === "ZoppEnvironment") return judgeSeen(session.context, head, workspace) !== undefined;
    const { digest } = judgeFromPins(session.context, head);
    return (workspace.object.spec.ancestors ?? []).includes(digest);
  } catch {
    return false;
  }
}

/** `workspace.project.environment`: the object's name. */
export function environmentName({ workspace, project, environment }: EnvironmentPath): string {
  return `${workspace}.${project}.${environment}`;
}

/** The principal and device that an identity is in a policy. Throws UnknownSigner. */
export function signerOf(
  workspace: AcceptedWorkspace,
  identity: { readonly signing: { readonly verifyKey: VerifyKey } },
): Signer {
  const { kid, text } = identity.signing.verifyKey;
  const signer = workspace.roster.signers.get(kid);
  if (signer !== undefined && signer.key.text === text) return signer;
  throw new ZoppError("UnknownSigner", `this identity (${kid}) is no device in the workspace ${workspace.name}`);
}

/** The name of the principal that approves. Throws UnknownSigner, NotAuthorised, and Usage where nothing is to be approved. */
export function approverOf(workspace: AcceptedWorkspace, scope: string, identity: Identity, now: Date): string {
  const { principal } = signerOf(workspace, identity);
  const rule = ruleFor(workspace, scope);
  const path = `${workspace.name}/${scope}`;
  if ((rule.approvals?.required ?? 0) === 0) throw new ZoppError("Usage", `environment ${path} asks for no approvals`);
  const approvers = approversOf({ workspace, rule, author: "", now });
  if (approvers.includes(principal.name)) return principal.name;
  const text = `${principal.name} is no approver of environment ${path} (${approvers.join(", ")})`;
  throw new ZoppError("NotAuthorised", text);
}

/** Throws NotAuthorised unless a principal may act in an environment; `key` for the writing of one. */
export function refuseWithout(policy: Policy, principal: string, action: Action, now: Date, key?: string): void {
  if (may(rightsIn(policy.workspace, policy.environment, now), principal, action, key)) return;
  const what = key === undefined ? DEEDS[action] : `write ${key} in`;
  throw new ZoppError("NotAuthorised", `${principal} may not ${what} ${policy.environment.path}`);
}

const DEEDS: Readonly<Record<Action, string>> = {
  read: "read",
  write: "write all keys of",
  header: "create bundles or sign headers in",
  sign: "sign the environment",
  audit: "read the audit log of",
};
