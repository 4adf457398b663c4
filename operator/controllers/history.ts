// Keeps what was applied: each new state of a bundle becomes a ControllerRevision beside it, the oldest go.
// Nothing waits for it: a Secret is written before its state is kept, and first syncs go before all of it.
import { setTimeout as sleep } from "node:timers/promises";
import {
  type AppliedState,
  BUNDLE_UID_LABEL,
  isRevisionOf,
  type Kept,
  revisionName,
  revisionObject,
} from "../../crds/bundle/revision.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { ApiClient } from "../kube/client.js";
import type { ReconcileAnswer } from "../kube/controller.js";
import { isThereAlready, orAbsent } from "../kube/errors.js";
import type { Lane } from "../kube/queue.js";
import { CONTROLLER_REVISIONS, type KubeObject, keyOf } from "../kube/resources.js";

/** What keeping states needs. */
export interface HistoryDeps {
  readonly client: Pick<ApiClient, "create" | "list" | "delete">;
  readonly queue: { add(key: string, lane: Lane): void };
  /** How many states of a bundle are kept; not 0. */
  readonly limit: number;
  /** True while bundles wait to become Secrets, which goes before. */
  busy(): boolean;
  /** A bundle as the watch gives it now. */
  bundleOf(key: string): ZoppSecret | undefined;
  /** The digest of a bundle as it lies there; undefined when it cannot be read. */
  digestOf(bundle: ZoppSecret): string | undefined;
  now(): Date;
  /** Told of each request that changed the history, and of each that failed. */
  did(what: "kept" | "dropped" | "failed"): void;
}

/** How often to look whether bundles still wait. */
const BUSY_MS = 250;
/** How often to look whether all is kept, once the process is to end. */
const HURRY_MS = 10;

interface Waiting extends Omit<AppliedState, "spec"> {
  readonly bundle: Kept;
  /** Nothing was applied before it, so there is nothing that could be too old. */
  readonly isFirst: boolean;
  /** What was applied, once the watch shows another one; until then the watch's own is it, and thousands may wait. */
  spec: AppliedState["spec"] | undefined;
}

type Added = Pick<Waiting, "digest" | "isFirst" | "spec"> & { readonly at: string | undefined };

/** States that wait to be kept, and the names of those that are, as far as this process had to know. */
export class History {
  readonly #deps: HistoryDeps;
  readonly #waiting = new Map<string, Waiting[]>();
  /** Names by bundle, oldest first; one of another uid is an earlier bundle's of that name. */
  readonly #kept = new Map<string, { readonly uid: string; readonly names: string[] }>();
  /** Bundles whose turn has come while others waited to become Secrets. */
  readonly #held = new Set<string>();
  #looking: NodeJS.Timeout | undefined;
  #hurries = false;

  constructor(deps: HistoryDeps) {
    this.#deps = deps;
  }

  /** A state was applied that was not the one before. */
  applied(seen: ZoppSecret, digest: string, isFirst: boolean): void {
    const shown = this.#deps.bundleOf(keyOf(seen));
    const spec = isSameSpec(seen.metadata, shown) ? undefined : seen.spec;
    this.#add(seen, { digest, isFirst, at: this.#deps.now().toISOString(), spec });
  }

  /**
   * The watch shows another spec in the place of this one. If that ran and this process did not keep it (it was applied
   * before there was a history, or by a process that died), this is the last moment to.
   */
  replaced(old: ZoppSecret): void {
    const key = keyOf(old);
    const { digest, history = [] } = old.status ?? {};
    for (const each of this.#waiting.get(key) ?? [])
      if (isSameSpec({ uid: each.bundle.uid, generation: each.revision }, old)) each.spec ??= old.spec;
    if (digest === undefined || this.#waiting.has(key) || this.#kept.get(key)?.uid === old.metadata.uid) return;
    if (this.#deps.digestOf(old) !== digest) return;
    const { time } = history.find((each) => each.digest === digest && each.result === "Synced") ?? {};
    this.#add(old, { digest, isFirst: false, at: time, spec: old.spec });
  }

  #add({ metadata }: ZoppSecret, { at, ...state }: Added): void {
    const { name, namespace, uid, generation: revision = 0 } = metadata;
    if (uid === undefined) return;
    const key = `${namespace}/${name}`;
    const applied = at === undefined ? undefined : `${at.slice(0, 19)}Z`;
    const waiting = [
      ...(this.#waiting.get(key) ?? []),
      { bundle: { name, namespace, uid }, revision, applied, ...state },
    ];
    // more than are kept would only be dropped again
    this.#waiting.set(key, waiting.slice(-this.#deps.limit));
    this.#deps.queue.add(key, "background");
  }

  /** The bundle is gone, and what was kept of it goes with it. */
  forget(key: string): void {
    this.#waiting.delete(key);
    this.#kept.delete(key);
  }

  /** Keeps what waits of one bundle. Throws what should be tried again. */
  async reconcile(key: string, signal?: AbortSignal): Promise<ReconcileAnswer> {
    if (this.#mayWait(key) && this.#deps.busy() && !this.#hurries) return this.#hold(key);
    for (let next = this.#first(key); next !== undefined; next = this.#first(key)) {
      try {
        await this.#keep(key, next, signal);
      } catch (thrown) {
        this.#deps.did("failed");
        const error = asZoppError(thrown, `keeping a state of ${key}`);
        // no change of the bundle would heal it: it is tried again, later and later
        throw error.terminal ? new ZoppError("ApiRefused", error.message, { cause: error.cause }) : error;
      }
      const left = (this.#waiting.get(key) ?? []).filter((each) => each !== next);
      if (left.length === 0) this.#waiting.delete(key);
      else this.#waiting.set(key, left);
    }
    return {};
  }

  /** Waits, for at most so long, until what waits is kept, which is held up by nothing any more; the work goes on meanwhile. */
  async hurry(forMs: number): Promise<void> {
    this.#hurries = true;
    this.#release();
    const until = performance.now() + forMs;
    while (this.#waiting.size > 0 && performance.now() < until) await sleep(HURRY_MS);
  }

  /** Keeps what still waits, for at most so long: the process is about to end, and nobody else works any more. */
  async drain(forMs: number): Promise<void> {
    const until = performance.now() + forMs;
    const signal = AbortSignal.timeout(forMs);
    for (const key of [...this.#waiting.keys()]) {
      if (performance.now() >= until) return;
      await this.reconcile(key, signal).catch(() => undefined); // said by its metric
    }
  }

  /** What the watch still shows can wait; a spec that another one has taken the place of is here alone, in memory. */
  #mayWait(key: string): boolean {
    return this.#waiting.get(key)?.every(({ spec }) => spec === undefined) ?? false;
  }

  /** In a first sync thousands of them are held: one timer looks for all. */
  #hold(key: string): ReconcileAnswer {
    this.#held.add(key);
    this.#looking ??= setInterval(() => {
      if (this.#deps.busy()) return;
      this.#release();
    }, BUSY_MS).unref();
    return {};
  }

  #release(): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
    for (const held of this.#held) this.#deps.queue.add(held, "background");
    this.#held.clear();
  }

  #first(key: string): Waiting | undefined {
    return this.#waiting.get(key)?.[0];
  }

  async #keep(key: string, state: Waiting, signal: AbortSignal | undefined): Promise<void> {
    const { bundle, isFirst } = state;
    const shown = this.#deps.bundleOf(key);
    const spec = state.spec ?? (isSameSpec({ uid: bundle.uid, generation: state.revision }, shown) && shown?.spec);
    if (!spec) return; // it went, with all that was kept of it
    const names = await this.#namesOf(key, bundle, isFirst, signal);
    const name = revisionName(bundle, state.digest);
    if (!names.includes(name)) {
      try {
        await this.#deps.client.create(CONTROLLER_REVISIONS, revisionObject(bundle, { ...state, spec }), {
          metadataOnly: true,
          signal,
        });
        this.#deps.did("kept");
      } catch (error) {
        if (!isThereAlready(error)) throw error; // else it is kept already
      }
    }
    renew(names, name);
    for (let oldest = names[0]; oldest !== undefined && names.length > this.#deps.limit; oldest = names[0]) {
      await this.#drop(bundle.namespace, oldest, signal);
      names.shift();
    }
  }

  /** Lists once per bundle and process, and never for a bundle that is new. */
  async #namesOf(key: string, bundle: Kept, isFirst: boolean, signal: AbortSignal | undefined): Promise<string[]> {
    const known = this.#kept.get(key);
    if (known?.uid === bundle.uid) return known.names;
    const names = isFirst ? [] : await this.#list(key, bundle, signal);
    this.#kept.set(key, { uid: bundle.uid, names });
    return names;
  }

  async #list(key: string, bundle: Kept, signal: AbortSignal | undefined): Promise<string[]> {
    const labelSelector = `${BUNDLE_UID_LABEL}=${bundle.uid}`;
    const { namespace } = bundle;
    const options = { namespace, labelSelector, metadataOnly: true, signal };
    const { items } = await this.#deps.client.list<KubeObject>(CONTROLLER_REVISIONS, options);
    // what others labelled as ours is not ours to drop
    const ours = items.filter((item) => isRevisionOf(bundle, item));
    const names = ours.sort(byAge).map(({ metadata }) => metadata.name);
    // the status tells what was applied last, newest first: one of these may have been made long before
    for (const { digest, result } of this.#deps.bundleOf(key)?.status?.history?.toReversed() ?? []) {
      const name = revisionName(bundle, digest);
      if (result === "Synced" && names.includes(name)) renew(names, name);
    }
    return names;
  }

  async #drop(namespace: string, name: string, signal: AbortSignal | undefined): Promise<void> {
    const dropped = this.#deps.client.delete(CONTROLLER_REVISIONS, { namespace, name }, { signal });
    await orAbsent(dropped.then(() => this.#deps.did("dropped")));
  }
}

function isSameSpec(one: Pick<ZoppSecret["metadata"], "uid" | "generation">, other: ZoppSecret | undefined): boolean {
  return one.uid === other?.metadata.uid && (one.generation ?? 0) === (other?.metadata.generation ?? 0);
}

/** Puts a name at the end, where the newest stands: a state that is applied again is not an old one. */
function renew(names: string[], name: string): void {
  const at = names.indexOf(name);
  if (at >= 0) names.splice(at, 1);
  names.push(name);
}

/** A ControllerRevision's data never changes, so the order of their versions is that in which they were made. */
function byAge(one: KubeObject, other: KubeObject): number {
  return Number(one.metadata.resourceVersion) - Number(other.metadata.resourceVersion);
}
