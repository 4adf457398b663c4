// Says what happened to an object as core/v1 Events, each thing once.
// Decides nothing: callers say something only on a transition, and never anything secret.

import { createHash } from "node:crypto";
import type { ApiClient } from "./client.js";
import { isThereAlready } from "./errors.js";
import type { Log } from "./observe.js";
import { apiVersionOf, EVENTS, type ObjectMeta, type Resource } from "./resources.js";

/** What happened. `digest` is that of the content it happened to: the same thing about other content is news. */
export interface Happening {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly digest: string;
}

/** How a recorder is made. */
export interface RecorderOptions {
  readonly client: Pick<ApiClient, "create">;
  /** Who speaks: `zopp-operator`. */
  readonly component: string;
  /** The pod's name. */
  readonly instance: string;
  readonly log: Log;
  readonly now?: () => Date;
}

const REMEMBERED = 4096;
/** The API server forgets an event after an hour (its --event-ttl): if it happens again then, it is news again. */
const KEPT_MS = 3_600_000;
const MAX_MESSAGE = 1000;
const MAX_NAME = 253;
/** Events about cluster-scoped objects live here, as kubectl expects. */
const NAMESPACE_OF_CLUSTER_SCOPED = "default";

/** Says things once. Live as long as the process; nothing to stop. */
export class Recorder {
  readonly #options: RecorderOptions;
  /** Names of the newest events and when they were said, oldest first: saves a request; the API server is what decides (409). */
  readonly #said = new Map<string, number>();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Posts an event about an object, unless it was said before. Never throws: what fails is logged. */
  async event(resource: Resource, metadata: ObjectMeta, happening: Happening): Promise<void> {
    const name = eventName(metadata, happening);
    const namespace = metadata.namespace ?? NAMESPACE_OF_CLUSTER_SCOPED;
    const id = `${namespace}/${name}`;
    const now = this.#now().getTime();
    if (now - (this.#said.get(id) ?? Number.NEGATIVE_INFINITY) < KEPT_MS) return;
    this.#remember(id, now);
    try {
      await this.#options.client.create(EVENTS, this.#body(resource, metadata, happening, { name, namespace }));
    } catch (err) {
      if (isThereAlready(err)) return;
      this.#said.delete(id);
      this.#options.log.warn({ object: id, reason: happening.reason, err }, "cannot say an event");
    }
  }

  #body(resource: Resource, metadata: ObjectMeta, happening: Happening, at: { name: string; namespace: string }) {
    const time = `${this.#now().toISOString().slice(0, 19)}Z`;
    const { component, instance } = this.#options;
    return {
      metadata: at,
      involvedObject: {
        apiVersion: apiVersionOf(resource),
        kind: resource.kind,
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resourceVersion: metadata.resourceVersion,
      },
      type: happening.type,
      reason: happening.reason,
      message: happening.message.slice(0, MAX_MESSAGE),
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
    };
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }

  #remember(id: string, now: number): void {
    this.#said.delete(id);
    this.#said.set(id, now);
    for (const oldest of this.#said.keys()) {
      if (this.#said.size <= REMEMBERED) return;
      this.#said.delete(oldest);
    }
  }
}

/** `<object>.<hash of uid, digest and reason>`: the same event has the same name after any restart. */
export function eventName(metadata: ObjectMeta, happening: Pick<Happening, "digest" | "reason">): string {
  const what = JSON.stringify([metadata.uid ?? "", happening.digest, happening.reason]);
  const hash = createHash("sha256").update(what).digest("hex").slice(0, 16);
  const object = metadata.name.slice(0, MAX_NAME - hash.length - 1).replace(/[-.]+$/, "");
  return `${object}.${hash}`;
}
