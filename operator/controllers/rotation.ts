// Jobs that bring new generated values to where they are checked: has them run, and lets the Secret have the values when they have
// succeeded. Goes on from whatever is there, so that it may end anywhere: a Job without its Secret, a Secret whose Job is still
// suspended. What the objects look like, and what a Job's state is, rotation.plan.ts says.
import { placeOf } from "../../crds/bundle/case.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import type { GeneratedValues } from "../keyring/client.js";
import type { ApiClient } from "../kube/client.js";
import { ROTATION_PENDING } from "../kube/conditions.js";
import { hasStatus, isThereAlready } from "../kube/errors.js";
import { FIELD_MANAGER, JOBS, type KubeObject, type ObjectMeta, SECRETS } from "../kube/resources.js";
import { type GenerateDeps, makeValues } from "./generate.js";
import {
  isBegun,
  isServing,
  type JobObject,
  jobObject,
  jobPlace,
  jobSecret,
  LOOK_MS,
  needsJob,
  stateOf,
  waitsFor,
} from "./rotation.plan.js";
import { type Act, type ActDeps, type Acted, openAnd, openAndWrite } from "./secret.act.js";
import type { Situation } from "./secret.plan.js";
import type { Refused } from "./secret.status.js";

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
  /** The object that the bundle was parsed from. */
  readonly seen: ZoppSecret;
}

/** {@link Acted}, and when to look again. */
export interface Worked extends Acted {
  readonly afterMs?: number | undefined;
}

/** Has values made, opens everything and writes the Secret; or has the Job run that new values wait for, or looks at it. */
export async function workThrough(work: Work, given: Situation, deps: ValuesDeps): Promise<Worked> {
  const { bundle, seen, key, signal } = work;
  const { status, due } = given;
  const wantsJob = needsJob(bundle, status, status?.generated) || (bundle.spec.rotation !== undefined && due === true);
  if (wantsJob && deps.rotations === undefined) {
    const what = `bundle ${placeOf(bundle)}: spec.rotation: this operator runs no jobs, and new values wait for one`;
    return refused(work, given, "sync", new ZoppError("RotationDisabled", what));
  }
  if (isBegun(bundle, status)) {
    const worked = await applyValues(work, given, status?.generated, deps);
    // what the keyring takes no more was never accepted, and no Job has it: another value is made
    const { outcome } = worked;
    if (outcome.kind !== "refused" || outcome.stage !== "verify" || outcome.error.code !== "ApiConflict") return worked;
  }
  const values = await makeValues({ key, bundle, seen }, deps, signal);
  return values instanceof ZoppError ? refused(work, given, "verify", values) : applyValues(work, given, values, deps);
}

async function applyValues(
  work: Work,
  given: Situation,
  generated: GeneratedValues | undefined,
  deps: ValuesDeps,
): Promise<Worked> {
  const { rotations } = deps;
  const act = { ...work, generated };
  if (rotations === undefined || !needsJob(work.bundle, given.status, generated)) return openAndWrite(act, deps);
  try {
    return await throughJob(act, given, { ...deps, rotations });
  } catch (thrown) {
    return refused(work, given, "sync", asZoppError(thrown, `running the Job of ${placeOf(work.bundle)}`));
  }
}

type JobDeps = ValuesDeps & { readonly rotations: RotationDeps };

async function throughJob(act: Act, given: Situation, deps: JobDeps): Promise<Worked> {
  const { bundle, generated, signal } = act;
  const { client, did } = deps.rotations;
  const place = jobPlace(bundle, generated);
  const job = await found<JobObject>(client.get(JOBS, place, { signal }));
  const state = stateOf(job, bundle);
  const serves = isServing(bundle, given.status, given.target);
  if (state === "succeeded") {
    const acted = await openAndWrite(act, deps);
    if (acted.outcome.kind === "synced") did("succeeded");
    return acted;
  }
  if (state === "absent" || state === "suspended") {
    const acted = await openAnd(act, deps, async ({ plaintext, policy }) => {
      const created = await begin(act, job, plaintext, deps.rotations);
      const error = waitsFor(bundle, place.name, "running", created.creationTimestamp);
      return { kind: "rotating", error, policy, serves };
    });
    return { ...acted, afterMs: acted.outcome.kind === "rotating" ? LOOK_MS.running : undefined };
  }
  const error = waitsFor(bundle, place.name, state, job?.metadata.creationTimestamp);
  const failed = error.code === "RotationFailed";
  if (failed && !wasSaid(given.status, error)) did("failed");
  const policy = given.policy ?? given.status?.policy ?? [];
  const afterMs = failed ? LOOK_MS.failed : LOOK_MS.running;
  return { outcome: { kind: "rotating", error, policy, serves }, warnings: [], afterMs };
}

/** Makes what is missing of the Job, its Secret, and its leave to start. Throws ApiConflict where an earlier one's is in the way. */
async function begin(
  { bundle, generated, signal }: Act,
  job: JobObject | undefined,
  plaintext: ReadonlyMap<string, Uint8Array>,
  { client, did }: RotationDeps,
): Promise<ObjectMeta> {
  const options = { metadataOnly: true, signal };
  let metadata = job?.metadata;
  if (metadata === undefined) {
    metadata = (await client.create<KubeObject>(JOBS, jobObject(bundle, generated), options)).metadata;
    did("created");
  }
  try {
    await client.create(SECRETS, jobSecret(bundle, generated, metadata, plaintext), options);
  } catch (error) {
    if (!isThereAlready(error)) throw error;
    const there = await client.get<KubeObject>(SECRETS, jobPlace(bundle, generated), options);
    if (there.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) !== true) throw error;
  }
  const { namespace, name, uid } = metadata;
  const start = { metadata: { namespace, name, uid }, spec: { suspend: false } } as KubeObject;
  await client.apply(JOBS, start, { ...options, fieldManager: FIELD_MANAGER });
  return metadata;
}

async function found<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

function wasSaid(status: SecretStatus | undefined, error: ZoppError): boolean {
  const said = status?.conditions?.find(({ type }) => type === ROTATION_PENDING);
  return said?.reason === error.code && said.message.startsWith(error.message);
}

function refused({ digest }: Work, { policy = [] }: Situation, stage: Refused["stage"], error: ZoppError): Worked {
  return { outcome: { kind: "refused", stage, error, policy, digest }, warnings: [] };
}
