// Whether the states that were applied are kept, as far as they must be.
import { BUNDLE_UID_LABEL, revisionName } from "../../crds/bundle/revision.js";
import { digestsOf } from "./judge.log.js";
import type { Read } from "./judge.read.js";
import { type Applied, appliedOf, type Found } from "./judge.secrets.js";
import { HISTORY } from "./world.js";
import type { Subject } from "./writer.js";

/**
 * States are kept after their Secret was written (hack/decisions/0015), so one that is replaced at once can go with the
 * process that had applied it: only then may it be missing, or when the bundle itself was deleted, with all that is kept of it.
 */
const AROUND_AN_END_MS = 20_000;

/** What went although there was room for it, what is applied and not kept, and what never was. */
export function revisionsKept(subjects: readonly Subject[], read: Read, ends: readonly number[]): Found {
  const { wrong, ever, alive } = dropped(read);
  const uids = uidsOf(read);
  const deletions = deletionsOf(read);
  let [kept, excused] = [0, 0];
  for (const subject of subjects) {
    const digests = digestsOf(subject);
    const names = (state: number): readonly string[] =>
      (uids.get(subject.key) ?? []).map(
        (uid) => `${subject.place.namespace}/${revisionName({ name: subject.place.name, uid }, digests[state] ?? "")}`,
      );
    const applied = appliedOf([subject], read).applied;
    for (const [at, { state }] of applied.entries()) {
      if (names(state).some((name) => ever.has(name))) kept += 1;
      else if (isExcused(applied[at], applied[at + 1], ends) || isGone(applied[at], deletions)) excused += 1;
      else wrong.push(`${subject.key}: state-${state} was applied, and never kept`);
    }
    const newest = subject.states.length - 1;
    if (!names(newest).some((name) => alive.has(name))) wrong.push(`${subject.key}: state-${newest} is not kept`);
  }
  return {
    wrong,
    said: `${kept} of ${kept + excused} applied states were kept, ${excused} went with their process or bundle`,
  };
}

/** Follows what was kept and dropped. */
function dropped({ controllerrevisions, zoppsecrets }: Read) {
  const wrong: string[] = [];
  const ever = new Set<string>();
  const alive = new Map<string, string>();
  const gone = endsOf(zoppsecrets);
  for (const { key, revision, object } of controllerrevisions) {
    const uid = object?.metadata.labels?.[BUNDLE_UID_LABEL];
    if (uid !== undefined) {
      ever.add(key);
      alive.set(key, uid);
      continue;
    }
    const of = alive.get(key);
    if (of === undefined || object !== undefined) continue;
    const count = [...alive.values()].filter((each) => each === of).length;
    const isBundleGone = (gone.get(of) ?? Number.POSITIVE_INFINITY) < revision;
    if (count <= HISTORY && !isBundleGone) wrong.push(`${key} was dropped, and only ${count} were kept`);
    alive.delete(key);
  }
  return { wrong, ever, alive };
}

/** By uid, when a bundle was deleted. */
function endsOf(zoppsecrets: Read["zoppsecrets"]): ReadonlyMap<string, number> {
  const [uids, ended] = [new Map<string, string>(), new Map<string, number>()];
  for (const { key, revision, object } of zoppsecrets) {
    const uid = uids.get(key);
    if (object?.metadata.uid !== undefined) uids.set(key, object.metadata.uid);
    else if (uid !== undefined) ended.set(uid, revision);
  }
  return ended;
}

function uidsOf({ zoppsecrets }: Read): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>();
  for (const { key, object } of zoppsecrets) {
    const uid = object?.metadata.uid;
    if (uid !== undefined) found.set(key, (found.get(key) ?? new Set()).add(uid));
  }
  return new Map([...found].map(([key, uids]) => [key, [...uids]]));
}

/** True when a process ended about the time between this state and the next one. */
function isExcused(one: Applied | undefined, next: Applied | undefined, ends: readonly number[]): boolean {
  const from = writtenAt(one) - 2_000;
  const until = next === undefined ? Number.POSITIVE_INFINITY : writtenAt(next) + AROUND_AN_END_MS;
  return ends.some((end) => end >= from && end <= until);
}

/** When bundles were deleted. */
function deletionsOf({ zoppsecrets }: Read): Read["zoppsecrets"] {
  return zoppsecrets.filter(({ object }) => object === undefined);
}

/** True when the bundle was deleted after this was applied. */
function isGone(one: Applied | undefined, deletions: Read["zoppsecrets"]): boolean {
  const revision = one?.version.revision ?? 0;
  return deletions.some((deletion) => deletion.key === one?.subject.key && deletion.revision > revision);
}

/** The API server tells seconds. */
function writtenAt(applied: Applied | undefined): number {
  const managed = (applied?.version.object?.metadata.managedFields ?? []) as { manager?: string; time?: string }[];
  return Date.parse(managed.find(({ manager }) => manager === "zopp-operator")?.time ?? "");
}
