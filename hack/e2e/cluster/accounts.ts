// What RBAC grants the accounts of the chart, read from the cluster, and what they asked for, read from its audit log.
import { readFileSync } from "node:fs";
import type { KubeObject } from "../../../operator/kube/resources.js";
import { type AuditLine, compare, type Right, type Rule, rightsOf, usedBy } from "./rights.js";
import type { Site } from "./site.js";

interface Role extends KubeObject {
  readonly rules?: readonly Rule[] | null;
}

interface Binding extends KubeObject {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}

interface List<T> {
  readonly items: readonly T[];
}

/** A ServiceAccount of the chart. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** The rights that the bindings of a cluster give an account itself (not through groups). */
export async function grantedTo(site: Site, account: Account): Promise<readonly Right[]> {
  const [roles, clusterRoles, bindings, clusterBindings] = await Promise.all([
    site.get<List<Role>>("roles -A"),
    site.get<List<Role>>("clusterroles"),
    site.get<List<Binding>>("rolebindings -A"),
    site.get<List<Binding>>("clusterrolebindings"),
  ]);
  return [...bindings.items, ...clusterBindings.items]
    .filter(({ subjects = [] }) =>
      subjects.some(
        ({ kind, name, namespace }) =>
          kind === "ServiceAccount" && name === account.name && namespace === account.namespace,
      ),
    )
    .flatMap(({ metadata: { namespace = "" }, roleRef }) => {
      const found = roleRef.kind === "ClusterRole" ? clusterRoles.items : roles.items;
      const role = found.find(
        ({ metadata }) =>
          metadata.name === roleRef.name && (roleRef.kind === "ClusterRole" || metadata.namespace === namespace),
      );
      return rightsOf(role?.rules ?? [], namespace);
    });
}

/** Grants that an account never used, uses that nothing grants, and requests that were refused. */
export async function judgeRights(site: Site, account: Account, auditLog: string) {
  const lines = readFileSync(auditLog, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as AuditLine & { readonly userAgent?: string })
    // not what the story tried in the operator's place
    .filter(({ userAgent = "" }) => userAgent.startsWith("zopp-"));
  const { allowed, refused } = usedBy(`system:serviceaccount:${account.namespace}:${account.name}`, lines);
  const { unused, ungranted } = compare(await grantedTo(site, account), allowed);
  return { unused, ungranted, refused };
}
