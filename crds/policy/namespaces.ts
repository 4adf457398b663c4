// Namespace patterns of an environment: a literal name, or a prefix and one final `*`.
// Which environment has which patterns stands in the owners' policy.
import { ZoppError } from "../errors.js";

interface NamedPatterns {
  readonly name: string;
  readonly namespaces: readonly string[];
}

/** True when a namespace is the literal, or starts with the prefix before the final `*`. */
export function matchesNamespace(pattern: string, namespace: string): boolean {
  return pattern.endsWith("*") ? namespace.startsWith(pattern.slice(0, -1)) : pattern === namespace;
}

/** True when some namespace could match both patterns. */
export function patternsOverlap(one: string, other: string): boolean {
  if (one.endsWith("*") && other.endsWith("*")) {
    const [a, b] = [one.slice(0, -1), other.slice(0, -1)];
    return a.startsWith(b) || b.startsWith(a);
  }
  return one.endsWith("*") ? matchesNamespace(one, other) : matchesNamespace(other, one);
}

/**
 * Refuses namespaces that two environments share, and reserved ones (kube-system, zopp's own).
 * Throws NamespaceConflict naming both environments and patterns.
 */
export function refuseSharedNamespaces(environments: readonly NamedPatterns[], reserved: readonly string[]): void {
  const seen: { owner: string; pattern: string }[] = reserved.map((pattern) => ({
    owner: "the cluster itself",
    pattern,
  }));
  for (const { name, namespaces } of environments) {
    for (const pattern of namespaces) {
      const clash = seen.find((other) => patternsOverlap(other.pattern, pattern));
      if (clash !== undefined) {
        const text = `environment ${name} asks for namespace ${pattern}, but ${clash.pattern} belongs to ${clash.owner}`;
        throw new ZoppError("NamespaceConflict", text);
      }
      seen.push({ owner: name, pattern });
    }
  }
}
