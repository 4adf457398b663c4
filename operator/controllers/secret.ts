// The story of one bundle: gather what is known, decide, act, write the status once.
// The rules are in secret.plan.ts, the writing in secret.act.ts, the words in secret.status.ts.
import { bundleDigest, bundleStatements } from "../../crds/bundle/statements.js";
import { targetName, targetPlace } from "../../crds/bundle/target.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppEnvironment, ZoppSecret } from "../../crds/types.gen.js";
import { parseSecret } from "../../crds/validate.js";
import type { KeyringClient } from "../keyring/client.types.js";
import type { ApiClient } from "../kube/client.js";
import { CERTIFICATE_PENDING, conditionOf, RESTART_PENDING, readyOf } from "../kube/conditions.js";
import type { ReconcileAnswer } from "../kube/controller.js";
import { hasStatus } from "../kube/errors.js";
import type { Recorder } from "../kube/events.js";
import { type KubeObject, ZOPP_SECRETS } from "../kube/resources.js";
import { type Epochs, epochsOf } from "./epochs.js";
import { nextStageMs } from "./expiry.plan.js";
import type { Freshest } from "./freshest.js";
import { againInMs, isDue } from "./generate.plan.js";
import { certificateCondition, issuersIn, pressingOf } from "./issuer.plan.js";
import type { Restarts } from "./restart.js";
import { contentDigest, nextRestarts } from "./restart.plan.js";
import { type ValuesDeps, type Worked, workThrough } from "./rotation.js";
import { happenings } from "./secret.events.js";
import { lookIfNeeded } from "./secret.look.js";
import type { BundleMemory } from "./secret.memory.js";
import { decide, RECHECK_MS, type Situation, type Step } from "./secret.plan.js";
import {
  endingsSpokenOf,
  HEALED_BY_CHANGE,
  hindranceOf,
  isApplied,
  nextStatus,
  type Outcome,
  type RestartStatus,
  sameStatus,
} from "./secret.status.js";
import type { SeenSecret } from "./target.seen.js";

/** The field manager of statuses; another one than that of Secrets, so that neither can take the other's fields. */
export const STATUS_MANAGER = "zopp-operator-status";

/** What a bundle's story needs. */
export interface SecretDeps extends ValuesDeps {
  readonly client: Pick<ApiClient, "get" | "list" | "apply" | "replace">;
  readonly keyring: Pick<KeyringClient, "open" | "generate">;
  readonly bundles: Pick<Freshest<ZoppSecret>, "get" | "put" | "drop">;
  readonly targets: Pick<Freshest<SeenSecret>, "get" | "put" | "drop">;
  readonly environments: { get(name: string): ZoppEnvironment | undefined };
  /** Digests of the accepted policy of an environment (`workspace/project/environment`), once they are known. */
  policyOf(environment: string): readonly string[] | undefined;
  /** Whether the accepted policy asks for approvals in an environment; undefined until the keyring has told. */
  asksApprovals(environment: string): boolean | undefined;
  /** Asks the keyring for its policy now; resolves when it has answered, or did not. */
  refreshPolicy(): Promise<void>;
  readonly events: Pick<Recorder, "event">;
  readonly memory: BundleMemory;
  /** Absent: this operator restarts nothing. */
  readonly restarts?: Pick<Restarts, "of" | "settled" | "forget"> | undefined;
  readonly now: () => Date;
  /** How long before the end of a value its bundle says so. */
  readonly expiryWarningMs: number;
  /** Told what a bundle's status is now (null: it is gone), and when a change reached its Secret. */
  readonly tell: {
    status(key: string, status: SecretStatus | null): void;
    applied(seconds: number): void;
    /** The Secret holds another state of the bundle than before: what was opened, as the watch gave it. */
    newState(seen: ZoppSecret, digest: string): void;
  };
}

/** Failures that a restart of keyring or API server explains, or a CA that is just being made, are told only when they go on for longer than this. */
export const QUIET_MS = 5_000;
const QUIET = new Set([
  "KeyringUnavailable",
  "Unauthenticated",
  "Overloaded",
  "ApiUnreachable",
  "ApiRefused",
  "AuditUnavailable",
  "ApiConflict",
  "TargetTerminating",
  "IssuerPending",
]);
/** How soon to ask again when keyring or operator are set up wrongly, which no backoff heals, or where another bundle is waited for. */
const MISCONFIGURED_RETRY_MS = 60_000;

/** Brings one bundle (`namespace/name`) to where it should be. Throws what should be tried again. */
export async function reconcileSecret(key: string, deps: SecretDeps, signal: AbortSignal): Promise<ReconcileAnswer> {
  const seen = deps.bundles.get(key);
  if (seen === undefined || seen.metadata.deletionTimestamp !== undefined) return end(key, deps);
  deps.memory.trying(key);
  const bundle = parse(seen);
  if (bundle instanceof ZoppError) return settle(key, unreadable(seen), unread(bundle, seen.status), deps);
  const situation = gather(key, bundle, seen.status, deps);
  const looked = await lookIfNeeded(key, situation, decide(situation), deps, signal).catch((thrown) =>
    asZoppError(thrown, `looking at the Secret of ${key}`),
  );
  if (looked === undefined) return end(key, deps);
  if (looked instanceof ZoppError) return settle(key, bundle, refusalOf(looked, situation), deps);
  return act({ key, seen }, { ...situation, target: looked.target }, looked.step, deps, signal);
}

/** Owner references clean up after a bundle; only this process' memory of it has to go. */
function end(key: string, deps: SecretDeps): ReconcileAnswer {
  deps.memory.forget(key);
  deps.tell.status(key, null);
  deps.restarts?.forget(key);
  return {};
}

function parse(seen: ZoppSecret): ZoppSecret | ZoppError {
  try {
    return parseSecret(seen);
  } catch (error) {
    return asZoppError(error, `reading bundle ${seen.metadata.namespace}/${seen.metadata.name}`);
  }
}

/** A stand-in for a bundle whose spec cannot be trusted to have any shape. */
function unreadable(seen: ZoppSecret): ZoppSecret {
  return { ...seen, spec: { environment: "", header: { version: 0, by: "", signature: "" } } };
}

function gather(key: string, bundle: ZoppSecret, status: SecretStatus | undefined, deps: SecretDeps): Situation {
  const statements = bundleStatements(bundle, epochs(bundle, deps));
  return {
    bundle,
    status,
    digest: bundleDigest(statements),
    target: deps.targets.get(targetPlace(bundle)) ?? "unknown",
    policy: deps.policyOf(bundle.spec.environment),
    demanded: deps.memory.isDemanded(key) || (deps.memory.retryInMs(key) <= 0 && readyOf(status)?.status !== "True"),
    foreignSinceMs: deps.memory.foreignSinceMs(key),
    nameTaken: deps.memory.isNameTaken(key),
    // a value that would have to wait for a job stays, where none can run
    due:
      isDue(bundle, status, deps.now(), issuersIn(deps.bundles, bundle)) &&
      (bundle.spec.rotation === undefined || deps.rotations !== undefined),
  };
}

async function act(
  { key, seen }: { readonly key: string; readonly seen: ZoppSecret },
  given: Situation,
  step: Step,
  deps: SecretDeps,
  signal: AbortSignal,
): Promise<ReconcileAnswer> {
  const { bundle, status, target } = given;
  if (step.do === "look") throw new TypeError("a target was looked up and is still unknown");
  if (step.do === "rest") return settle(key, bundle, { kind: "rested" }, deps, step);
  if (step.do === "refuse") return settle(key, bundle, refusalOf(step.error, given), deps, step);
  const { hold } = step;
  const retain = await retains(bundle, deps);
  const managers = typeof target === "string" ? [] : target.writers.managers;
  const work = {
    key,
    seen,
    bundle,
    digest: given.digest,
    hold,
    managers,
    epochs: epochs(bundle, deps),
    retain,
    signal,
  };
  const { outcome, ...worked } = await workThrough(work, given, deps);
  if (outcome.kind === "synced") {
    deps.tell.applied(deps.memory.waitedSeconds(key) ?? 0);
    if (status?.digest !== outcome.digest) deps.tell.newState({ ...seen, status }, outcome.digest);
  } else if (outcome.kind === "refused" && outcome.moved === true) {
    deps.targets.drop(targetPlace(bundle));
    if (hold.mode === "create") deps.memory.nameTaken(key);
  }
  const contested = outcome.kind === "refused" && outcome.error.code === "TargetConflict";
  return settle(key, bundle, outcome, deps, contested ? { ...worked, afterMs: RECHECK_MS } : worked);
}

/** Writes the status if it says anything new, and tells when to come back. */
async function settle(
  key: string,
  bundle: ZoppSecret,
  outcome: Outcome,
  deps: SecretDeps,
  { afterMs, warnings = [], certificates = [] }: Partial<Omit<Worked, "outcome">> = {},
): Promise<ReconcileAnswer> {
  const refused = outcome.kind === "refused" ? outcome.error : undefined;
  const passing = refused !== undefined && !HEALED_BY_CHANGE.has(refused.code);
  const hindrance = hindranceOf(outcome);
  const previous = deps.bundles.get(key)?.status;
  const begins = outcome.kind === "rested" && conditionOf(previous, CERTIFICATE_PENDING) === undefined;
  const untold = passing ? refused : begins ? pressingOf(certificates) : undefined;
  if (untold !== undefined && QUIET.has(untold.code) && deps.memory.tryingForMs(key) < QUIET_MS) throw untold;
  const now = deps.now();
  const beside = {
    ...restartStatus(key, bundle, previous, outcome, deps),
    certificates: certificateCondition(certificates),
  };
  const next = nextStatus(bundle, previous, outcome, { now, warningMs: deps.expiryWarningMs }, beside);
  if (!sameStatus(previous, next)) {
    for (const happening of happenings(previous, next, outcome, warnings)) {
      await deps.events.event(ZOPP_SECRETS, bundle.metadata, happening);
    }
    if (!(await writeStatus(bundle, next, deps))) return end(key, deps);
  }
  deps.restarts?.settled(key, bundle, next);
  deps.tell.status(key, next);
  const toStageMs = nextStageMs(endingsSpokenOf(bundle, previous, outcome), now, deps.expiryWarningMs);
  const keepsOld = outcome.kind === "rotating" || !isApplied(previous, outcome);
  const toValueMs = keepsOld ? undefined : againInMs(bundle, next, now);
  const moments = [toStageMs, toValueMs].filter((ms) => ms !== undefined);
  deps.memory.speaksAt(key, moments.length === 0 ? undefined : now.getTime() + Math.min(...moments));
  if (passing && !refused.terminal) throw refused;
  if (hindrance !== undefined) throw hindrance;
  deps.memory.settled(key);
  const others = passing || certificates.length > 0 ? MISCONFIGURED_RETRY_MS : undefined;
  const waits = [afterMs, deps.memory.retryInMs(key), ...moments, others];
  return { requeueAfterMs: Math.min(...waits.filter((wait) => wait !== undefined)) };
}

/** What the status says of restarts: what is due, and the condition while workloads wait. */
function restartStatus(
  key: string,
  bundle: ZoppSecret,
  previous: SecretStatus | undefined,
  outcome: Outcome,
  deps: SecretDeps,
): RestartStatus {
  if (deps.restarts === undefined) return {};
  const round = deps.restarts.of(key);
  const wished = bundle.spec.restart === "auto";
  const content = wished
    ? contentDigest(
        bundle.spec,
        bundleStatements(bundle, epochs(bundle, deps)).entries,
        outcome.kind === "synced" ? outcome.applied : previous?.applied,
      )
    : undefined;
  const done = round?.done === true ? round.digest : undefined;
  const restarts = nextRestarts({ content, previous, outcome, secret: targetName(bundle), done });
  if (restarts?.due === undefined) return { restarts };
  // until this process has had a round, what the last one said stays
  const said = conditionOf(previous, RESTART_PENDING);
  return { restarts, waits: round?.digest === restarts.due ? round.waits : said };
}

/** False when the bundle is not there any more. */
async function writeStatus(bundle: ZoppSecret, status: SecretStatus, deps: SecretDeps): Promise<boolean> {
  const { namespace, name, uid } = bundle.metadata;
  // generated values, and the Job that they wait for, have a manager of their own: a late write of a status cannot put older ones back
  const { generated: _, rotation: __, ...ours } = status;
  const object = { metadata: { namespace, name, ...(uid === undefined ? {} : { uid }) }, status: ours };
  try {
    const options = { fieldManager: STATUS_MANAGER, subresource: "status", metadataOnly: true };
    const answer = await deps.client.apply<KubeObject>(ZOPP_SECRETS, object, options);
    const seen = deps.bundles.get(`${namespace}/${name}`) ?? bundle;
    const { resourceVersion = "" } = answer.metadata;
    deps.bundles.put({ ...seen, metadata: { ...seen.metadata, resourceVersion }, status });
    return true;
  } catch (error) {
    if (hasStatus(error, 404)) return false;
    throw error;
  }
}

function unread(error: ZoppError, status: SecretStatus | undefined): Outcome {
  return { kind: "refused", error, stage: "verify", policy: status?.policy ?? [] };
}

/** The operator's own: the Secret is somebody else's, or cannot be looked at. */
function refusalOf(error: ZoppError, { policy, status, digest }: Situation): Outcome {
  return { kind: "refused", error, stage: "sync", policy: policy ?? status?.policy ?? [], digest };
}

/** The Secret outlives its bundle where the target says so; by default where the environment asks for approvals, if that is known. */
async function retains({ spec }: ZoppSecret, deps: SecretDeps): Promise<boolean | undefined> {
  const asked = spec.target?.deletionPolicy;
  if (asked !== undefined) return asked === "Retain";
  if (deps.asksApprovals(spec.environment) === undefined) await deps.refreshPolicy();
  return deps.asksApprovals(spec.environment);
}

function epochs(bundle: ZoppSecret, deps: Pick<SecretDeps, "environments">): Epochs {
  return epochsOf(deps.environments.get(bundle.spec.environment.replaceAll("/", ".")));
}

/** The digest of a bundle as the watch gives it; undefined when it cannot be read. */
export function digestOfSeen(seen: ZoppSecret, environments: SecretDeps["environments"]): string | undefined {
  const bundle = parse(seen);
  return bundle instanceof ZoppError
    ? undefined
    : bundleDigest(bundleStatements(bundle, epochs(bundle, { environments })));
}

/**
 * A bundle whose status we wrote before the watch shows it: our status, but never our idea of the spec, which
 * somebody may have changed in between.
 */
export function withOurStatus(seen: ZoppSecret | undefined, ours: ZoppSecret): ZoppSecret | undefined {
  if (seen === undefined || ours.status === undefined) return seen;
  return { ...seen, status: ours.status };
}
