// Least privilege, judged by what happened: the rights that RBAC grants an account, and those that it used while a cluster's
// API server kept its audit log. Pure; reading the cluster is the caller's.

/** One right: a verb on a resource (subresource after a slash), in a namespace or, when that is empty, anywhere. */
export interface Right {
  readonly verb: string;
  /** `group/resource`, with the core group's name empty. */
  readonly resource: string;
  readonly namespace: string;
}

/** A rule of a Role or ClusterRole. */
export interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** A line of the audit log, as far as it is read here. */
export interface AuditLine {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly apiGroup?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

const FORBIDDEN = 403;

/** A right as one line, for comparing and for messages. */
export function textOf({ verb, resource, namespace }: Right): string {
  return `${verb} ${resource}${namespace === "" ? "" : ` in ${namespace}`}`;
}

/** The rights of rules that are bound in a namespace ("" = everywhere). */
export function rightsOf(rules: readonly Rule[], namespace: string): readonly Right[] {
  return rules.flatMap(({ apiGroups = [], resources = [], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => ({ verb, resource: `${group}/${resource}`, namespace }))),
    ),
  );
}

/** What an account asked for in the log: what it was given, and what it was refused for lack of a right. */
export function usedBy(
  username: string,
  lines: readonly AuditLine[],
): Readonly<Record<"allowed" | "refused", Right[]>> {
  const found = { allowed: new Map<string, Right>(), refused: new Map<string, Right>() };
  for (const { stage, verb, user, objectRef, responseStatus } of lines) {
    if (stage !== "ResponseComplete" || user.username !== username || objectRef?.resource === undefined) continue;
    const { apiGroup = "", resource, subresource, namespace = "" } = objectRef;
    const right = { verb, resource: `${apiGroup}/${resource}${subresource ? `/${subresource}` : ""}`, namespace };
    (responseStatus?.code === FORBIDDEN ? found.refused : found.allowed).set(textOf(right), right);
  }
  return { allowed: [...found.allowed.values()], refused: [...found.refused.values()] };
}

/** The granted rights that were never used, and the used ones that no grant covers. */
export function compare(
  granted: readonly Right[],
  used: readonly Right[],
): { readonly unused: readonly string[]; readonly ungranted: readonly string[] } {
  const covers = (grant: Right, use: Right): boolean =>
    grant.verb === use.verb &&
    grant.resource === use.resource &&
    (grant.namespace === "" || grant.namespace === use.namespace);
  return {
    unused: granted.filter((grant) => !used.some((use) => covers(grant, use))).map(textOf),
    ungranted: used.filter((use) => !granted.some((grant) => covers(grant, use))).map(textOf),
  };
}
