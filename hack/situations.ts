// Situations of one bundle for the tables that test the operator's decision: bundle, target and status in short words.
// The decision itself is operator/controllers/secret.plan.ts.
import type { SecretStatus, ZoppSecret } from "../crds/types.gen.js";
import type { Situation } from "../operator/controllers/secret.plan.js";
import type { SeenSecret } from "../operator/controllers/target.seen.js";

export const DIGEST = "d".repeat(64);
export const POLICY = ["w1", "e1"];
export const UID = "bundle-uid";

export function bundle(changes: { generation?: number; target?: ZoppSecret["spec"]["target"] } = {}): ZoppSecret {
  const header = { version: 1, by: "zk1", signature: "" };
  const entry = { version: 1, by: "zk1", sealed: "", signature: "", to: "zk1e" };
  const { generation = 3, target } = changes;
  return {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: { name: "api", namespace: "shop", uid: UID, generation },
    spec: {
      environment: "acme/shop/prod",
      header,
      data: { A: entry, B: entry },
      ...(target === undefined ? {} : { target }),
    },
  };
}

export interface SecretChanges {
  readonly metadata?: Partial<SeenSecret["metadata"]>;
  readonly writers?: Partial<SeenSecret["writers"]>;
}

/** Our Secret as we wrote it last. */
export function ours(changes: SecretChanges = {}): SeenSecret {
  return {
    metadata: { ...PLACE, annotations: { "zopp.dev/bundle": "api" }, ...changes.metadata },
    writers: { ours: ["A", "B"], others: [], managers: [], ...changes.writers },
  };
}

export const PLACE = { namespace: "shop", name: "api", uid: "u1", resourceVersion: "100" };

/** A Secret that somebody else made. */
export function foreign(
  annotations: Record<string, string> = {},
  metadata: SecretChanges["metadata"] = {},
): SeenSecret {
  return {
    metadata: { ...PLACE, annotations, ...metadata },
    writers: { ours: [], others: ["A"], managers: ["kubectl-create"] },
  };
}

export function status(ready: "True" | "False", reason: string, changes: Partial<SecretStatus> = {}): SecretStatus {
  const lastTransitionTime = "2026-11-23T10:11:12Z";
  return {
    observedGeneration: 3,
    digest: DIGEST,
    policy: POLICY,
    target: { name: "api", uid: "u1", resourceVersion: "100" },
    conditions: [{ type: "Ready", status: ready, reason, message: "", observedGeneration: 3, lastTransitionTime }],
    ...changes,
  };
}

export function situation(changes: Partial<Situation>): Situation {
  const base = {
    bundle: bundle(),
    digest: DIGEST,
    status: undefined,
    target: "unknown",
    policy: POLICY,
    demanded: false,
  } as const;
  return { ...base, ...changes };
}

export const READY = status("True", "Synced");
export const REFUSED = status("False", "UnknownSigner");
export const FOREIGN = status("False", "TargetConflict");
export const owner = (kind: string, uid: string, controller = true) => ({
  apiVersion: "v1",
  kind,
  name: "x",
  uid,
  controller,
});
