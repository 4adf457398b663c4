// `zopp grant`: gives a principal or group a role: in the whole workspace or a project by an owner, in one environment
// by its admin. Where access is direct, readers also get the environment's key.
import { ZoppError } from "../../crds/errors.js";
import { environmentContent, workspaceContent } from "../../crds/policy/edit.js";
import type { AcceptedEnvironment } from "../../crds/policy/environment.js";
import { includesRead, scopeCovers } from "../../crds/policy/rights.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { EnvironmentGrant, Grant, WorkspaceSpec } from "../../crds/types.gen.js";
import { type EnvironmentAmendment, storeAmendment } from "../amend.js";
import type { Opener } from "../epoch-keys.js";
import type { Result } from "../output.js";
import { acceptEnvironment, acceptWorkspace, refuseUnknownSubject, signerOf } from "../policy.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";
import { readerKeys, wrapFurther } from "../wrapping.js";
import { expiryOf, oneOf } from "./options.js";

/** The flags of `zopp grant`. */
export interface GrantOptions {
  readonly scope?: string;
  readonly keys?: readonly string[];
  readonly expires?: string;
}

const ROLES = ["read", "submit", "write", "admin", "audit"] as const;

/** Runs `zopp grant SUBJECT ROLE`. */
export async function run(
  session: Session,
  [subject = "", roleText]: readonly string[],
  options: GrantOptions,
): Promise<Result> {
  const role = oneOf("the role", roleText, ROLES) ?? "read";
  const { settings } = session;
  const scope = options.scope ?? `${label("project", settings.project)}/${label("environment", settings.environment)}`;
  if (!/^(?:\*|[-a-z0-9]+(?:\/[-a-z0-9]+)?)$/.test(scope))
    throw new ZoppError("Usage", "--scope is *, PROJECT or PROJECT/ENVIRONMENT");
  const workspace = await acceptWorkspace(session, label("workspace", settings.workspace));
  refuseUnknownSubject(workspace, subject);
  const expires = expiryOf(options.expires, session.context.now());
  const limits = {
    ...(options.keys === undefined ? {} : { keys: options.keys }),
    ...(expires === undefined ? {} : { expires }),
  };
  const grant = { subject, role, ...limits };
  const identity = await session.identity();
  signerOf(workspace, identity);
  const amendment = scope.includes("/")
    ? { environments: [await inEnvironment(session, workspace, scope, grant, { identity })] }
    : await inWorkspace(session, workspace, { ...grant, scope }, { identity });
  const { notes: unopened = [], ...changes } = amendment as typeof amendment & { notes?: readonly string[] };
  const amended = await storeAmendment(session, { workspace, identity, ...changes });
  return {
    data: { grant: { ...grant, scope }, where: amended.where },
    names: [subject],
    human: [
      `${subject} may ${role} ${scope === "*" ? "everywhere" : scope}${options.keys === undefined ? "" : ` (${options.keys.join(", ")})`} (${amended.where.join(", ")})`,
    ],
    notes: [...amended.notes, ...unopened],
  };
}

/** The same subject, role and scope have one grant: a new one replaces the old one. Throws AlreadyExists for an equal one. */
function added<T extends EnvironmentGrant | Grant>(grants: readonly T[], grant: T): readonly T[] {
  const scopeOf = (one: T): string => ("scope" in one ? one.scope : "");
  if (grants.some((other) => JSON.stringify(other) === JSON.stringify(grant)))
    throw new ZoppError("AlreadyExists", `${grant.subject} has that grant already`);
  return [
    ...grants.filter(
      (other) => other.subject !== grant.subject || other.role !== grant.role || scopeOf(other) !== scopeOf(grant),
    ),
    grant,
  ];
}

async function inEnvironment(
  session: Session,
  workspace: AcceptedWorkspace,
  scope: string,
  grant: EnvironmentGrant,
  opener: Opener,
): Promise<EnvironmentAmendment> {
  const accepted = await acceptEnvironment(session, workspace, pathOf(workspace, scope));
  const content = environmentContent(accepted.object);
  const grants = added(content.grants ?? [], grant);
  const wrapped = await wrappedToReaders(session, workspace.object.spec, accepted, grants, grant, opener);
  return { accepted, content: { ...(wrapped?.content ?? content), grants } };
}

function pathOf(workspace: AcceptedWorkspace, scope: string) {
  const [project = "", environment = ""] = scope.split("/");
  return { workspace: workspace.name, project, environment };
}

/** A grant that spans environments: each direct one that it lets the subject read is wrapped, as far as it opens here. */
async function inWorkspace(session: Session, workspace: AcceptedWorkspace, grant: Grant, opener: Opener) {
  const content = workspaceContent(workspace.object);
  const grants = added(content.grants ?? [], grant);
  const environments: EnvironmentAmendment[] = [];
  const notes: string[] = [];
  const covered = (content.environments ?? []).filter(
    ({ name }) => includesRead(grant.role) && scopeCovers(grant.scope, name),
  );
  for (const { name } of covered) {
    try {
      const accepted = await acceptEnvironment(session, workspace, pathOf(workspace, name));
      const spec = { ...workspace.object.spec, grants };
      const wrapped = await wrappedToReaders(session, spec, accepted, accepted.object.spec.grants ?? [], grant, opener);
      if (wrapped !== undefined) environments.push(wrapped);
    } catch (error) {
      // written down, such a grant would make the environment invalid for everybody
      if (!(error instanceof ZoppError) || error.code === "GrantNotEnforceable") throw error;
      notes.push(`environment ${name} is not wrapped to ${grant.subject} yet: ${error.code}: ${error.message}`);
    }
  }
  return { content: { ...content, grants }, environments, notes };
}

async function wrappedToReaders(
  session: Session,
  spec: WorkspaceSpec,
  accepted: AcceptedEnvironment,
  grants: readonly EnvironmentGrant[],
  grant: EnvironmentGrant,
  opener: Opener,
): Promise<EnvironmentAmendment | undefined> {
  if (accepted.object.spec.access !== "direct" || !includesRead(grant.role)) return undefined;
  if (grant.keys !== undefined) {
    throw new ZoppError(
      "GrantNotEnforceable",
      `environment ${accepted.path}: access is direct, so a ${grant.role} grant cannot be limited to keys`,
    );
  }
  const content = await wrapFurther(accepted, readerKeys(spec, accepted.scope, grants, session.context.now()), opener);
  return content === undefined ? undefined : { accepted, content };
}
