// Status conditions that kubectl wait, Argo CD and Flux understand (kstatus): built and compared, nothing written.
// Reasons are codes of the error table or PascalCase words for success.

/** The condition that there is only while workloads wait for their restart. */
export const RESTART_PENDING = "RestartPending";

/** The condition that there is only while new values wait for the job that brings them to where they are checked. */
export const ROTATION_PENDING = "RotationPending";

/** The condition that there is only while a certificate that is due keeps its last value, since its CA does not sign. */
export const CERTIFICATE_PENDING = "CertificatePending";

/** Every type of condition, in the order in which a status has them. */
export const CONDITION_TYPES = [
  "Ready",
  "Verified",
  "Synced",
  "Reconciling",
  "Stalled",
  CERTIFICATE_PENDING,
  "Expiring",
  "PendingApproval",
  RESTART_PENDING,
  ROTATION_PENDING,
] as const;

/** The type of a condition that zopp gives. */
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** One entry of `status.conditions` (metav1.Condition). */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number | undefined;
  /** `YYYY-MM-DDTHH:MM:SSZ`; when `status` last changed. */
  readonly lastTransitionTime: string;
}

/** A condition as decided, before it is compared with what the status says. */
export type Wanted = Pick<Condition, "type" | "status" | "reason" | "message">;

/** A status as any kind of zopp's has it; only its conditions are looked at here. */
export interface Conditioned<C> {
  readonly conditions?: readonly C[] | undefined;
}

/** The condition of this type in a status; undefined where there is none. */
export function conditionOf<C extends Pick<Condition, "type">>(
  status: Conditioned<C> | undefined,
  type: string,
): C | undefined {
  return status?.conditions?.find((each) => each.type === type);
}

/** The Ready condition of a status; undefined where there is none yet. */
export function readyOf<C extends Pick<Condition, "type">>(status: Conditioned<C> | undefined): C | undefined {
  return conditionOf(status, "Ready");
}

/** The API server refuses longer messages. */
const MAX_MESSAGE = 32_768;
const ORDER: readonly string[] = CONDITION_TYPES;

/** A condition that holds, does not, or is not known. */
export function condition(type: ConditionType, holds: boolean | null, reason: string, message: string): Wanted {
  return { type, status: holds === null ? "Unknown" : holds ? "True" : "False", reason, message };
}

/**
 * The whole list of conditions for a status: exactly the wanted ones, in a fixed order. `lastTransitionTime` is kept
 * where the status of that type stays, so that a list equal to the previous one comes out equal.
 */
export function conditionsOf(
  previous: readonly Condition[] | undefined,
  wanted: readonly Wanted[],
  at: { readonly generation: number; readonly now: Date },
): Condition[] {
  const before = new Map((previous ?? []).map((entry) => [entry.type, entry]));
  const now = `${at.now.toISOString().slice(0, 19)}Z`;
  const built = wanted.map((entry): Condition => {
    const old = before.get(entry.type);
    return {
      type: entry.type,
      status: entry.status,
      reason: entry.reason,
      message: entry.message.slice(0, MAX_MESSAGE),
      observedGeneration: at.generation,
      lastTransitionTime: old !== undefined && old.status === entry.status ? old.lastTransitionTime : now,
    };
  });
  return built.sort((a, b) => ORDER.indexOf(a.type) - ORDER.indexOf(b.type));
}

/** True when writing `next` over `previous` would change nothing; the order of the entries does not count. */
export function sameConditions(previous: readonly Condition[] | undefined, next: readonly Condition[]): boolean {
  if ((previous ?? []).length !== next.length) return false;
  const before = new Map((previous ?? []).map((entry) => [entry.type, entry]));
  return next.every((entry) => {
    const old = before.get(entry.type);
    return old !== undefined && FIELDS.every((field) => old[field] === entry[field]);
  });
}

const FIELDS = ["status", "reason", "message", "observedGeneration", "lastTransitionTime"] as const;
