// Which change makes which bundle be looked at again, and in which lane. Thinks nothing about the bundle itself.
// People's changes are urgent; first lists, policy and resyncs wait behind them.
import { targetPlace } from "../../crds/bundle/target.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { readyOf } from "../kube/conditions.js";
import type { Lane, Queue } from "../kube/queue.js";
import { keyOf } from "../kube/resources.js";
import { type Freshest, isNewer } from "./freshest.js";
import { isIssuer, issuerKeys } from "./issuer.plan.js";
import type { PolicyChange } from "./policy.book.js";
import { isComplete } from "./rotation.plan.js";
import type { BundleMemory } from "./secret.memory.js";
import { RECONCILE_ANNOTATION } from "./target.js";
import type { SeenSecret } from "./target.seen.js";

/** What the rules act on. */
export interface WatchDeps {
  readonly bundles: Freshest<ZoppSecret>;
  readonly targets: Freshest<SeenSecret>;
  readonly all: () => Iterable<ZoppSecret>;
  readonly queue: Pick<Queue, "add" | "failuresOf" | "laneOf">;
  readonly memory: BundleMemory;
  /** Told of a spec that another one has taken the place of. */
  replaced(old: ZoppSecret): void;
}

/** How long an answer to a write may stay unconfirmed by the watch before the bundle is looked at again. */
const UNCONFIRMED_MS = 60_000;

/** Follows bundles and Secrets, and enqueues. Lives as long as the informers. */
export class BundleWatch {
  readonly #deps: WatchDeps;
  /** Bundles by the Secret they name, so that whatever happens to a Secret reaches all of them. */
  readonly #byTarget = new Map<string, Set<string>>();
  #leads = false;
  /** Whether a bundle (its key) is worked on here; the others are followed, and left to whoever has them. */
  #isOurs: (key: string) => boolean = () => true;

  constructor(deps: WatchDeps) {
    this.#deps = deps;
    deps.bundles.onChange(({ old, now, initial, own }) => {
      this.#bundleChanged(old, now, initial, own);
      if (!initial) this.#issuerChanged(old, now);
    });
    deps.targets.onChange(({ old, now, initial, own }) => {
      if (!initial && !own) this.#targetChanged(now ?? old);
    });
  }

  /**
   * The work begins. Until now it can have been another operator's: nothing was urgent, and what it has not done of
   * people's changes goes first.
   */
  lead(isOurs = this.#isOurs): void {
    this.#leads = true;
    this.#isOurs = isOurs;
    for (const bundle of this.#deps.all()) {
      const key = keyOf(bundle);
      if (!isOurs(key)) {
        this.#deps.memory.forget(key);
        continue;
      }
      this.#deps.memory.changed(key);
      // they can have been put back while nobody led
      const isLost = readyOf(bundle.status)?.reason === "GeneratedLost";
      if (isLost && isComplete(bundle, bundle.status?.generated)) this.#deps.memory.demand(key);
      this.#add(key, isBehind(bundle) ? "urgent" : "background");
    }
  }

  /** Other policy is accepted for these environments, or the keyring answers again: bundles that are not ready may be now. */
  policyChanged({ accepted, recovered }: PolicyChange): void {
    this.#enqueueUnready(({ spec }) => recovered || accepted.has(spec?.environment));
  }

  /** An environment (its path) came or changed in the API, where its keys are read: bundles that lacked one have it now. */
  environmentChanged(path: string): void {
    this.#enqueueUnready(({ spec }) => spec?.environment === path);
  }

  #enqueueUnready(concerned: (bundle: ZoppSecret) => boolean): void {
    for (const bundle of this.#deps.all()) {
      const key = keyOf(bundle);
      if (!this.#isOurs(key) || !concerned(bundle)) continue;
      const { bundles, queue } = this.#deps;
      const isReady = readyOf(bundles.get(key)?.status)?.status === "True";
      // a short failure is told nobody, and what is being worked on may be refused yet for what was there before
      const isOpen = queue.failuresOf(key) > 0 || queue.laneOf(key) !== undefined;
      if (!isReady || isOpen) this.#add(key, "background");
    }
  }

  /** Looks again at bundles whose target's write the watch never showed, and at those that a jump of the clock left unsaid. */
  sweep(now: Date): void {
    for (const key of this.#deps.memory.takeOverdue(now)) this.#deps.queue.add(key, "background");
    this.#deps.bundles.dropStale(UNCONFIRMED_MS);
    for (const target of this.#deps.targets.dropStale(UNCONFIRMED_MS)) this.#enqueueTarget(target, "background");
  }

  #bundleChanged(old: ZoppSecret | undefined, now: ZoppSecret | undefined, initial: boolean, own: boolean): void {
    const { memory } = this.#deps;
    const key = keyOf((now ?? old) as ZoppSecret);
    const before = old === undefined ? undefined : targetPlace(old);
    const after = now === undefined ? undefined : targetPlace(now);
    if (before !== after) this.#index(key, before, after);
    if (!this.#isOurs(key)) return;
    if (before !== undefined && before !== after) this.#enqueueTarget(before, "background");
    // whose work it is lets memory go when all is told
    if (now === undefined) return this.#leads ? this.#add(key, "background") : memory.forget(key);
    if (!initial) this.#noticeDemand(key, old, now);
    // while another one leads it is that one's own work
    const hasOtherValues = !own && valuesChanged(old, now);
    if (this.#leads && hasOtherValues) memory.demand(key);
    if (this.#leads && old !== undefined && isEdited(old, now)) this.#deps.replaced(old);
    const isOld = !own && goesBack(old?.status, now.status);
    if (old !== undefined && !needsThought(old, now) && !hasOtherValues && !isOld) return;
    if (this.#leads) memory.changed(key);
    this.#add(key, old === undefined ? "background" : "urgent");
  }

  /** Another CA, another value of it in use, or another word of whom it signs for: whoever names it is looked at again. */
  #issuerChanged(old: ZoppSecret | undefined, now: ZoppSecret | undefined): void {
    const ca = now ?? old;
    if (ca === undefined || ![old, now].some((each) => each !== undefined && isIssuer(each))) return;
    const isSame =
      old?.metadata.generation === now?.metadata.generation && old?.status?.applied === now?.status?.applied;
    if (isSame && old?.status?.digest === now?.status?.digest) return;
    if (!this.#isOurs(keyOf(ca))) return;
    for (const bundle of this.#deps.all()) {
      if (bundle.metadata.namespace !== ca.metadata.namespace) continue;
      if (issuerKeys(bundle).has(keyOf(ca))) this.#add(keyOf(bundle), "background");
    }
  }

  #noticeDemand(key: string, old: ZoppSecret | undefined, now: ZoppSecret): void {
    const asked = now.metadata.annotations?.[RECONCILE_ANNOTATION];
    if (old !== undefined && asked !== undefined && asked !== old.metadata.annotations?.[RECONCILE_ANNOTATION]) {
      this.#deps.memory.demand(key);
    }
  }

  #targetChanged(secret: SeenSecret | undefined): void {
    if (secret !== undefined) this.#enqueueTarget(keyOf(secret), "urgent");
  }

  #enqueueTarget(target: string, lane: Lane): void {
    // a bundle and its Secret are in one namespace
    if (!this.#isOurs(target)) return;
    for (const key of this.#byTarget.get(target) ?? []) this.#add(key, lane);
  }

  /** While another one leads nothing waits here: nobody would take it, and all that is there then is added in the end. */
  #add(key: string, lane: Lane): void {
    if (this.#leads) this.#deps.queue.add(key, lane);
  }

  #index(key: string, before: string | undefined, after: string | undefined): void {
    if (before !== undefined) {
      const keys = this.#byTarget.get(before);
      keys?.delete(key);
      if (keys?.size === 0) this.#byTarget.delete(before);
    }
    if (after === undefined) return;
    const keys = this.#byTarget.get(after) ?? new Set();
    keys.add(key);
    this.#byTarget.set(after, keys);
  }
}

/** Somebody changed it since its status was written. */
function isBehind({ metadata, status }: ZoppSecret): boolean {
  return status?.observedGeneration !== undefined && status.observedGeneration !== metadata.generation;
}

/** Another spec of the same object. */
function isEdited({ metadata }: ZoppSecret, now: ZoppSecret): boolean {
  return metadata.uid === now.metadata.uid && metadata.generation !== now.metadata.generation;
}

/** Spec, deletion or a demand; what the operator itself writes (status) is no reason to think again. */
function needsThought(old: ZoppSecret, now: ZoppSecret): boolean {
  return (
    old.metadata.generation !== now.metadata.generation ||
    old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp ||
    old.metadata.annotations?.[RECONCILE_ANNOTATION] !== now.metadata.annotations?.[RECONCILE_ANNOTATION]
  );
}

/** Somebody's status is older than the one before: a late write, of an operator that led before us or of a connection that broke. */
function goesBack(old: SecretStatus | undefined, now: SecretStatus | undefined): boolean {
  if ((old?.observedGeneration ?? 0) > (now?.observedGeneration ?? 0)) return true;
  if (readyOf(old)?.status === "True" && readyOf(now)?.status !== "True") return true;
  const [before, after] = [old?.target, now?.target];
  if (before === undefined) return false;
  if (after === undefined || after.uid !== before.uid) return true;
  return isNewer(before, after);
}

/** Generated values of the same bundle were taken away, changed or put back: by somebody else, where it is not ours. */
function valuesChanged(old: ZoppSecret | undefined, now: ZoppSecret | undefined): boolean {
  if (old === undefined || now === undefined) return false;
  return JSON.stringify(old.status?.generated) !== JSON.stringify(now.status?.generated);
}
