// The Job that brings new generated values to where they are checked: when one is needed, what became of it, and what it and its
// Secret look like. Pure: asking and writing are rotation.ts'.
import { createHash } from "node:crypto";
import { placeOf } from "../../crds/bundle/case.js";
import { jobKeys, targetName } from "../../crds/bundle/target.js";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import { canonicalFields } from "../../crds/crypto/jcs.js";
import { type ErrorCode, ZoppError } from "../../crds/errors.js";
import { spanMs } from "../../crds/span.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { DEFAULT_DEADLINE } from "../../crds/validate.rotation.js";
import type { GeneratedValues } from "../keyring/client.types.js";
import { apiStatus } from "../kube/errors.js";
import { apiVersionOf, JOBS, type KubeObject, type ObjectMeta } from "../kube/resources.js";
import { isOfRule, valuesDigest } from "./generate.plan.js";
import { type AppliedSecret, ownerReference } from "./target.js";

/** On Jobs, their pods and their Secrets, so that policy for networks and the like can name them. */
export const ROTATION_LABEL = "zopp.dev/rotation";
/** How soon a Job that runs is looked at again, and one that somebody has to do something about. */
const LOOK_MS = { running: 2_000, failed: 30_000 } as const;

const LABELS = { [ROTATION_LABEL]: "job" };
const MAX_NAME = 63;
/** Nobody, as in the images of zopp. */
const USER = 65_532;
const SECRET_VOLUME = "values";
const TMP_VOLUME = "tmp";

type Values = GeneratedValues | undefined;

/** A Job as it is looked at. */
export interface JobObject extends KubeObject {
  readonly spec?: { readonly suspend?: boolean | undefined } | undefined;
  readonly status?:
    | { readonly conditions?: readonly { readonly type: string; readonly status: string }[] | undefined }
    | undefined;
}

/**
 * What became of a Job. `suspended`: it was made, and its pods are not to start before its Secret is there; `unequipped`: and never
 * will, since somebody has put another Secret there.
 */
export type JobState = "absent" | "foreign" | "suspended" | "unequipped" | "running" | "failed" | "succeeded";

/** The state of what stands under the Job's name. Only a Job whose controller is the bundle is believed. */
export function stateOf(job: JobObject | undefined, { metadata }: ZoppSecret): JobState {
  if (job === undefined) return "absent";
  const { ownerReferences = [], deletionTimestamp } = job.metadata;
  const owner = ownerReferences.find(({ controller }) => controller === true);
  if (owner === undefined || owner.uid !== metadata.uid) return "foreign";
  const is = (type: string) =>
    job.status?.conditions?.some((each) => each.type === type && each.status === "True") === true;
  if (is("Complete")) return "succeeded";
  if (is("Failed")) return "failed";
  return job.spec?.suspend === true && deletionTimestamp === undefined ? "suspended" : "running";
}

/** True when values that the Secret does not hold have to wait for a Job. */
export function needsJob(
  bundle: ZoppSecret,
  status: Pick<SecretStatus, "applied"> | undefined,
  values?: Values,
): boolean {
  return bundle.spec.rotation !== undefined && status?.applied !== valuesDigest(bundle, values);
}

/** True when every rule has a value. */
export function isComplete({ spec }: ZoppSecret, values: Values): boolean {
  return Object.entries(spec.generate ?? {}).every(([key, rule]) => isOfRule(values?.[key], rule));
}

/** True when a Job changes nothing any more, wherever its values are checked. */
export function isOver(state: JobState): boolean {
  return state !== "suspended" && state !== "running";
}

/** True when a rule has a value that is not its own: another one takes the place of that. */
export function isDisplacing({ spec }: ZoppSecret, values: Values): boolean {
  return Object.entries(spec.generate ?? {}).some(([key, rule]) => {
    const value = values?.[key];
    return value !== undefined && !isOfRule(value, rule);
  });
}

/** The Job's place. Other values, or another template, are another Job. */
export function jobPlace(bundle: ZoppSecret, values: Values): { readonly namespace: string; readonly name: string } {
  const { namespace = "" } = bundle.metadata;
  const text = `${valuesDigest(bundle, values)} ${canonicalFields({ ...bundle.spec.rotation })}`;
  const suffix = `-rotate-${createHash("sha256").update(text).digest("hex").slice(0, 10)}`;
  const base = targetName(bundle).slice(0, MAX_NAME - suffix.length);
  return { namespace, name: `${base.replace(/[-.]+$/, "")}${suffix}` };
}

/** The files that the container sees under /zopp, by the key of the Job's Secret. */
function filesOf(bundle: ZoppSecret, values: Values): { readonly key: string; readonly path: string }[] {
  const made = jobKeys(bundle).map((key) => ({ key: `new.${key}`, path: `new/${key}` }));
  const before = oldKeys(bundle, values).map(([key]) => ({ key: `old.${key}`, path: `old/${key}` }));
  return [...made, ...before].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Rules that had a value before, each with the key under which it opens. */
function oldKeys({ spec }: ZoppSecret, values: Values): [key: string, previous: string][] {
  return Object.entries(spec.generate ?? {}).flatMap(([key, { previous }]): [string, string][] => {
    const value = values?.[key];
    const hadOne = value?.before !== undefined && value.previous !== undefined;
    return previous !== undefined && hadOne ? [[key, previous]] : [];
  });
}

/** The Job, which waits for its Secret. Nothing of it is secret. */
export function jobObject(bundle: ZoppSecret, values: Values): KubeObject {
  const { deadline = DEFAULT_DEADLINE } = bundle.spec.rotation ?? {};
  const place = jobPlace(bundle, values);
  const secret = { secretName: place.name, defaultMode: 0o440, items: filesOf(bundle, values) };
  return {
    metadata: { ...place, labels: LABELS, ownerReferences: [ownerReference(bundle)] },
    spec: {
      suspend: true,
      backoffLimit: 3,
      activeDeadlineSeconds: (spanMs(deadline) ?? 0) / 1000,
      ttlSecondsAfterFinished: 600,
      template: {
        metadata: { labels: LABELS },
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: USER,
            runAsGroup: USER,
            fsGroup: USER,
            seccompProfile: { type: "RuntimeDefault" },
          },
          containers: [containerOf(bundle)],
          volumes: [
            { name: SECRET_VOLUME, secret },
            { name: TMP_VOLUME, emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
          ],
        },
      },
    },
  } as KubeObject;
}

function containerOf({ spec }: ZoppSecret): object {
  const { image, command } = spec.rotation ?? {};
  return {
    name: "rotate",
    image,
    ...(command === undefined ? {} : { command }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "256Mi" } },
    volumeMounts: [
      { name: SECRET_VOLUME, mountPath: "/zopp", readOnly: true },
      { name: TMP_VOLUME, mountPath: "/tmp" },
    ],
  };
}

/** What the Job mounts: the only place where its values are in the clear. Goes with the Job. */
export function jobSecret(
  bundle: ZoppSecret,
  values: Values,
  job: ObjectMeta,
  plaintext: ReadonlyMap<string, Uint8Array>,
): AppliedSecret {
  const files = [
    ...jobKeys(bundle).map((key) => [`new.${key}`, key] as const),
    ...oldKeys(bundle, values).map(([key, previous]) => [`old.${key}`, previous] as const),
  ];
  const data = files.map(([file, key]) => {
    const value = plaintext.get(key);
    // an empty one would be believed by whatever it is brought to
    if (value === undefined) throw new ZoppError("CannotOpen", `bundle ${placeOf(bundle)}: ${key} was not opened`);
    return [file, encodeBase64(value)];
  });
  const { name, uid = "" } = job;
  const owner = { apiVersion: apiVersionOf(JOBS), kind: JOBS.kind, name, uid, controller: true };
  return {
    metadata: { ...jobPlace(bundle, values), labels: LABELS, ownerReferences: [owner] },
    type: "Opaque",
    immutable: true,
    data: Object.fromEntries(data),
  };
}

/** What new values wait for, in words. `occupied`: a Secret that no Job has is in the place of its own. `since`: when the Job was made. */
export function waitsFor(
  bundle: ZoppSecret,
  name: string,
  state: JobState | "disabled" | "occupied",
  since?: string,
): ZoppError {
  const what = `bundle ${placeOf(bundle)}: `;
  if (state === "disabled")
    return new ZoppError("RotationDisabled", `${what}new values wait for a job, and this operator runs none`);
  const made = since === undefined ? "" : `, made at ${since},`;
  if (state === "foreign")
    return new ZoppError(
      "RotationFailed",
      `${what}there is a Job ${name} that is not this bundle's, and is not believed`,
    );
  if (state === "occupied")
    return new ZoppError(
      "RotationFailed",
      `${what}the Job ${name}${made} is not ${since === undefined ? "made" : "started"}: there is a Secret ${name} that is no Job's; delete it`,
    );
  if (state === "unequipped")
    return new ZoppError(
      "RotationFailed",
      `${what}the Job ${name}${made} is not started: its Secret holds other values`,
    );
  if (state === "failed")
    return new ZoppError("RotationFailed", `${what}the Job ${name}${made} has failed; new values are not published`);
  return new ZoppError("RotationPending", `${what}new values wait for the Job ${name}${made} to succeed`);
}

/** When to look again at what is waited for. A Job that is not started for good is no better than one that has failed. */
export function lookAgainMs({ code }: ZoppError): number {
  return code === "RotationPending" ? LOOK_MS.running : LOOK_MS.failed;
}

/** What the API server gets over by itself. */
const PASSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["ApiUnreachable", "Overloaded", "ApiConflict"]);

/** New values wait since the API server would not say, or do, what their Job needs; its answer is the cause. Throws other errors. */
export function hinderedBy(bundle: ZoppSecret, thrown: unknown): ZoppError {
  const failure = apiStatus(thrown);
  if (failure === null || !(thrown instanceof ZoppError)) throw thrown;
  const message = `bundle ${placeOf(bundle)}: new values wait, since their Job could not be run: ${thrown.message}`;
  return new ZoppError(PASSES.has(thrown.code) ? "RotationPending" : "RotationFailed", message, { cause: failure });
}
