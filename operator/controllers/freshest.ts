// The newest version of an object that this process knows: what the watch shows, or what an answer to our own
// write showed before the watch did. Reads nothing itself; without it each write would look like somebody's change.
import type { Informer } from "../kube/informer.js";
import { type KubeObject, keyOf, type ObjectMeta } from "../kube/resources.js";

/** Told of each change; `own` is true when it only shows what this process wrote itself, or something older. */
export type OwnedChangeHandler<T> = (change: {
  readonly old: T | undefined;
  readonly now: T | undefined;
  readonly initial: boolean;
  readonly own: boolean;
}) => void;

/** What is known, from what the watch shows and a newer answer to a write of ours. */
export type Combine<T> = (seen: T | undefined, ahead: T) => T | undefined;

interface Ahead<T> {
  readonly object: T;
  readonly sinceMs: number;
}

/** A view of an informer that never falls behind our own writes. Lives as long as its informer. */
export class Freshest<T extends KubeObject> {
  readonly #informer: Pick<Informer<T>, "get" | "onChange">;
  readonly #now: () => number;
  readonly #combine: Combine<T>;
  /** Answers that the watch has not shown yet. */
  readonly #ahead = new Map<string, Ahead<T>>();

  /**
   * `now` gives milliseconds that only grow. `combine` tells what is known from what the watch shows and an answer
   * that it has not shown yet; by default the answer alone.
   */
  constructor(
    informer: Pick<Informer<T>, "get" | "onChange">,
    now: () => number,
    combine: Combine<T> = (_, ahead) => ahead,
  ) {
    this.#informer = informer;
    this.#now = now;
    this.#combine = combine;
  }

  /** The newest known object of a key. */
  get(key: string): T | undefined {
    const seen = this.#informer.get(key);
    const ahead = this.#ahead.get(key);
    return ahead === undefined ? seen : this.#combine(seen, ahead.object);
  }

  /** Remembers the answer to a write of ours, unless the watch is further already. */
  put(object: T): void {
    const key = keyOf(object);
    const seen = this.#informer.get(key);
    if (seen !== undefined && seen.metadata.uid === object.metadata.uid && !isNewer(object.metadata, seen.metadata))
      return;
    this.#ahead.set(key, { object, sinceMs: this.#now() });
  }

  /** Forgets an answer: the API server said that it no longer holds. */
  drop(key: string): void {
    this.#ahead.delete(key);
  }

  /**
   * Forgets answers that the watch has not confirmed for `afterMs` (an object made and deleted while a watch was
   * broken is never shown); gives their keys, which should be looked at again.
   */
  dropStale(afterMs: number): string[] {
    const stale = [...this.#ahead].filter(([, { sinceMs }]) => this.#now() - sinceMs >= afterMs).map(([key]) => key);
    for (const key of stale) this.#ahead.delete(key);
    return stale;
  }

  /** Adds the handler of changes; there should be one, since being told is what confirms answers. */
  onChange(handler: OwnedChangeHandler<T>): () => void {
    return this.#informer.onChange((old, now, initial) => {
      const shown = now ?? old;
      if (shown === undefined) return;
      const own = this.#confirm(shown, now === undefined);
      handler({ old, now, initial, own });
    });
  }

  #confirm(shown: T, gone: boolean): boolean {
    const key = keyOf(shown);
    const ahead = this.#ahead.get(key)?.object;
    if (ahead === undefined) return false;
    if (ahead.metadata.uid !== shown.metadata.uid) {
      // the end of an earlier object tells nothing about the one that we made after it
      if (!gone) this.#ahead.delete(key);
      return gone;
    }
    if (gone || !isNewer(ahead.metadata, shown.metadata)) this.#ahead.delete(key);
    return !gone && !isNewer(shown.metadata, ahead.metadata);
  }
}

/** Versions of one resource are numbers that grow (Kubernetes 1.35 and later promise it; etcd always did it). */
export function isNewer(one: Versioned, other: Versioned): boolean {
  const [a, b] = [one.resourceVersion ?? "", other.resourceVersion ?? ""];
  return a.length === b.length ? a > b : a.length > b.length;
}

/** What names a version: metadata, or what a status says of a Secret. */
type Versioned = Pick<ObjectMeta, "resourceVersion">;
