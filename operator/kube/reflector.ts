// Follows one scope (a namespace, or all) of one resource: list, watch, and again, whatever the API server does.
// Keeps no objects; whoever starts it gets whole lists and single events.

import { type BackoffLimits, backoffMs, pause } from "./backoff.js";
import type { ApiClient, Selection } from "./client.js";
import { apiStatus } from "./errors.js";
import type { InformerHooks, Log } from "./observe.js";
import type { KubeObject, Resource } from "./resources.js";

/** What is followed, and who is told. `onList` and `onEvent` must not throw. */
export interface ReflectorOptions extends Selection {
  readonly client: ApiClient;
  readonly resource: Resource;
  readonly metadataOnly?: boolean | undefined;
  readonly log: Log;
  readonly hooks?: InformerHooks | undefined;
  readonly timing?: Partial<ReflectorTiming> | undefined;
  /** Makes the object that is kept, as soon as it is read, so that a long list never stands in memory whole. */
  keep(object: KubeObject): KubeObject;
  /** All objects of the scope. */
  onList(objects: readonly KubeObject[]): void;
  /** One object appeared or changed, or was deleted (`gone`). */
  onEvent(object: KubeObject, gone: boolean): void;
  /** The scope may not be listed, or is not there, so many times in a row: told again and again until it was listed. */
  onRefused?(times: number): void;
}

/** Times in milliseconds; the defaults are client-go's. */
export interface ReflectorTiming {
  readonly backoff: BackoffLimits;
  /** A watch that lived this long makes earlier failures forgotten. */
  readonly healthyMs: number;
  /** How long the server keeps one watch open; up to a fifth is taken off, so that watches do not end as one. */
  readonly watchMs: number;
  /** Longest silence inside a watch; bookmarks come about every minute. */
  readonly quietMs: number;
}

const TIMING: ReflectorTiming = {
  backoff: { firstMs: 800, capMs: 30_000 },
  healthyMs: 120_000,
  watchMs: 290_000,
  quietMs: 150_000,
};
const PAGE = 100;
const REFUSED: ReadonlySet<number> = new Set([403, 404]);
/** undici's code for an answer longer than the client reads: objects can be 1 MiB each. */
const TOO_LONG = "UND_ERR_RES_EXCEEDED_MAX_SIZE";
/** A version that the server never knew (a restored etcd) is not answered with 410: list again after so many that may mean it. */
const DOUBTS_BEFORE_LIST = 5;
/** A watch that ended sooner and told nothing counts as a failure, so that it is not repeated in a tight circle. */
const SHORT_WATCH_MS = 1000;

/** Follows one scope. Live while `run` runs. */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #timing: ReflectorTiming;
  /** The newest resourceVersion seen; null when everything must be listed. */
  #version: string | null = null;
  #failures = 0;
  /** Failures of the server itself, by which it may mean the version that it was asked for. */
  #doubts = 0;
  /** How often in a row the list was refused. */
  #refusals = 0;
  /** How often in a row the version was too old. */
  #outdated = 0;
  #page = PAGE;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  /** Runs until `signal` aborts; nothing that the API server does ends it. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.#step(signal);
      if (waitMs > 0) await pause(waitMs, signal);
    }
  }

  /** Lists or watches once; gives how long to wait before the next step. */
  async #step(signal: AbortSignal): Promise<number> {
    const startedAt = performance.now();
    const from = this.#version;
    try {
      if (from === null) {
        await this.#list(signal);
        return 0;
      }
      await this.#watch(from, signal);
      const livedMs = performance.now() - startedAt;
      if (livedMs >= this.#timing.healthyMs) this.#forgive();
      if (this.#version !== from || livedMs >= SHORT_WATCH_MS) return 0;
      return backoffMs(++this.#failures, this.#timing.backoff);
    } catch (error) {
      if (signal.aborted) return 0;
      if (performance.now() - startedAt >= this.#timing.healthyMs) this.#forgive();
      return this.#failed(error, from === null ? "list" : "watch");
    }
  }

  #forgive(): void {
    this.#failures = 0;
    this.#doubts = 0;
    this.#outdated = 0;
  }

  #failed(error: unknown, phase: "list" | "watch"): number {
    const { resource, log, hooks } = this.#options;
    const failure = apiStatus(error);
    const { status, reason } = failure ?? { status: 0, reason: error instanceof Error ? error.name : "Unknown" };
    const gone = status === 410;
    if (reason === TOO_LONG) this.#page = Math.max(1, this.#page >> 1);
    this.#failures += 1;
    if (gone) this.#outdated += 1;
    // one that is away, or has too much to do, says nothing of the version, and a list would be the last thing that it needs
    if (status >= 500 && status !== 503) this.#doubts += 1;
    if (gone || this.#doubts >= DOUBTS_BEFORE_LIST) {
      this.#version = null;
      this.#doubts = 0;
    }
    // the first "too old" is ordinary, also after the server was away; a circle of them is not
    const backoff = gone && this.#outdated === 1 ? 0 : backoffMs(this.#failures, this.#timing.backoff);
    const waitMs = Math.max(backoff, failure?.retryAfterMs ?? 0);
    this.#refusals = phase === "list" && REFUSED.has(status) ? this.#refusals + 1 : 0;
    if (this.#refusals > 0) this.#options.onRefused?.(this.#refusals);
    hooks?.failed?.(resource.plural, phase, status);
    const fields = { resource: resource.plural, namespace: this.#options.namespace, phase, status, reason };
    log[gone ? "debug" : "warn"]({ ...fields, failures: this.#failures, waitMs: Math.round(waitMs) }, "cannot follow");
    return waitMs;
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    const selection = { namespace, labelSelector, fieldSelector, metadataOnly, signal, limit: this.#page };
    const objects: KubeObject[] = [];
    let next: string | undefined;
    let version: string | undefined;
    do {
      const page = await client.list(resource, { ...selection, continue: next });
      for (const object of page.items) objects.push(this.#options.keep(object));
      // every page is of one snapshot, whose version the first page names
      version ??= page.metadata.resourceVersion;
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
    this.#version = version ?? null;
    this.#options.onList(objects);
    this.#options.hooks?.listed?.(resource.plural, objects.length);
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    const timeoutSeconds = Math.ceil((this.#timing.watchMs * (0.8 + 0.2 * Math.random())) / 1000);
    const scope = { namespace, labelSelector, fieldSelector, metadataOnly, signal };
    const times = { timeoutSeconds, quietMs: this.#timing.quietMs };
    for await (const event of client.watch(resource, { ...scope, ...times, resourceVersion: from })) {
      if (signal.aborted) return;
      const version = event.object.metadata.resourceVersion;
      if (event.type !== "BOOKMARK") this.#options.onEvent(this.#options.keep(event.object), event.type === "DELETED");
      if (version !== undefined) this.#version = version;
    }
  }
}
