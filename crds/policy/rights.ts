// Rights: who may do what in an environment, from the grants of the workspace and of the environment.
// Pure; the caller says what time it is. Nothing found means denied.
import type { EnvironmentGrant, EnvironmentSpec, Grant, WorkspaceSpec } from "../types.gen.js";
import { hasEnded } from "./versions.js";

/** The roles a grant can give. */
export type Role = Grant["role"];

/** What somebody wants to do; `write` and `read` concern one key, the others the whole environment. */
export type Action = "read" | "write" | "header" | "sign" | "audit";

/** The policy that rights are judged by; `environment` is `project/environment` within the workspace. */
export interface RightsContext {
  readonly workspace: WorkspaceSpec;
  readonly environment: string;
  /** The environment's own grants; absent where only the workspace's count. */
  readonly grants?: EnvironmentSpec["grants"] | undefined;
  readonly now: Date;
}

const ALLOWS: Readonly<Record<Action, ReadonlySet<Role>>> = {
  read: new Set<Role>(["read", "write", "admin"]),
  write: new Set<Role>(["submit", "write", "admin"]),
  header: new Set<Role>(["write", "admin"]),
  sign: new Set<Role>(["admin"]),
  audit: new Set<Role>(["audit"]),
};

/** True when `pattern`, in which `*` is any run of characters and nothing else is special, matches all of `key`. */
export function matchesKey(pattern: string, key: string): boolean {
  const parts = pattern.split("*");
  const [head = "", ...rest] = parts;
  if (rest.length === 0) return head === key;
  const tail = rest.pop() ?? "";
  if (!key.startsWith(head) || key.length < head.length + tail.length || !key.endsWith(tail)) return false;
  let at = head.length;
  const end = key.length - tail.length;
  for (const part of rest) {
    const found = key.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** True when a workspace grant's scope covers `project/environment`. */
export function scopeCovers(scope: string | undefined, environment: string): boolean {
  if (scope === "*" || scope === environment) return true;
  return scope !== undefined && !scope.includes("/") && environment.startsWith(`${scope}/`);
}

/** True when a grant's or rule's subject is the principal or a group that holds it. */
export function subjectIncludes(workspace: WorkspaceSpec, subject: string, principal: string): boolean {
  if (!subject.startsWith("group:")) return subject === principal;
  const group = workspace.groups?.find((candidate) => candidate.name === subject.slice("group:".length));
  return group?.members.includes(principal) ?? false;
}

/** All grants that hold for a principal in the environment now; empty for unknown or ended principals. */
export function grantsOf(context: RightsContext, principal: string): readonly (Grant | EnvironmentGrant)[] {
  const { workspace, environment, now } = context;
  const found = workspace.principals.find((candidate) => candidate.name === principal);
  if (found === undefined || hasEnded(found.expires, now)) return [];
  const wide = (workspace.grants ?? []).filter((grant) => scopeCovers(grant.scope, environment));
  return [...wide, ...(context.grants ?? [])].filter(
    (grant) => !hasEnded(grant.expires, now) && subjectIncludes(workspace, grant.subject, principal),
  );
}

/**
 * Whether a principal may act. With `key`, a grant's patterns must match it; without (headers, signing
 * environments), only grants without patterns count.
 */
export function may(context: RightsContext, principal: string, action: Action, key?: string): boolean {
  return grantsOf(context, principal).some((grant) => {
    if (!ALLOWS[action].has(grant.role)) return false;
    if (grant.keys === undefined || grant.keys.length === 0) return true;
    return key !== undefined && grant.keys.some((pattern) => matchesKey(pattern, key));
  });
}

/** True when a grant includes reading: such a grant with key patterns cannot be enforced where access is direct. */
export function includesRead(role: Role): boolean {
  return ALLOWS.read.has(role);
}
