// Least privilege, judged by what happened: what the chart's roles grant an account, and what it asked the API server for.
// Does not own making it ask for everything it ever needs.
import { readFileSync } from "node:fs";
import { type Rendered, SYSTEM } from "./chart.js";

/** Rights that only something that goes wrong asks for. */
const AFTER_A_FAILURE: Record<string, string> = {
  "zopp-system delete zoppauditsegments.zopp.dev": "when there are more of them than stay",
  "zopp-system get zoppauditsegments.zopp.dev":
    "when the answer to a create was lost: is the segment that is there ours?",
};

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource: string;
    readonly apiGroup?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly userAgent?: string;
}

/** Rights as `[namespace ]verb resource[.group][/subresource]`. */
function right(verb: string, resource: string, group = "", namespace = ""): string {
  const [name = "", subresource] = resource.split("/");
  const what = `${name}${group === "" ? "" : `.${group}`}${subresource === undefined ? "" : `/${subresource}`}`;
  return `${namespace === "" ? "" : `${namespace} `}${verb} ${what}`;
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** The rights of an account, in one namespace or in all (cluster-wide). */
function granted(objects: readonly Rendered[], account: string): Set<string> {
  const rights = new Set<string>();
  const bindings = objects.filter(({ kind }) => kind === "RoleBinding" || kind === "ClusterRoleBinding") as never[];
  for (const { metadata, roleRef, subjects } of bindings as {
    metadata: { namespace?: string; annotations?: Record<string, string> };
    roleRef: { kind: string; name: string };
    subjects?: { name: string }[];
  }[]) {
    if (!subjects?.some(({ name }) => name === account)) continue;
    const role = objects.find(
      ({ kind, metadata: { name, namespace } }) =>
        kind === roleRef.kind && name === roleRef.name && namespace === metadata.namespace,
    ) as unknown as { rules: Rule[] };
    for (const { apiGroups, resources, verbs } of role.rules) {
      for (const group of apiGroups) {
        for (const resource of resources) {
          for (const verb of verbs) rights.add(right(verb, resource, group, metadata.namespace));
        }
      }
    }
  }
  return rights;
}

/** The rights that the account's requests needed, as the roles say them, and those that were refused. */
function used(file: string, account: string, has: ReadonlySet<string>) {
  const found = { allowed: new Set<string>(), refused: new Set<string>() };
  for (const line of readFileSync(file, "utf8").trim().split("\n")) {
    const { verb, user, userAgent, objectRef, responseStatus } = JSON.parse(line) as AuditEvent;
    if (user.username !== `system:serviceaccount:${SYSTEM}:${account}` || objectRef?.resource === undefined) continue;
    // not what a test tried in its place
    if (userAgent?.startsWith("zopp-") !== true) continue;
    const { resource, subresource, apiGroup, namespace = "" } = objectRef;
    const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
    // a server-side apply that has made something
    const verbs = verb === "patch" && responseStatus?.code === 201 ? ["patch", "create"] : [verb];
    for (const each of verbs) {
      const wide = right(each, whole, apiGroup);
      const one = has.has(wide) ? wide : right(each, whole, apiGroup, resource === "namespaces" ? "" : namespace);
      (responseStatus?.code === 403 ? found.refused : found.allowed).add(one);
    }
  }
  return found;
}

/** Whether the audit log says by now that an account was granted a request of this right: `[namespace ]verb resource[.group]`. */
export function hasUsed(auditLog: string, account: string, right: string): boolean {
  return used(auditLog, account, new Set()).allowed.has(right);
}

/** What an account of the chart lacked, never used, or was refused, by the roles that are there and the audit log. */
export function judgeRights(objects: readonly Rendered[], auditLog: string, account: string) {
  const has = granted(objects, account);
  const { allowed, refused } = used(auditLog, account, has);
  return {
    lacking: [...allowed].filter((each) => !has.has(each)),
    unused: [...has].filter((each) => !allowed.has(each) && !(each in AFTER_A_FAILURE)),
    refused: [...refused],
  };
}
