// Whether Secrets hold what they must, now and at any time before.
import { isDeepStrictEqual } from "node:util";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { SECRETS, ZOPP_SECRETS } from "../../operator/kube/resources.js";
import type { Read, StoredSecret, Version } from "./judge.read.js";
import { BY_HAND } from "./kinds.objects.js";
import type { World } from "./world.js";
import { FIXED, type Subject } from "./writer.js";

const OPERATOR = "zopp-operator";

/** What a judge found. */
export interface Found {
  readonly wrong: readonly string[];
  readonly said: string;
}

/** True when every Secret holds its last state, and every bundle says so. */
export async function isRight(world: World): Promise<boolean> {
  return (await wrongNow(world)).wrong.length === 0;
}

/** What every Secret and every bundle say now. */
export async function wrongNow({ bed, writer: { subjects } }: World): Promise<Found> {
  const wrong: string[] = [];
  for (const subject of subjects) {
    const found = await bed.client.get<StoredSecret>(SECRETS, subject.place).catch(() => undefined);
    const newest = subject.states.length - 1;
    if (stateOf(found?.data) !== newest)
      wrong.push(`${subject.key} holds ${shownIn(found?.data)}, not state-${newest}`);
    const { metadata, status } = await bed.client.get<ZoppSecret & { metadata: { generation?: number } }>(
      ZOPP_SECRETS,
      subject.place,
    );
    const ready = readyOf(status);
    if (ready?.reason !== "Synced" || ready.observedGeneration !== metadata.generation)
      wrong.push(`${subject.key} is ${ready?.reason ?? "silent"}: ${ready?.message ?? ""}`);
  }
  return { wrong, said: `${subjects.length} Secrets` };
}

/** The n of `state-n`, when all of the data is that of the n-th state; else undefined. */
export function stateOf(data: StoredSecret["data"]): number | undefined {
  const { A: _, ...others } = Object.fromEntries(Object.keys(data ?? {}).map((key) => [key, textOf(data, key)]));
  const number = /^state-(\d+)$/.exec(shownIn(data))?.[1];
  return number !== undefined && isDeepStrictEqual(others, FIXED) ? Number(number) : undefined;
}

function shownIn(data: StoredSecret["data"]): string {
  return data?.["A"] === undefined ? "nothing" : textOf(data, "A");
}

function textOf(data: StoredSecret["data"], key: string): string {
  return Buffer.from(data?.[key] ?? "", "base64").toString();
}

/** A version of a Secret that the operator wrote, and the state that it holds. */
export interface Applied {
  readonly subject: Subject;
  readonly state: number;
  readonly version: Version<StoredSecret>;
}

/** Every version that the operator wrote, of bundles that we know; wrong ones are told and left out. */
export function appliedOf(subjects: readonly Subject[], { secrets }: Read): { applied: Applied[]; wrong: string[] } {
  const [applied, wrong]: [Applied[], string[]] = [[], []];
  const byKey = new Map(subjects.map((subject) => [subject.key, subject]));
  for (const version of secrets) {
    const { key, revision, object } = version;
    const subject = byKey.get(key);
    if (subject === undefined || object === undefined) continue;
    const owners = ownersOfData(object);
    const ours = owners.get(OPERATOR);
    // the value that changes is his: beside it the operator has what never changes, or nothing
    const isHis = owners.has(BY_HAND) && ours?.includes("A") !== true;
    if (isHis && (ours ?? []).every((name) => textOf(object.data, name) === (FIXED as Texts)[name])) continue;
    const state = isHis ? undefined : stateOf(object.data);
    const by = [...owners.keys()].join(", ") || "nobody";
    if (state === undefined || ours === undefined)
      wrong.push(`${key} held ${shownIn(object.data)} in revision ${revision}, by ${by}`);
    else applied.push({ subject, state, version });
  }
  return { applied, wrong };
}

type Texts = Readonly<Record<string, string>>;

interface Managed {
  readonly manager?: string;
  readonly fieldsV1?: Readonly<Record<string, object>>;
}

/** The keys of its data by who owns them. */
function ownersOfData({ metadata }: StoredSecret): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, readonly string[]>();
  for (const { manager = "", fieldsV1 } of (metadata.managedFields ?? []) as readonly Managed[]) {
    const fields = fieldsV1?.["f:data"];
    if (fields === undefined) continue;
    const keys = Object.keys(fields).flatMap((field) => (field.startsWith("f:") ? [field.slice(2)] : []));
    owners.set(manager, [...(owners.get(manager) ?? []), ...keys]);
  }
  return owners;
}

/** Secrets that had an owner although their environment asks for approvals: who deletes the bundle would delete them without one. */
export function neverOwned(subjects: readonly Pick<Subject, "key" | "asksApproval">[], { secrets }: Read): Found {
  const guarded = new Set(subjects.filter(({ asksApproval }) => asksApproval).map(({ key }) => key));
  const versions = secrets.filter(({ key, object }) => object !== undefined && guarded.has(key));
  const owned = versions.filter(({ object }) => (object?.metadata.ownerReferences ?? []).length > 0);
  return {
    wrong: owned.map(({ key, revision }) => `${key} had an owner in revision ${revision}`),
    said: `${versions.length} versions of Secrets that outlive their bundles`,
  };
}

/** What the operator wrote that it must not have: never signed or approved, not stored yet, or older than what it replaced. */
export function neverWrong(subjects: readonly Subject[], read: Read): Found {
  const { applied, wrong } = appliedOf(subjects, read);
  const stored = firstStored(subjects, read);
  const shown = new Map<string, number>();
  for (const { subject, state, version } of applied) {
    const { key } = subject;
    const since = stored.get(key)?.get(state);
    if (since === undefined || since >= version.revision)
      wrong.push(`${key} held state-${state} in revision ${version.revision}, before that was stored as signed`);
    const before = shown.get(key) ?? 0;
    if (state < before) wrong.push(`${key} went back from state-${before} to state-${state}`);
    shown.set(key, Math.max(before, state));
  }
  return { wrong, said: `${applied.length} versions of Secrets, of ${read.secrets.length} changes` };
}

/** The revision in which a state of a bundle was first stored, signed and approved as a whole. */
export function firstStored(
  subjects: readonly Subject[],
  { zoppsecrets }: Read,
): ReadonlyMap<string, ReadonlyMap<number, number>> {
  const found = new Map<string, Map<number, number>>();
  const specs = new Map(
    subjects.map(({ key, states }) => [key, states.map(({ spec }) => JSON.parse(JSON.stringify(spec)) as unknown)]),
  );
  for (const { key, revision, object } of zoppsecrets) {
    const states = found.get(key) ?? new Map<number, number>();
    found.set(key, states);
    const state =
      object === undefined ? -1 : (specs.get(key) ?? []).findIndex((spec) => isDeepStrictEqual(spec, object.spec));
    if (state >= 0 && !states.has(state)) states.set(state, revision);
  }
  return found;
}
