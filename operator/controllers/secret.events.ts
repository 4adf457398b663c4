// What is worth an Event in a bundle's life: transitions only, in the words that `kubectl describe` shows.
// A first sync and a repetition are silent: conditions say them, and an Event is one more write.
import type { ZoppError } from "../../crds/errors.js";
import type { SecretStatus } from "../../crds/types.gen.js";
import { conditionOf, ROTATION_PENDING, readyOf } from "../kube/conditions.js";
import type { Happening } from "../kube/events.js";
import { expiryHappenings } from "./expiry.plan.js";
import { certificateHappenings } from "./issuer.plan.js";
import { messageOf, type Outcome } from "./secret.status.js";

/** The events that lead from one status to the next. `warnings` are the keyring's. */
export function happenings(
  previous: SecretStatus | undefined,
  next: SecretStatus,
  outcome: Outcome,
  warnings: readonly string[],
): Happening[] {
  const ofOutcome = outcomeHappenings(previous, next, outcome, warnings);
  return [
    ...ofOutcome,
    ...certificateHappenings(previous, next),
    ...expiryHappenings(previous?.expiring, next.expiring),
  ];
}

function outcomeHappenings(
  previous: SecretStatus | undefined,
  next: SecretStatus,
  outcome: Outcome,
  warnings: readonly string[],
): Happening[] {
  if (outcome.kind === "rested") return [];
  if (outcome.kind === "rotating") return rotationHappenings(previous, outcome.error);
  const before = readyOf(previous);
  if (outcome.kind === "refused") {
    const { error } = outcome;
    const generation = String(next.observedGeneration ?? 0);
    // the same refusal of other content is news
    if (before?.reason === error.code && previous?.observedGeneration === next.observedGeneration) return [];
    return [{ type: "Warning", reason: error.code, message: messageOf(error), digest: generation }];
  }
  const { digest } = outcome;
  const said: Happening[] = warnings.map((message) => ({ type: "Warning", reason: "Accepted", message, digest }));
  if (outcome.waits !== undefined) said.push(...rotationHappenings(previous, outcome.waits));
  const message = readyMessage(next);
  if (before?.status === "False") said.push({ type: "Normal", reason: "Recovered", message, digest });
  else if (previous?.digest !== undefined && previous.digest !== digest) {
    said.push({ type: "Normal", reason: "Updated", message, digest });
  } else if (previous?.applied !== undefined && previous.applied !== next.applied) {
    const made = `the keyring made new values: ${message}`;
    said.push({ type: "Normal", reason: "Rotated", message: made, digest: next.applied ?? digest });
  } else if (isRepair(previous, next)) {
    const repaired = `changed by somebody else, written again: ${message}`;
    said.push({
      type: "Warning",
      reason: "Repaired",
      message: repaired,
      digest: next.target?.resourceVersion ?? digest,
    });
  }
  return said;
}

/** Each Job is spoken of when it is made, and when it has failed. */
function rotationHappenings(previous: SecretStatus | undefined, error: ZoppError): Happening[] {
  const message = messageOf(error);
  const before = conditionOf(previous, ROTATION_PENDING);
  if (before?.message === message) return [];
  const type = error.code === "RotationPending" ? "Normal" : "Warning";
  return [{ type, reason: error.code, message, digest: message }];
}

/** The same content was written again, and that changed the Secret. */
function isRepair(previous: SecretStatus | undefined, next: SecretStatus): boolean {
  return previous?.target !== undefined && previous.target.resourceVersion !== next.target?.resourceVersion;
}

function readyMessage(status: SecretStatus): string {
  return readyOf(status)?.message ?? "";
}
