// Where grants stand, and lists of them changed: the workspace's, signed by owners, or an environment's, by its admin.
// What follows from a change for environments is policy-change.ts' business.
import { ZoppError } from "../crds/errors.js";
import { type WorkspaceContent, workspaceContent } from "../crds/policy/edit.js";
import type { Role } from "../crds/policy/rights.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { EnvironmentGrant, Grant } from "../crds/types.gen.js";
import { expiryOf, oneOf } from "./commands/options.js";
import { acceptEnvironment } from "./policy.js";
import type { PolicyChange, Regrant } from "./policy-change.js";
import type { Session } from "./session.js";
import { label, pathIn } from "./settings.js";

/** The flags that say what a grant covers. */
export interface GrantFlags {
  readonly scope?: string;
  readonly keys?: readonly string[];
  readonly expires?: string;
}

const ROLES = ["read", "submit", "write", "admin", "audit"] as const;

/** Roles that only owners give, in one environment too: an admin gives none that he could not have himself taken away. */
const OWNERS_GIVE: ReadonlySet<Role> = new Set<Role>(["admin", "audit"]);

/** A role that was typed. Throws Usage. */
export function roleOf(text: string | undefined): Role {
  return oneOf("the role", text, ROLES) ?? "read";
}

/** The scope of a flag, else the environment of the settings. Throws Usage. */
export function scopeOf({ settings }: Session, text: string | undefined): string {
  const scope = text ?? `${label("project", settings.project)}/${label("environment", settings.environment)}`;
  if (/^(?:\*|[-a-z0-9]+(?:\/[-a-z0-9]+)?)$/.test(scope)) return scope;
  throw new ZoppError("Usage", "--scope is *, PROJECT or PROJECT/ENVIRONMENT");
}

/** A grant from its words and flags. Throws Usage. */
export function grantOf(session: Session, subject: string, role: Role, flags: GrantFlags): Grant {
  const expires = expiryOf(flags.expires, session.context.now());
  return {
    subject,
    role,
    scope: scopeOf(session, flags.scope),
    ...(flags.keys === undefined ? {} : { keys: flags.keys }),
    ...(expires === undefined ? {} : { expires }),
  };
}

/** `write on shop/dev (IMAGE_*) until 2027-01-01T00:00:00Z`. */
export function grantText({ role, scope, keys, expires }: Grant): string {
  const where = scope === "*" ? "everywhere" : `on ${scope}`;
  return `${role} ${where}${keys === undefined ? "" : ` (${keys.join(", ")})`}${expires === undefined ? "" : ` until ${expires}`}`;
}

/** Throws NotFound for a subject that the workspace does not know. */
export function refuseUnknown(workspace: AcceptedWorkspace, subject: string): void {
  const { principals, groups = [] } = workspace.object.spec;
  const known = subject.startsWith("group:")
    ? groups.some(({ name }) => `group:${name}` === subject)
    : principals.some(({ name }) => name === subject);
  if (!known) throw new ZoppError("NotFound", `workspace ${workspace.name} names no ${subject}`);
}

/**
 * The change that adds a grant to a content, where it belongs. Throws AlreadyExists for an equal one,
 * UnknownEnvironment, and as acceptEnvironment.
 */
export async function withGrant(
  session: Session,
  workspace: AcceptedWorkspace,
  { scope, ...grant }: Grant,
  content?: WorkspaceContent,
): Promise<PolicyChange> {
  if (!scope.includes("/") || OWNERS_GIVE.has(grant.role)) {
    const present = content ?? workspaceContent(workspace.object);
    await needEnvironment(session, workspace, scope);
    return { workspace, content: { ...present, grants: added(present.grants ?? [], { ...grant, scope }) } };
  }
  await needEnvironment(session, workspace, scope);
  const regrant: Regrant = (grants, where) => (where === scope ? added(grants, grant) : grants);
  return { workspace, content, regrant };
}

/** The environment of a scope must be good: a change of it would else be skipped. */
async function needEnvironment(session: Session, workspace: AcceptedWorkspace, scope: string): Promise<void> {
  if (!scope.includes("/")) return;
  await acceptEnvironment(session, workspace, pathIn(workspace.name, scope), true);
}

/** The same subject, role and scope have one grant: a new one replaces the old one. */
function added<T extends EnvironmentGrant | Grant>(grants: readonly T[], grant: T): readonly T[] {
  if (grants.some((other) => JSON.stringify(other) === JSON.stringify(grant)))
    throw new ZoppError("AlreadyExists", `${grant.subject} has that grant already`);
  return [...grants.filter((other) => !isFor(other, grant)), grant];
}

/** Whether two grants give one subject one role in one scope. */
export function isFor(one: EnvironmentGrant | Grant, other: EnvironmentGrant | Grant): boolean {
  const scope = (grant: EnvironmentGrant | Grant): string => ("scope" in grant ? grant.scope : "");
  return one.subject === other.subject && one.role === other.role && scope(one) === scope(other);
}

/** A list without some of its grants; the same list where none goes. */
export function without<T>(grants: readonly T[], goes: (grant: T) => boolean): readonly T[] {
  return grants.some(goes) ? grants.filter((grant) => !goes(grant)) : grants;
}
