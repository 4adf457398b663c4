// Jobs that bring new generated values to where they are checked: has them run, and lets the Secret have the values when they have
// succeeded. Goes on from whatever is there, so that it may end anywhere: a Job without its Secret, a Secret whose Job is still
// suspended. One Job of a bundle at a time. What the objects look like, and what a Job's state is, rotation.plan.ts says.
import { isDeepStrictEqual } from "node:util";
import { placeOf } from "../../crds/bundle/case.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { GeneratedValues, Waiting } from "../keyring/client.types.js";
import type { ApiClient } from "../kube/client.js";
import { conditionOf, ROTATION_PENDING } from "../kube/conditions.js";
import { isThereAlready, orAbsent } from "../kube/errors.js";
import { FIELD_MANAGER, JOBS, type KubeObject, type ObjectMeta, SECRETS } from "../kube/resources.js";
import { type GenerateDeps, keep, makeValues } from "./generate.js";
import { isPublished, isServing, type Kept, keptOf } from "./rotation.kept.js";
import {
  hinderedBy,
  isComplete,
  isDisplacing,
  isOver,
  type JobObject,
  jobObject,
  jobPlace,
  jobSecret,
  lookAgainMs,
  needsJob,
  stateOf,
  waitsFor,
} from "./rotation.plan.js";
import {
  type Act,
  type ActDeps,
  type Acted,
  contentOf,
  type Opened,
  openAnd,
  openAndWrite,
  writeOpened,
} from "./secret.act.js";
import { decide, isLastTarget, type Situation } from "./secret.plan.js";
import type { Refused, Rotating, Synced } from "./secret.status.js";
import type { AppliedSecret } from "./target.js";
import { holdBack } from "./values.js";

/** What happened to a Job; the metric's label. */
export type RotationResult = "created" | "succeeded" | "failed";

/** What Jobs need. */
export interface RotationDeps {
  readonly client: Pick<ApiClient, "get" | "create" | "apply">;
  readonly did: (what: RotationResult) => void;
}

/** What a bundle's values need on their way into its Secret. */
export interface ValuesDeps extends ActDeps, GenerateDeps {
  readonly client: ActDeps["client"] & GenerateDeps["client"];
  readonly keyring: ActDeps["keyring"] & GenerateDeps["keyring"];
  /** Absent: this operator runs no jobs. */
  readonly rotations?: RotationDeps | undefined;
}

/** What is done with a bundle, before its generated values are known. */
export interface Work extends Omit<Act, "generated"> {
  readonly key: string;
  /** The object that the bundle was parsed from, with what was kept in its status since. */
  readonly seen: ZoppSecret;
}

type SeenAct = Work & Act;

/** {@link Acted}, and when to look again. */
export interface Worked extends Omit<Acted, "outcome"> {
  /** `rested`: certificates wait for their CA, and there was nothing else to do. */
  readonly outcome: Acted["outcome"] | { readonly kind: "rested" };
  /** Certificates that are due, and wait for their CA. */
  readonly certificates?: readonly Waiting[] | undefined;
  readonly afterMs?: number | undefined;
}

/** Has values made, opens everything and writes the Secret; or has the Job run that new values wait for, or looks at it. */
export async function workThrough(work: Work, given: Situation, deps: ValuesDeps): Promise<Worked> {
  const { bundle, seen, key, signal } = work;
  const made = async (onlyMissing: boolean): Promise<Worked> => {
    const values = await makeValues({ key, bundle, seen }, deps, signal, onlyMissing);
    if (values instanceof ZoppError) return refused(work, given, "verify", values);
    const { generated, waiting: certificates } = values;
    const status = { ...given.status, generated };
    // nothing is opened for what stays as it is
    if (certificates.length > 0 && decide({ ...given, status, due: false }).do === "rest")
      return { outcome: { kind: "rested" }, certificates, warnings: [] };
    return { ...(await applyValues({ ...work, seen: values.seen }, given, generated, deps)), certificates };
  };
  if (bundle.spec.rotation === undefined) return made(false);
  const present = given.status?.generated;
  const complete = isComplete(bundle, present);
  if (isDisplacing(bundle, present) && !isPublished(given.status)) {
    // the value that an unfinished Job has would be displaced by another one
    const hindrance = deps.rotations === undefined ? disabled(bundle) : await unfinished(work, given, deps.rotations);
    if (hindrance !== undefined) return waiting(given, hindrance);
  }
  if (complete && !needsJob(bundle, given.status, present)) return made(false);
  const worked = complete ? await applyValues(work, given, present, deps) : await made(true);
  // what the keyring takes no more was never accepted, and no Job has it: another value is made
  const { outcome } = worked;
  const isStale = outcome.kind === "refused" && outcome.stage === "verify" && outcome.error.code === "ApiConflict";
  return isStale ? made(false) : worked;
}

async function applyValues(
  work: Work,
  given: Situation,
  generated: GeneratedValues | undefined,
  deps: ValuesDeps,
): Promise<Worked> {
  const act: SeenAct = { ...work, generated };
  if (!needsJob(work.bundle, given.status, generated)) return openAndWrite(act, deps);
  if (deps.rotations === undefined) return keepBefore(act, given, disabled(work.bundle), deps);
  try {
    return await throughJob(act, given, deps, deps.rotations);
  } catch (thrown) {
    return refused(work, given, "sync", asZoppError(thrown, `running the Job of ${placeOf(work.bundle)}`));
  }
}

async function throughJob(act: SeenAct, given: Situation, deps: ValuesDeps, rotations: RotationDeps): Promise<Worked> {
  const { bundle, generated, signal } = act;
  const { client, did } = rotations;
  const place = jobPlace(bundle, generated);
  const job = await asked(bundle, client.get<JobObject>(JOBS, place, { signal }));
  if (job instanceof ZoppError) return keepBefore(act, given, job, deps);
  const state = stateOf(job, bundle);
  if (state === "succeeded") {
    const acted = await openAndWrite(act, deps);
    if (acted.outcome.kind === "synced") did("succeeded");
    return acted;
  }
  const waits = waitsFor(bundle, place.name, state, job?.metadata.creationTimestamp);
  if (state !== "absent" && state !== "suspended") return keepBefore(act, given, waits, deps);
  if (given.status?.rotation !== place.name) {
    // two Jobs at once could undo each other: so the name of each is written down before there is one, and waited for
    const hindrance = await unfinished(act, given, rotations);
    if (hindrance !== undefined) return keepBefore(act, given, hindrance, deps);
    await keep(act.seen, generated ?? {}, deps, place.name);
  }
  const secret = await asked(bundle, client.get<KubeObject>(SECRETS, place, { metadataOnly: true, signal }));
  if (secret instanceof ZoppError) return keepBefore(act, given, secret, deps);
  // one of a Job that was deleted goes with it
  if (secret !== undefined && !isOf(secret, job?.metadata)) {
    const isJobs = secret.metadata.ownerReferences?.some(({ kind }) => kind === JOBS.kind) === true;
    const since = job?.metadata.creationTimestamp;
    return keepBefore(act, given, isJobs ? waits : waitsFor(bundle, place.name, "occupied", since), deps);
  }
  let error = waits;
  const acted = await openAnd(act, deps, async (opened) => {
    // what the Secret cannot be made of, no Job brings anywhere
    contentOf(bundle, opened.plaintext);
    error = await begin(act, job, opened.plaintext, rotations).catch((thrown) => hinderedBy(bundle, thrown));
    countFailure(given, error, rotations);
    return writeBefore(act, given, opened, error, deps);
  });
  return { ...acted, afterMs: acted.outcome.kind === "refused" ? undefined : lookAgainMs(error) };
}

/** What the API server has, or why it does not say: no reason against the Secret of before, which needs none of it. */
async function asked<T>(bundle: ZoppSecret, call: Promise<T>): Promise<T | undefined | ZoppError> {
  return orAbsent(call).catch((thrown) => hinderedBy(bundle, thrown));
}

function disabled(bundle: ZoppSecret): ZoppError {
  return waitsFor(bundle, "", "disabled");
}

/** The Secret keeps the values before: it is repaired and follows other changes of the bundle all the same. */
async function keepBefore(act: Act, given: Situation, waits: ZoppError, deps: ValuesDeps): Promise<Worked> {
  countFailure(given, waits, deps.rotations);
  if (toWrite(act, given) === undefined) return waiting(given, waits);
  const acted = await openAnd(act, deps, (opened) => writeBefore(act, given, opened, waits, deps));
  return { ...acted, afterMs: lookAgainMs(waits) };
}

/** What the Secret is to be written with, in the place of new values; undefined: it stays as it is. */
function toWrite({ generated }: Act, given: Situation): Kept | undefined {
  return isServing(given) && isLastTarget(given) ? undefined : keptOf(given, generated);
}

async function writeBefore(
  act: Act,
  given: Situation,
  opened: Opened,
  error: ZoppError,
  deps: ValuesDeps,
): Promise<Synced | Rotating> {
  const { policy } = opened;
  const kept = toWrite(act, given);
  if (kept === undefined) return { kind: "rotating", error, policy, serves: isServing(given) };
  const { bundle, held } = kept;
  holdBack(bundle, held, opened.plaintext);
  const synced = await writeOpened({ ...act, bundle }, opened, deps);
  const { applied, published } = given.status ?? {};
  return { ...synced, applied, published, waits: error };
}

/** Nothing was done but to look. */
function waiting(given: Situation, error: ZoppError): Worked {
  const policy = given.policy ?? given.status?.policy ?? [];
  const outcome: Rotating = { kind: "rotating", error, policy, serves: isServing(given) };
  return { outcome, warnings: [], afterMs: lookAgainMs(error) };
}

/** What is waited for of the Job of earlier values, as long as it may change anything. One that was never let go is: else it would have no end. */
async function unfinished(
  { bundle, signal }: Pick<Work, "bundle" | "signal">,
  { status }: Situation,
  rotations: RotationDeps,
): Promise<ZoppError | undefined> {
  const { namespace } = bundle.metadata;
  const name = status?.rotation;
  if (name === undefined) return undefined;
  const job = await asked(bundle, rotations.client.get<JobObject>(JOBS, { namespace, name }, { signal }));
  if (job === undefined || job instanceof ZoppError) return job;
  const state = stateOf(job, bundle);
  if (isOver(state)) return undefined;
  const running = waitsFor(bundle, name, "running", job.metadata.creationTimestamp);
  if (state !== "suspended") return running;
  return (await asked(bundle, letGo(job.metadata, rotations, signal))) ?? running;
}

/**
 * Makes what is missing of the Job, its Secret, and its leave to start, which it gets on no other values than the bundle's. Gives
 * what new values wait for then.
 */
async function begin(
  { bundle, generated, signal }: Act,
  job: JobObject | undefined,
  plaintext: ReadonlyMap<string, Uint8Array>,
  rotations: RotationDeps,
): Promise<ZoppError> {
  const { client, did } = rotations;
  const options = { metadataOnly: true, signal };
  let metadata = job?.metadata;
  if (metadata === undefined) {
    metadata = (await client.create<KubeObject>(JOBS, jobObject(bundle, generated), options)).metadata;
    did("created");
  }
  const { creationTimestamp: since } = metadata;
  const secret = jobSecret(bundle, generated, metadata, plaintext);
  try {
    await client.create(SECRETS, secret, options);
  } catch (error) {
    if (!isThereAlready(error)) throw error;
    const { namespace, name } = metadata;
    const there = await client.get<AppliedSecret>(SECRETS, { namespace, name }, { signal });
    if (!isOf(there, metadata)) throw error;
    if (!isDeepStrictEqual({ ...there.data }, secret.data)) return waitsFor(bundle, name, "unequipped", since);
  }
  await letGo(metadata, rotations, signal);
  return waitsFor(bundle, metadata.name, "running", since);
}

function isOf({ metadata }: KubeObject, job: ObjectMeta | undefined): boolean {
  return metadata.ownerReferences?.some(({ uid }) => uid === job?.uid) === true;
}

async function letGo({ namespace, name, uid }: ObjectMeta, { client }: RotationDeps, signal: AbortSignal) {
  const start = { metadata: { namespace, name, uid }, spec: { suspend: false } } as KubeObject;
  await client.apply(JOBS, start, { fieldManager: FIELD_MANAGER, metadataOnly: true, signal });
}

/** Each failed Job counts once, when it is said for the first time. */
function countFailure({ status }: Situation, error: ZoppError, rotations: RotationDeps | undefined): void {
  if (error.code !== "RotationFailed") return;
  const said = conditionOf(status, ROTATION_PENDING);
  if (said?.reason !== error.code || !said.message.startsWith(error.message)) rotations?.did("failed");
}

function refused({ digest }: Work, { policy = [] }: Situation, stage: Refused["stage"], error: ZoppError): Worked {
  return { outcome: { kind: "refused", stage, error, policy, digest }, warnings: [] };
}
