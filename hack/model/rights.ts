// Rights, as design §3.3 says them: the second opinion that zopp's own rights are compared with.
import type { EnvironmentSpec, Principal, WorkspaceSpec } from "../../crds/types.gen.js";

/** What somebody wants to do. */
export type Wish = "read" | "write" | "header" | "sign" | "audit";

/** In which environment, under which policy, and when. */
export interface Where {
  readonly policy: WorkspaceSpec;
  readonly project: string;
  readonly environment: string;
  readonly own: EnvironmentSpec["grants"] | undefined;
  readonly now: number;
}

const ROLES: Readonly<Record<Wish, string>> = {
  read: "read write admin",
  write: "submit write admin",
  header: "write admin",
  sign: "admin",
  audit: "audit",
};

/** True once an end has come. */
export function isOver(end: string | undefined, now: number): boolean {
  return end !== undefined && Date.parse(end) <= now;
}

/** True for a principal of that name, or a member of that group. */
export function belongs(policy: WorkspaceSpec, subject: string, name: string): boolean {
  const [, group] = subject.split("group:");
  if (group === undefined) return subject === name;
  return (policy.groups ?? []).some((one) => one.name === group && one.members.includes(name));
}

/** Whether a principal may, by the union of all grants that hold now. Without a key, a grant that is limited to keys gives nothing. */
export function mayHe(where: Where, principal: Principal, wish: Wish, key?: string): boolean {
  if (isOver(principal.expires, where.now)) return false;
  const scopes = ["*", where.project, `${where.project}/${where.environment}`];
  const wide = (where.policy.grants ?? []).filter(({ scope }) => scopes.includes(scope));
  return [...wide, ...(where.own ?? [])].some(
    ({ subject, role, keys = [], expires }) =>
      ROLES[wish].split(" ").includes(role) &&
      belongs(where.policy, subject, principal.name) &&
      !isOver(expires, where.now) &&
      (keys.length === 0 || (key !== undefined && keys.some((pattern) => expression(pattern).test(key)))),
  );
}

function expression(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.]/g, "[.]"));
  return new RegExp(`^${parts.join(".*")}$`);
}
