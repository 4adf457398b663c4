// What the model reads off policies alone, whoever signed them.
import type { EnvironmentSpec, OwnersSet, Rotation, WorkspaceSpec } from "../../crds/types.gen.js";

/** The version of the policy that made a step; one that does not say so may be of any time. */
export function madeIn(step: Rotation): number {
  return "version" in step ? Number(step.version) : Number.POSITIVE_INFINITY;
}

/** Whether a change of owners does not come after the one before it, or comes after the policy. */
export function isOutOfOrder({ version, rotations = [] }: WorkspaceSpec): boolean {
  const made = rotations.map(madeIn).filter(Number.isFinite);
  return made.some((step, at) => step > version || step <= (made[at - 1] ?? 0));
}

/** A policy's owners with their keys. */
export function ownersOf({ owners, principals }: WorkspaceSpec): OwnersSet {
  const named = owners.principals.map((name) => {
    const devices = principals.find((principal) => principal.name === name)?.devices ?? [];
    return { name, signingKeys: devices.map(({ signingKey }) => signingKey) };
  });
  return { threshold: owners.threshold, principals: named };
}

/** Whether a key stands in a policy twice. */
export function hasTwins({ principals, clusters = [] }: WorkspaceSpec): boolean {
  const holders = [...principals.flatMap(({ devices = [] }) => devices), ...clusters];
  const keys = holders.flatMap(({ signingKey, encryptionKey }) => [signingKey, encryptionKey]);
  return new Set(keys).size < keys.length;
}

/** Whether some namespace could belong to two environments, or to the cluster itself. */
export function sharesNamespaces({ environments = [] }: WorkspaceSpec, reserved: readonly string[]): boolean {
  const patterns = [...reserved, ...environments.flatMap(({ namespaces }) => namespaces)];
  return patterns.some((one, at) => patterns.slice(at + 1).some((other) => meets(one, other) || meets(other, one)));
}

/** Whether a pattern covers the shortest namespace that another one stands for. */
function meets(pattern: string, other: string): boolean {
  const [start = ""] = pattern.split("*");
  const [shortest = ""] = other.split("*");
  return pattern.includes("*") ? shortest.startsWith(start) : pattern === other;
}

/** Whether an epoch has another key or binding than the one that was accepted. */
export function changesAnEpoch(spec: EnvironmentSpec, accepted: EnvironmentSpec | undefined): boolean {
  return spec.keys.some((key) => {
    const before = accepted?.keys.find(({ epoch }) => epoch === key.epoch);
    return before !== undefined && (before.public !== key.public || before.binding !== key.binding);
  });
}
