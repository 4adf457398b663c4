// The roster: every key that a workspace's policy names, found by kid, and the owners' digest.
// What the holders may do is rights.ts' business.
import { type EncryptionKey, parseEncryptionKey, parseVerifyKey, type VerifyKey } from "../crypto/keys.js";
import { pae } from "../crypto/pae.js";
import { sha256Hex } from "../crypto/primitives.js";
import { ZoppError } from "../errors.js";
import type { Cluster, Device, OwnersSet, Principal, WorkspaceSpec } from "../types.gen.js";

/** A device that can sign, with its principal: approvals and thresholds count principals. */
export interface Signer {
  readonly principal: Principal;
  readonly device: Device;
  readonly key: VerifyKey;
}

/** A key that an environment key can be wrapped to: a principal's device, or a cluster. */
export type Recipient =
  | { readonly kind: "device"; readonly principal: Principal; readonly key: EncryptionKey }
  | { readonly kind: "cluster"; readonly cluster: Cluster; readonly key: EncryptionKey };

/** Every key of a policy by kid. */
export interface Roster {
  readonly signers: ReadonlyMap<string, Signer>;
  readonly recipients: ReadonlyMap<string, Recipient>;
  /** Clusters by the kid of their signing key. */
  readonly clusters: ReadonlyMap<string, Cluster>;
}

function add<T>(map: Map<string, T>, taken: Set<string>, kid: string, value: T, where: string): void {
  if (taken.has(kid)) throw new ZoppError("KeyAmbiguous", `${where}: its key or kid ${kid} stands in the policy twice`);
  taken.add(kid);
  map.set(kid, value);
}

function verifyKeyOf(text: string, where: string): VerifyKey {
  const key = parseVerifyKey(text);
  if (key === null) throw new ZoppError("Malformed", `${where}.signingKey is not a usable ed25519 key`);
  return key;
}

function encryptionKeyOf(text: string, where: string): EncryptionKey {
  const key = parseEncryptionKey(text);
  if (key === null) throw new ZoppError("Malformed", `${where}.encryptionKey is not a usable xwing or x25519 key`);
  return key;
}

/**
 * Reads every key of a policy. Throws KeyAmbiguous when two have one kid (which includes a key that
 * stands twice), Malformed when one is not usable; both name where.
 */
export function readRoster(spec: WorkspaceSpec): Roster {
  const signers = new Map<string, Signer>();
  const recipients = new Map<string, Recipient>();
  const clusters = new Map<string, Cluster>();
  const taken = new Set<string>();
  for (const principal of spec.principals) {
    for (const device of principal.devices ?? []) {
      const where = `principal ${principal.name}, device ${device.name}`;
      const key = verifyKeyOf(device.signingKey, where);
      add(signers, taken, key.kid, { principal, device, key }, where);
      const sealing = encryptionKeyOf(device.encryptionKey, where);
      add(recipients, taken, sealing.kid, { kind: "device", principal, key: sealing }, where);
    }
  }
  for (const cluster of spec.clusters ?? []) {
    const where = `cluster ${cluster.name}`;
    add(clusters, taken, verifyKeyOf(cluster.signingKey, where).kid, cluster, where);
    const key = encryptionKeyOf(cluster.encryptionKey, where);
    add(recipients, taken, key.kid, { kind: "cluster", cluster, key }, where);
  }
  return { signers, recipients, clusters };
}

/** The owners of a policy with their signing keys, as a rotation's `from` records them. */
export function ownersSet(spec: WorkspaceSpec): OwnersSet {
  const principals = spec.owners.principals.map((name) => {
    const principal = spec.principals.find((candidate) => candidate.name === name);
    if (principal === undefined) throw new ZoppError("Malformed", `owner ${name} is not among the principals`);
    return { name, signingKeys: (principal.devices ?? []).map((device) => device.signingKey) };
  });
  return { threshold: spec.owners.threshold, principals };
}

/** Owners' digest: hex SHA-256 of PAE over workspace, threshold and, by name, each owner's sorted signing keys. */
export function ownersDigest(workspace: string, owners: OwnersSet): string {
  const byName = [...owners.principals].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const parts = byName.flatMap(({ name, signingKeys }) => [name, signingKeys.length, ...[...signingKeys].sort()]);
  return sha256Hex(pae("zopp/v1/owners", workspace, owners.threshold, ...parts));
}
