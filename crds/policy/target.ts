// Which Secrets a bundle may become: the type, and the domains of its labels and annotations.
// Which keys a type demands is bundle/target.ts; whether values fit it is the operator's check, since only it sees them.
import { ZoppError } from "../errors.js";
import type { Target } from "../types.gen.js";

const BUILT_IN_TYPES: ReadonlySet<string> = new Set([
  "Opaque",
  "kubernetes.io/tls",
  "kubernetes.io/dockerconfigjson",
  "kubernetes.io/dockercfg",
  "kubernetes.io/basic-auth",
  "kubernetes.io/ssh-auth",
]);
const TYPE_DOMAINS = ["kubernetes.io"];
const METADATA_DOMAINS = ["kubernetes.io", "k8s.io", "helm.sh", "zopp.dev"];

function inDomain(name: string, domains: readonly string[]): boolean {
  const prefix = name.includes("/") ? name.slice(0, name.indexOf("/")) : "";
  return domains.some((domain) => prefix === domain || prefix.endsWith(`.${domain}`));
}

/** True for a label or annotation that no target may have, since it speaks to Kubernetes, Helm or zopp itself. */
export function isReserved(name: string): boolean {
  return inDomain(name, METADATA_DOMAINS);
}

function allowedType(type: string): boolean {
  if (BUILT_IN_TYPES.has(type)) return true;
  return type.includes("/") && type.includes(".") && !inDomain(type, [...TYPE_DOMAINS, "k8s.io", "helm.sh"]);
}

/**
 * Refuses a target that could make another controller act (service account tokens, releases, …).
 * `what` names the bundle. Throws TargetForbidden naming the field.
 */
export function refuseForbiddenTarget(target: Target | undefined, what: string): void {
  if (target === undefined) return;
  if (target.type !== undefined && !allowedType(target.type)) {
    throw new ZoppError("TargetForbidden", `${what}: spec.target.type ${target.type} is not allowed`);
  }
  for (const field of ["labels", "annotations"] as const) {
    const name = Object.keys(target[field] ?? {}).find(isReserved);
    if (name !== undefined) {
      throw new ZoppError("TargetForbidden", `${what}: spec.target.${field} ${name} belongs to a reserved domain`);
    }
  }
}
