// Whether the states that were applied are kept, as far as they must be.
import { BUNDLE_UID_LABEL, revisionName } from "../../crds/bundle/revision.js";
import { holderOf } from "../../operator/kube/lease.plan.js";
import { digestsOf } from "./judge.log.js";
import type { Read } from "./judge.read.js";
import { appliedOf, type Found, firstStored } from "./judge.secrets.js";
import { HISTORY, LEASE } from "./world.js";
import type { Subject } from "./writer.js";

/**
 * Whoever leads keeps states after their Secret was written, from memory, and those of a bundle in the order in which they were applied
 * (hack/decisions/0015). So one is lost in three ways only, and only between the moment when it was stored and the one when
 * a later state of its bundle was kept.
 */
const LOSSES = {
  /** The Lease left that operator, whatever ended it; also before it was applied: what an old leader wrote may land after that. */
  operator: "went with the operator",
  /** It was deleted, with all that is kept of it. */
  bundle: "with the bundle",
  /** The answer to the Secret's write was lost, and the bundle changed before it was written again: no status ever named it. */
  untold: "for want of an answer",
} as const;

type Loss = keyof typeof LOSSES;

/**
 * Of so many applied states one may be lost, and of each bundle one more. What goes with a leader is as a rule what one request takes; at
 * worst it is what was applied while its creations failed and its Secrets were written, so not for longer than such a fault lasts: ten
 * seconds (kinds.network.ts). About one fault in twelve ends a leader, and one begins every three seconds (plan.ts): each would have
 * to be held up for a third of that time to make it one in ten. A run of few faults can be just that; hence one of each bundle.
 */
const ONE_IN = 10;

/**
 * What went although there was room for it, what is applied and not kept, and what never was. `until`: the revision after which
 * all were told to end; who gives up the Lease then has had the time to keep what there was.
 */
export function revisionsKept(subjects: readonly Subject[], read: Read, until: number): Found {
  const { wrong, since, alive } = dropped(read);
  const uids = uidsOf(read);
  const stored = firstStored(subjects, read);
  const between = { read, handovers: handoversOf(read, until) };
  const losses: Loss[] = [];
  let [all, kept] = [0, 0];
  for (const subject of subjects) {
    const { key, place } = subject;
    const digests = digestsOf(subject);
    const newest = subject.states.length - 1;
    let next = Number.POSITIVE_INFINITY;
    for (const state of newestFirst(subject, read)) {
      all += 1;
      const digest = digests[state] ?? "";
      const names = (uids.get(key) ?? []).map(
        (uid) => `${place.namespace}/${revisionName({ name: place.name, uid }, digest)}`,
      );
      const first = stored.get(key)?.get(state) ?? 0;
      // of a bundle that was made again the last state is kept again
      const from = state === newest ? Math.max(first, lastDeletion(key, read)) : first;
      if (names.some((name) => (state === newest ? alive : since).has(name))) kept += 1;
      else {
        const loss = lossOf({ key, digest, from, next }, between);
        if (loss === undefined) wrong.push(`${key}: state-${state} was applied, and is not kept`);
        else losses.push(loss);
      }
      next = Math.min(next, ...names.flatMap((name) => since.get(name) ?? []));
    }
  }
  const most = subjects.length + Math.floor(all / ONE_IN);
  if (losses.length > most) wrong.push(`${losses.length} applied states were lost, and ${most} at most may be`);
  const lost = (Object.keys(LOSSES) as Loss[]).map(
    (loss) => `${losses.filter((each) => each === loss).length} ${LOSSES[loss]}`,
  );
  return { wrong, said: `${kept} of ${all} applied states were kept, ${lost.join(", ")}` };
}

/** The states of a bundle that its Secret held, each once. */
function newestFirst(subject: Subject, read: Read): readonly number[] {
  const applied = new Set(appliedOf([subject], read).applied.map(({ state }) => state));
  return [...applied].toSorted((one, other) => other - one);
}

/** An applied state that is not kept, and the revisions between which it was lost. */
interface Missing {
  readonly key: string;
  readonly digest: string;
  readonly from: number;
  readonly next: number;
}

interface Between {
  readonly read: Read;
  readonly handovers: readonly number[];
}

/** How it was lost; undefined: it must have been kept. */
function lossOf({ key, digest, from, next }: Missing, { read, handovers }: Between): Loss | undefined {
  const isBetween = (revision: number): boolean => revision > from && revision < next;
  if (handovers.some(isBetween)) return "operator";
  const meanwhile = read.zoppsecrets.filter((version) => version.key === key && isBetween(version.revision));
  if (meanwhile.some(({ object }) => object === undefined)) return "bundle";
  return meanwhile.some(({ object }) => object?.status?.digest === digest) ? undefined : "untold";
}

/** When the Lease left somebody who had held it. */
function handoversOf({ leases }: Read, until: number): readonly number[] {
  const found: number[] = [];
  let holder = "";
  for (const { key, revision, object } of leases) {
    if (key !== LEASE || revision > until) continue;
    if (holder !== "" && holder !== holderOf(object)) found.push(revision);
    holder = holderOf(object);
  }
  return found;
}

/** When a bundle was deleted for the last time; 0 = never. */
function lastDeletion(key: string, { zoppsecrets }: Read): number {
  return zoppsecrets.findLast((version) => version.key === key && version.object === undefined)?.revision ?? 0;
}

/** Follows what was kept and dropped: since when each was there, and what is there now. */
function dropped({ controllerrevisions, zoppsecrets }: Read) {
  const wrong: string[] = [];
  const since = new Map<string, number>();
  const alive = new Map<string, string>();
  const gone = endsOf(zoppsecrets);
  for (const { key, revision, object } of controllerrevisions) {
    const uid = object?.metadata.labels?.[BUNDLE_UID_LABEL];
    if (uid !== undefined) {
      if (!since.has(key)) since.set(key, revision);
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
  return { wrong, since, alive };
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
