// Decides what one bundle needs: nothing, a look at its target, an opening, or a refusal. Pure: a table of rules.
// Whether a bundle may be opened is the keyring's decision; how the Secret looks in the end is target.ts'.
import { targetKeys } from "../../crds/bundle/target.js";
import type { ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../kube/conditions.js";
import { valuesDigest } from "./generate.plan.js";
import { HEALED_BY_CHANGE, reasonCode } from "./secret.status.js";
import { contestedConflict, foreignConflict, ownedConflict, terminating } from "./target.conflict.js";
import { ADOPT_ANNOTATION, BUNDLE_ANNOTATION, type Hold, MERGE_ANNOTATION } from "./target.js";
import type { SeenSecret } from "./target.seen.js";

/** How long a foreign Secret is left alone before it is looked at again. */
export const RECHECK_MS = 5 * 60_000;

/** All that is known about one bundle when the operator thinks about it. */
export interface Situation {
  readonly bundle: ZoppSecret;
  /** The bundle's digest, computed from its spec. */
  readonly digest: string;
  /** The newest status: what the operator wrote last, even if the watch has not shown it yet. */
  readonly status: SecretStatus | undefined;
  /** The target: from the watch of our Secrets, or just looked up; `unknown` when the watch does not have it. */
  readonly target: SeenSecret | "absent" | "unknown";
  /** The accepted policy (workspace's and environment's digest); undefined until the keyring described it. */
  readonly policy: readonly string[] | undefined;
  /** A person asked for it, or the daily retry of what is refused is due: open and write even if nothing seems to have changed. */
  readonly demanded: boolean;
  /** A value is to be made that the bundle's status does not hold, or not any more. */
  readonly due?: boolean | undefined;
  /** How long ago this target was found to be somebody else's; undefined if it was not. */
  readonly foreignSinceMs?: number | undefined;
  /** A write that only creates found that something stands under the target's name. */
  readonly nameTaken?: boolean;
}

/** What to do next. `afterMs`: think again then, at the latest. */
export type Step =
  | { readonly do: "rest"; readonly afterMs?: number | undefined }
  | { readonly do: "look" }
  | { readonly do: "open"; readonly hold: Hold }
  | { readonly do: "refuse"; readonly error: ZoppError; readonly afterMs?: number | undefined };

/** The one decision about a bundle. */
export function decide(given: Situation): Step {
  if (!given.demanded) {
    if (isSettled(given)) return { do: "rest" };
    const waiting = waitsForChange(given);
    if (waiting !== undefined) return waiting;
  }
  if (given.target === "unknown" && !mayCreate(given)) return { do: "look" };
  return holdOf(given.bundle, given.target);
}

/**
 * A bundle that never had a Secret is opened without a look, which would cost as much as the write: the write only
 * creates, so it fails if anything stands there. Everything else is looked at before anything is released for it.
 */
function mayCreate({ status, nameTaken }: Situation): boolean {
  if (nameTaken === true || status?.target !== undefined) return false;
  const code = reasonCode(readyOf(status));
  return code !== "TargetConflict" && code !== "TargetTerminating";
}

/** Ready, unchanged, and the Secret is the one that was written last. Policy plays no part. */
function isSettled(given: Situation): boolean {
  const { bundle, digest, status, target, due } = given;
  if (readyOf(status)?.status !== "True" || status?.digest !== digest) return false;
  if (due === true || status.applied !== valuesDigest(bundle, status.generated)) return false;
  return typeof target !== "string" && isLastTarget(given) && isIntact(bundle, target);
}

/**
 * Status is no evidence: whoever can write it could name the resourceVersion of a Secret that was tampered with.
 * The API server itself keeps who wrote which key: all of ours must be ours, and no other may be there.
 */
export function isIntact(bundle: ZoppSecret, target: SeenSecret): boolean {
  const { ours, others } = target.writers;
  const wanted = targetKeys(bundle);
  if (wanted.some((key) => !ours.includes(key))) return false;
  return isMerged(bundle, target) || (others.length === 0 && ours.length === wanted.length);
}

/** A refusal that only a change heals is not repeated while bundle and policy stay what they were. */
function waitsForChange(given: Situation): Step | undefined {
  const { bundle, status, policy, target } = given;
  const code = reasonCode(readyOf(status));
  if (code === undefined || !HEALED_BY_CHANGE.has(code)) return undefined;
  if (status?.observedGeneration !== bundle.metadata.generation) return undefined;
  if (policy !== undefined && !sameList(status?.policy ?? [], policy)) return undefined;
  if (code === "TargetConflict") return target === "unknown" ? afterForeign(given) : stillForeign(given);
  if (code === "TargetImmutable") return isLastTarget(given) ? { do: "rest" } : undefined;
  return { do: "rest" };
}

function afterForeign({ foreignSinceMs }: Situation): Step | undefined {
  if (foreignSinceMs === undefined || foreignSinceMs >= RECHECK_MS) return undefined;
  return { do: "rest", afterMs: RECHECK_MS - foreignSinceMs };
}

function stillForeign({ bundle, target }: Situation): Step | undefined {
  const step = holdOf(bundle, target);
  if (step.do === "refuse") return step;
  if (typeof target === "string" || !isMerged(bundle, target)) return undefined;
  // the write was tried: others hold these keys with other values, which is seen without opening the bundle again
  const { others, managers } = target.writers;
  const contested = targetKeys(bundle).filter((key) => others.includes(key));
  return contested.length === 0 ? undefined : refuse(contestedConflict(bundle, contested, managers));
}

/** True when the Secret is the one that was written last, as it was then. */
export function isLastTarget({ status, target }: Pick<Situation, "status" | "target">): boolean {
  if (typeof target === "string") return false;
  const { uid, resourceVersion } = target.metadata;
  return status?.target?.uid === uid && status?.target?.resourceVersion === resourceVersion;
}

/** Whether, and how, the Secret under the target's name may be written. */
export function holdOf(bundle: ZoppSecret, target: Situation["target"]): Step {
  if (typeof target === "string") return { do: "open", hold: { mode: "create" } };
  const { uid, resourceVersion, annotations = {}, ownerReferences = [], deletionTimestamp } = target.metadata;
  // its end is seen in the watch
  if (deletionTimestamp !== undefined) return { do: "refuse", error: terminating(bundle, target) };
  const open = (mode: Hold["mode"]): Step => ({ do: "open", hold: { mode, uid, resourceVersion } });
  if (isMerged(bundle, target)) return open("merge");
  const owner = ownerReferences.find((reference) => reference.controller === true);
  const ownedByUs = owner !== undefined && owner.uid === bundle.metadata.uid;
  const adopted = annotations[ADOPT_ANNOTATION] === bundle.metadata.name;
  if (annotations[BUNDLE_ANNOTATION] === bundle.metadata.name || ownedByUs) return open("update");
  if (owner !== undefined && !(adopted && owner.kind === "ZoppSecret")) {
    return refuse(ownedConflict(bundle, owner));
  }
  return adopted ? open("adopt") : refuse(foreignConflict(bundle, target));
}

/** True when the Secret itself asks for this bundle's keys beside what it has. */
export function isMerged(bundle: ZoppSecret, target: SeenSecret): boolean {
  return target.metadata.annotations?.[MERGE_ANNOTATION] === bundle.metadata.name;
}

function refuse(error: ZoppError): Step {
  return { do: "refuse", error, afterMs: RECHECK_MS };
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}
