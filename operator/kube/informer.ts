// A local copy of the objects of one resource, kept up to date, with handlers that see old and new.
// Knows nothing of queues; transport, retries and lost watches are the reflector's.

import { ZoppError } from "../../crds/errors.js";
import type { ApiClient } from "./client.js";
import type { InformerHooks, Log } from "./observe.js";
import { Reflector, type ReflectorTiming } from "./reflector.js";
import { type KubeObject, keyOf, type Resource } from "./resources.js";

/** What an informer follows. */
export interface InformerOptions<T extends KubeObject> {
  readonly client: ApiClient;
  readonly resource: Resource;
  /** Follow these namespaces one by one; absent = all. */
  readonly namespaces?: readonly string[] | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Receive and keep metadata only (PartialObjectMetadata): contents never reach this process. */
  readonly metadataOnly?: boolean | undefined;
  /** Keeps only what is needed of an object; name, namespace, uid and resourceVersion must stay. */
  readonly transform?: ((object: T) => T) | undefined;
  readonly log: Log;
  readonly hooks?: InformerHooks | undefined;
  readonly timing?: Partial<ReflectorTiming> | undefined;
}

/**
 * Told of each change, in order: `old` undefined = appeared, `now` undefined = deleted. `initial` is true for what
 * was there when following began, so that it can wait behind people's changes.
 */
export type ChangeHandler<T> = (old: T | undefined, now: T | undefined, initial: boolean) => void;

/** So many refusals in a row, in about ten seconds, are no Role that is just being made. */
const REFUSALS = 5;
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The store of one resource. Live from `start()` to `stop()`; reading it is never an API call. */
export class Informer<T extends KubeObject = KubeObject> {
  readonly #options: InformerOptions<T>;
  readonly #store = new Map<string, T>();
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #stopped = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  readonly #unsynced: Set<string | undefined>;
  #hasListed = false;
  #running: Promise<unknown> | null = null;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#unsynced = new Set(options.namespaces ?? [undefined]);
    this.#synced.promise.catch(() => {}); // whoever waits sees it; nobody waiting is no error
    if (this.#unsynced.size === 0) this.#synced.resolve();
  }

  /** Begins to follow; returns at once. */
  start(): void {
    if (this.#running !== null) throw new TypeError(`${this.#options.resource.plural}: informer started twice`);
    const scopes = this.#options.namespaces === undefined ? [undefined] : [...new Set(this.#options.namespaces)];
    this.#running = Promise.all(scopes.map((namespace) => this.#reflector(namespace).run(this.#stopped.signal)));
  }

  /** Resolves when everything has been listed once, or a namespace of several refused to be; rejects (ApiUnreachable) when stopped or aborted before. */
  async synced(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return this.#synced.promise;
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(this.#notSynced());
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      await Promise.race([this.#synced.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** True once everything has been listed that can be. */
  get hasSynced(): boolean {
    return this.#unsynced.size === 0;
  }

  /** The object of this key (`namespace/name`, or `name`), as last seen. */
  get(key: string): T | undefined {
    return this.#store.get(key);
  }

  /** All objects, in no order. */
  list(): IterableIterator<T> {
    return this.#store.values();
  }

  get size(): number {
    return this.#store.size;
  }

  /** Adds a handler, told at once of everything that is there; gives the function that removes it. */
  onChange(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler);
    for (const object of this.#store.values()) this.#tell(handler, undefined, object, true);
    return () => this.#handlers.delete(handler);
  }

  /** Ends every watch; resolves when no handler will be called any more. The store stays readable. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#synced.reject(this.#notSynced());
    await this.#running;
  }

  /**
   * A namespace that was deleted took its Roles along, and must not hold up all others. Where none can be listed, something else is wrong. Rights that are just being made come sooner;
   * it is tried on, and what it holds is seen as soon as it can be.
   */
  #refused(namespace: string | undefined, times: number): void {
    if (namespace === undefined || times < REFUSALS || !this.#hasListed) return;
    if (!this.#unsynced.has(namespace)) return;
    const { log, resource } = this.#options;
    log.warn({ resource: resource.plural, namespace }, "cannot be listed: goes on without this namespace until it can");
    this.#waitNoLongerFor(namespace);
  }

  #waitNoLongerFor(namespace: string | undefined): void {
    this.#unsynced.delete(namespace);
    if (this.hasSynced) this.#synced.resolve();
  }

  #reflector(namespace: string | undefined): Reflector {
    return new Reflector({
      ...this.#options,
      namespace,
      keep: (object) => this.#keep(object as T),
      onList: (objects) => this.#replace(namespace, objects as readonly T[]),
      onRefused: (times) => this.#refused(namespace, times),
      onEvent: (object, gone) => (gone ? this.#remove(keyOf(object)) : this.#put(object as T, false)),
    });
  }

  #keep(object: T): T {
    // the transform comes first: it may condense what is dropped here
    const kept = this.#options.transform?.(object) ?? object;
    const metadata = kept.metadata as { managedFields?: unknown; annotations?: Record<string, string> };
    delete metadata.managedFields;
    if (metadata.annotations !== undefined) delete metadata.annotations[LAST_APPLIED];
    return Object.freeze(kept);
  }

  /** Makes the scope's part of the store equal to a list: deletions first, so that a moved name is seen in order. */
  #replace(namespace: string | undefined, objects: readonly T[]): void {
    const initial = this.#unsynced.has(namespace);
    const listed = new Set(objects.map(keyOf));
    for (const [key, object] of this.#store) {
      if (!listed.has(key) && (namespace === undefined || object.metadata.namespace === namespace)) this.#remove(key);
    }
    for (const object of objects) this.#put(object, initial);
    this.#hasListed = true;
    this.#waitNoLongerFor(namespace);
  }

  #put(object: T, initial: boolean): void {
    const key = keyOf(object);
    const old = this.#store.get(key);
    if (old !== undefined && sameVersion(old, object)) return;
    this.#store.set(key, object);
    // deleted and made again while nobody watched: two changes, or the old one's dependants would live on
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) this.#tellAll(old, undefined, initial);
    const before = old?.metadata.uid === object.metadata.uid ? old : undefined;
    this.#tellAll(before, object, initial);
  }

  #remove(key: string): void {
    const old = this.#store.get(key);
    if (old === undefined) return;
    this.#store.delete(key);
    this.#tellAll(old, undefined, false);
  }

  #tellAll(old: T | undefined, now: T | undefined, initial: boolean): void {
    for (const handler of this.#handlers) this.#tell(handler, old, now, initial);
  }

  /** A handler that throws must not end the watch. */
  #tell(handler: ChangeHandler<T>, old: T | undefined, now: T | undefined, initial: boolean): void {
    try {
      handler(old, now, initial);
    } catch (error) {
      const name = error instanceof Error ? error.name : "Unknown";
      this.#options.log.error({ resource: this.#options.resource.plural, error: name }, "a change handler failed");
    }
  }

  #notSynced(): ZoppError {
    return new ZoppError("ApiUnreachable", `${this.#options.resource.plural}: not listed yet`);
  }
}

function sameVersion(one: KubeObject, other: KubeObject): boolean {
  return one.metadata.uid === other.metadata.uid && one.metadata.resourceVersion === other.metadata.resourceVersion;
}
