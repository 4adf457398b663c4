// The story of one workspace, environment or baseline: its status says what the keyring made of it.
// Decides no trust: the keyring does, and the operator only writes down its word.
import { isDeepStrictEqual } from "node:util";
import { ERRORS, type ErrorCode, ZoppError } from "../../crds/errors.js";
import type { JoinRequest, ZoppBaseline, ZoppEnvironment, ZoppWorkspace } from "../../crds/types.gen.js";
import type { PolicyState } from "../keyring/client.types.js";
import type { ApiClient } from "../kube/client.js";
import { type Condition, condition, conditionsOf, readyOf, sameConditions, type Wanted } from "../kube/conditions.js";
import type { ReconcileAnswer } from "../kube/controller.js";
import { hasStatus } from "../kube/errors.js";
import type { Recorder } from "../kube/events.js";
import type { KubeObject, Resource } from "../kube/resources.js";
import type { Freshest } from "./freshest.js";
import { policyReason } from "./policy.book.js";
import { STATUS_MANAGER } from "./secret.js";
import { HEALED_BY_CHANGE, messageOf } from "./secret.status.js";

/** A workspace, an environment or a baseline. */
export type PolicyObject = ZoppWorkspace | ZoppEnvironment | ZoppBaseline;

/** What of a policy object's status the operator writes. */
export interface PolicyStatus {
  readonly observedGeneration?: number;
  readonly accepted?: { readonly version: number; readonly digest: string };
  readonly conditions?: readonly Condition[];
  /** Workspaces: who waits to be signed in. */
  readonly joinRequests?: readonly JoinRequest[];
}

/** What the story of one kind of policy object needs. */
export interface PolicyDeps {
  readonly resource: Resource;
  readonly client: Pick<ApiClient, "apply">;
  readonly objects: Pick<Freshest<PolicyObject>, "get" | "put">;
  /** The keyring's word about an object of this kind; `spoken` is false until there was any. */
  state(name: string): PolicyState | undefined;
  spoken(): boolean;
  /** Ask the keyring soon: it does not know this object yet. */
  poke(): void;
  readonly events: Pick<Recorder, "event">;
  readonly now: () => Date;
}

/** Writes what the keyring says of one object, once the keyring has seen its present content. */
export async function reconcilePolicy(key: string, deps: PolicyDeps): Promise<ReconcileAnswer> {
  const object = deps.objects.get(key);
  if (object === undefined || object.metadata.deletionTimestamp !== undefined || !deps.spoken()) return {};
  const state = deps.state(key);
  const previous = object.status as PolicyStatus | undefined;
  const next = nextPolicyStatus(object, previous, state, deps.now());
  if (next === undefined) {
    deps.poke(); // the book enqueues this object again when the keyring's word changes
    return {};
  }
  if (samePolicyStatus(previous, next)) return {};
  await tell(object, previous, next, deps);
  await writeStatus(object, next, deps);
  return {};
}

/** The status of an object; undefined while the keyring has not seen its present content. */
export function nextPolicyStatus(
  object: PolicyObject,
  previous: PolicyStatus | undefined,
  state: PolicyState | undefined,
  now: Date,
): PolicyStatus | undefined {
  const generation = object.metadata.generation ?? 0;
  if (state === undefined || !isSeen(object, state)) return undefined;
  return {
    observedGeneration: generation,
    ...(state.accepted === undefined ? {} : { accepted: { ...state.accepted } }),
    ...(state.joinRequests === undefined ? {} : { joinRequests: state.joinRequests }),
    conditions: conditionsOf(previous?.conditions, wanted(object, state), { generation, now }),
  };
}

/** True when the keyring has looked at an object's present content. */
export function isSeen(object: PolicyObject, state: PolicyState | undefined): boolean {
  const { uid, generation = 0 } = object.metadata;
  return state !== undefined && state.uid === uid && state.generation >= generation;
}

/** An object whose status we wrote before the watch shows it: our status beside the content that is shown. */
export function withOurPolicyStatus(seen: PolicyObject | undefined, ours: PolicyObject): PolicyObject | undefined {
  return seen === undefined ? undefined : ({ ...seen, status: ours.status } as PolicyObject);
}

/** What is for other clusters, or was for an earlier keyring: here it is not in force, and that is as it should be. Who waits for it would wait for ever. */
const FOR_OTHERS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["NotServedHere", "BaselineOutdated"]);

function wanted(object: PolicyObject, state: PolicyState): Wanted[] {
  const { accepted, refused } = state;
  if (refused === undefined) {
    const text = accepted === undefined ? "not looked at yet" : `version ${accepted.version} is in force`;
    return [condition("Ready", accepted === undefined ? null : true, policyReason(state), text)];
  }
  const what = `${object.kind} ${object.metadata.name}`;
  const error = new ZoppError(refused.code, refused.message || `${what} is refused`);
  const kept = accepted === undefined ? "" : `; version ${accepted.version} stays in force`;
  if (FOR_OTHERS.has(error.code))
    return [condition("Ready", true, error.code, `${error.message}${kept || "; nothing of it is in force here"}`)];
  const text = `${messageOf(error)}${kept}`;
  const waits = HEALED_BY_CHANGE.has(error.code) && ERRORS[error.code].persistence === "terminal";
  return [
    condition("Ready", false, error.code, text),
    condition(waits ? "Stalled" : "Reconciling", true, error.code, text),
  ];
}

function samePolicyStatus(previous: PolicyStatus | undefined, next: PolicyStatus): boolean {
  return (
    previous?.observedGeneration === next.observedGeneration &&
    previous?.accepted?.version === next.accepted?.version &&
    previous?.accepted?.digest === next.accepted?.digest &&
    isDeepStrictEqual(previous?.joinRequests ?? [], next.joinRequests ?? []) &&
    sameConditions(previous?.conditions, next.conditions ?? [])
  );
}

/** An event when a version comes into force or is refused: transitions only. */
async function tell(
  object: PolicyObject,
  previous: PolicyStatus | undefined,
  next: PolicyStatus,
  deps: PolicyDeps,
): Promise<void> {
  const ready = readyOf(next);
  if (ready === undefined || ready.status === "Unknown") return;
  const before = readyOf(previous);
  const sameContent = previous?.observedGeneration === next.observedGeneration;
  if (before?.reason === ready.reason && sameContent) return;
  const type = ready.status === "True" ? "Normal" : "Warning";
  const digest = `${next.observedGeneration}/${next.accepted?.digest ?? ""}`;
  await deps.events.event(deps.resource, object.metadata, {
    type,
    reason: ready.reason,
    message: ready.message,
    digest,
  });
}

async function writeStatus(object: PolicyObject, status: PolicyStatus, deps: PolicyDeps): Promise<void> {
  const { name, uid } = object.metadata;
  const applied = { metadata: { name, ...(uid === undefined ? {} : { uid }) }, status };
  try {
    const options = { fieldManager: STATUS_MANAGER, subresource: "status", metadataOnly: true };
    const answer = await deps.client.apply<KubeObject>(deps.resource, applied, options);
    const { resourceVersion = "" } = answer.metadata;
    deps.objects.put({ ...object, metadata: { ...object.metadata, resourceVersion }, status } as PolicyObject);
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
  }
}
