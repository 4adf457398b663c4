// The status of a bundle: what happened, in conditions and numbers that people, kubectl and GitOps tools read.
// Pure. It is a cache for the next decision and never evidence; values never appear in it.
import { type Ending, endingsOf } from "../../crds/bundle/endings.js";
import { targetName } from "../../crds/bundle/target.js";
import { ERRORS, type ErrorCode, isErrorCode, type ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import {
  CERTIFICATE_PENDING,
  type Condition,
  condition,
  conditionOf,
  conditionsOf,
  RESTART_PENDING,
  ROTATION_PENDING,
  readyOf,
  sameConditions,
  type Wanted,
} from "../kube/conditions.js";
import { apiStatus } from "../kube/errors.js";
import { expiringOf, expiryCondition } from "./expiry.plan.js";

/** How one reconcile of a bundle came out. */
export type Outcome =
  /** Nothing had to be done. */
  { readonly kind: "rested" } | Synced | Rotating | Refused;

/** The Secret holds the bundle. */
export interface Synced {
  readonly kind: "synced";
  readonly digest: string;
  /** Digests of the policy that decided. */
  readonly policy: readonly string[];
  readonly target: { readonly uid: string; readonly resourceVersion: string };
  /** How many keys it has. */
  readonly entries: number;
  /** The generated values that it holds: {@link valuesDigest}. */
  readonly applied?: string | undefined;
  /** The version of each of them, where a job rotates them. */
  readonly published?: SecretStatus["published"];
  /** New values wait for their job, and the Secret was written with those before. */
  readonly waits?: ZoppError | undefined;
}

/** New values wait for their job; the Secret, if there is one, stays as it is. */
export interface Rotating {
  readonly kind: "rotating";
  /** What they wait for: RotationPending, RotationFailed, RotationDisabled. */
  readonly error: ZoppError;
  readonly policy: readonly string[];
  /** The Secret of before is there, as it was written. */
  readonly serves: boolean;
}

/** The bundle was not applied; the last good Secret stays as it is. */
export interface Refused {
  readonly kind: "refused";
  readonly error: ZoppError;
  /** `verify`: the keyring said no, or could not be asked. `sync`: the Secret could not be made or written. */
  readonly stage: "verify" | "sync";
  readonly policy: readonly string[];
  /** The digest of what was refused; undefined when it could not be read. */
  readonly digest?: string | undefined;
  /** The Secret is not what was looked at any more. */
  readonly moved?: boolean | undefined;
}

/** When a status is written, and how long before the end of a value it says so. */
export interface StatusTime {
  readonly now: Date;
  readonly warningMs: number;
}

/** What a status says of restarts. */
export interface RestartStatus {
  readonly restarts?: SecretStatus["restarts"];
  readonly waits?: Wanted | undefined;
}

/** What a status says beside the outcome. */
export interface Beside extends RestartStatus {
  /** Certificates that wait for their CA. */
  readonly certificates?: Wanted | undefined;
}

const HISTORY = 5;

/** Transient in the table because somebody else will act; only a change of bundle or policy heals them. */
const WAITING: readonly ErrorCode[] = ["NoPolicy", "PartlySigned", "UnknownEnvironment", "PendingApproval"];
/** Terminal in the table, but about keyring and operator, or another bundle: no change of this one will heal them. */
const NOT_THE_BUNDLE: readonly ErrorCode[] = [
  "KeyringMismatch",
  "EnrolmentRefused",
  "MethodDenied",
  "LogForked",
  "LogBroken",
  "RotationDisabled",
  "IssuerRefused",
];

/** Codes that stay as they are until the bundle, its policy or its target changes: asking again is useless. */
export const HEALED_BY_CHANGE: ReadonlySet<ErrorCode> = new Set(
  (Object.keys(ERRORS) as ErrorCode[]).filter((code) =>
    ERRORS[code].persistence === "terminal" ? !NOT_THE_BUNDLE.includes(code) : WAITING.includes(code),
  ),
);

/** The error code that a condition's reason names; undefined for a reason of success. */
export function reasonCode(ready: Pick<Condition, "reason"> | undefined): ErrorCode | undefined {
  return ready !== undefined && isErrorCode(ready.reason) ? ready.reason : undefined;
}

/** The whole status after an outcome. Equal to `previous` (see {@link sameStatus}) when there is nothing to say. */
export function nextStatus(
  bundle: ZoppSecret,
  previous: SecretStatus | undefined,
  outcome: Outcome,
  { now, warningMs }: StatusTime,
  { restarts, waits, certificates }: Beside = {},
): SecretStatus {
  const generation = bundle.metadata.generation ?? 0;
  const expiring = expiringOf(endingsSpokenOf(bundle, previous, outcome), now, warningMs);
  const ends = isApplied(previous, outcome) ? endingsOf(bundle)[0]?.expires : previous?.expires;
  const said = expiryCondition(expiring).map((each) => ({ ...each, message: clip(each.message) }));
  const beside = [waits, certificates].filter((each) => each !== undefined);
  const wanted = [...wantedConditions(bundle, previous, outcome), ...said, ...beside];
  const history = nextHistory(previous, outcome, now);
  return {
    observedGeneration: generation,
    ...lastGood(bundle, previous, outcome),
    ...(previous?.generated === undefined ? {} : { generated: previous.generated }),
    ...(ends === undefined ? {} : { expires: ends }),
    ...(expiring.length === 0 ? {} : { expiring }),
    ...(restarts === undefined ? {} : { restarts }),
    conditions: conditionsOf(previous?.conditions, wanted, { generation, now }),
    ...(history.length === 0 ? {} : { history }),
  };
}

/** True when writing `next` over `previous` would change nothing. */
export function sameStatus(previous: SecretStatus | undefined, next: SecretStatus): boolean {
  if (previous === undefined) return false;
  const { conditions: before, ...rest } = previous;
  const { conditions: after = [], ...others } = next;
  return sameConditions(before, after) && canonical(rest) === canonical(others);
}

/** What speaks of the last Secret that was written stays when a bundle is refused. */
function lastGood(bundle: ZoppSecret, previous: SecretStatus | undefined, outcome: Outcome): Partial<SecretStatus> {
  const { digest, entries, target, policy, applied, published, rotation } = previous ?? {};
  const before = {
    ...(digest === undefined ? {} : { digest }),
    ...(applied === undefined ? {} : { applied }),
    ...(published === undefined ? {} : { published }),
    ...(rotation === undefined ? {} : { rotation }),
    ...(entries === undefined ? {} : { entries }),
    ...(target === undefined ? {} : { target }),
  };
  if (outcome.kind === "rested") return { ...before, ...(policy === undefined ? {} : { policy }) };
  if (outcome.kind !== "synced") return { ...before, policy: [...outcome.policy] };
  const { uid, resourceVersion } = outcome.target;
  return {
    digest: outcome.digest,
    ...(outcome.applied === undefined ? {} : { applied: outcome.applied }),
    ...(outcome.published === undefined ? {} : { published: outcome.published }),
    ...(rotation === undefined ? {} : { rotation }),
    entries: outcome.entries,
    target: { name: targetName(bundle), uid, resourceVersion },
    policy: [...outcome.policy],
  };
}

/**
 * True where the Secret is made of what the bundle is now. Where there was nothing to do it may not be: a refusal that only a change
 * heals is not repeated, and nothing that such a bundle says is believed.
 */
export function isApplied(previous: SecretStatus | undefined, outcome: Outcome): boolean {
  if (outcome.kind === "rotating") return outcome.serves;
  return outcome.kind === "synced" || (outcome.kind === "rested" && readyOf(previous)?.status === "True");
}

/** Why a Job could not be asked for or made, where that is what new values wait for: to be tried again. */
export function hindranceOf(outcome: Outcome): ZoppError | undefined {
  const error = outcome.kind === "rotating" ? outcome.error : outcome.kind === "synced" ? outcome.waits : undefined;
  return apiStatus(error) === null ? undefined : error;
}

/** The ends that are spoken of: the bundle's, or, as long as it is not applied, what was spoken of before. Its word counts when it is accepted. */
export function endingsSpokenOf(
  bundle: ZoppSecret,
  previous: SecretStatus | undefined,
  outcome: Outcome,
): readonly Ending[] {
  return isApplied(previous, outcome) ? endingsOf(bundle) : (previous?.expiring ?? []);
}

/** Conditions that are decided anew each time. */
const AGAIN = new Set(["Expiring", RESTART_PENDING, ROTATION_PENDING, CERTIFICATE_PENDING]);

function wantedConditions(bundle: ZoppSecret, previous: SecretStatus | undefined, outcome: Outcome): Wanted[] {
  if (outcome.kind === "refused") return refusedConditions(previous, outcome);
  if (outcome.kind === "rotating") return rotatingConditions(previous, outcome);
  if (outcome.kind === "rested") return (previous?.conditions ?? []).filter(({ type }) => !AGAIN.has(type));
  const text = holding(targetName(bundle), outcome.entries);
  return [
    condition("Ready", true, "Synced", text),
    condition("Verified", true, "Verified", "policy allows all that the bundle holds"),
    condition("Synced", true, "Synced", text),
    ...(outcome.waits === undefined ? [] : [pendingCondition(outcome.waits)]),
  ];
}

function pendingCondition(error: ZoppError): Wanted {
  return condition(ROTATION_PENDING, true, error.code, messageOf(error));
}

function refusedConditions(previous: SecretStatus | undefined, { error, stage }: Refused): Wanted[] {
  const text = messageOf(error);
  const waits = HEALED_BY_CHANGE.has(error.code);
  const pending = error.code === "PendingApproval";
  const kept =
    previous?.target === undefined ? "there is no Secret yet" : `the Secret ${previous.target.name} stays as it was`;
  return [
    condition("Ready", false, error.code, text),
    stage === "verify"
      ? condition("Verified", waits ? false : null, error.code, text)
      : condition("Verified", null, error.code, "not decided: the Secret cannot be written"),
    condition("Synced", false, error.code, kept),
    ...(pending ? [condition("PendingApproval", true, error.code, text)] : []),
    condition(waits && !pending ? "Stalled" : "Reconciling", true, error.code, text),
  ];
}

function holding(name: string, count: number): string {
  return `the Secret ${name} holds ${count} ${count === 1 ? "key" : "keys"}`;
}

/** As long as the Secret of before serves, the bundle is ready; what it waits for is said beside that. */
function rotatingConditions(previous: SecretStatus | undefined, { error, serves }: Rotating): Wanted[] {
  const text = messageOf(error);
  const pending = pendingCondition(error);
  const verified =
    conditionOf(previous, "Verified") ?? condition("Verified", null, error.code, "said when the Secret is written");
  if (serves) {
    const { target, entries = 0 } = previous ?? {};
    const held = holding(target?.name ?? "", entries);
    return [condition("Ready", true, "Synced", held), verified, condition("Synced", true, "Synced", held), pending];
  }
  return [
    condition("Ready", false, error.code, text),
    verified,
    condition("Synced", false, error.code, "the Secret is written when the job has succeeded"),
    condition("Reconciling", true, error.code, text),
    pending,
  ];
}

/** Far below what the schema allows, and as much as anybody reads. */
const MAX_MESSAGE = 2000;

function clip(text: string): string {
  return text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE - 1)}…`;
}

/** What is wrong, then what to do. */
export function messageOf(error: ZoppError): string {
  return clip(`${error.message}; next: ${error.kind.next}`);
}

type History = NonNullable<SecretStatus["history"]>;

/** The newest five different things that happened to the bundle, newest first. Repetitions are not news. */
function nextHistory(previous: SecretStatus | undefined, outcome: Outcome, now: Date): History {
  const before = previous?.history ?? [];
  if (outcome.kind === "rested" || outcome.kind === "rotating" || outcome.digest === undefined) return before;
  const { digest } = outcome;
  const result = outcome.kind === "synced" ? "Synced" : outcome.error.code;
  const [last] = before;
  if (last?.result === result && last.digest === digest) return before;
  return [{ digest, time: `${now.toISOString().slice(0, 19)}Z`, result }, ...before].slice(0, HISTORY);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
