// The verbs of the Kubernetes API for any resource, over one shared pool of connections.
// Does not retry, cache or interpret objects: informers and controllers do.

import { ZoppError } from "../../crds/errors.js";
import { apiError, unreachable } from "./errors.js";
import { type EndpointOptions, loadEndpoint } from "./kubeconfig.js";
import type { Endpoint } from "./kubeconfig.types.js";
import { BrokenStream, jsonLines } from "./lines.js";
import type { ClientHooks, Tracing } from "./observe.js";
import {
  apiVersionOf,
  type KubeObject,
  keyOf,
  type ObjectList,
  type Place,
  pathOf,
  type Resource,
  type WatchEvent,
} from "./resources.js";
import { type ApiRequest, Transport } from "./transport.js";

/** How to reach the API server, and how hard. */
export interface ConnectOptions extends EndpointOptions {
  /** Sent as User-Agent; the audit log of the cluster shows it. */
  readonly userAgent?: string;
  readonly connections?: number;
  readonly timeoutMs?: number;
  readonly maxAnswerBytes?: number;
  readonly hooks?: ClientHooks;
  readonly tracing?: Tracing | undefined;
  readonly adaptive?: boolean;
  /** See {@link Transport}: who may write no more fails instead. */
  readonly mayWrite?: ((path: string) => boolean) | undefined;
}

/** What every request may carry. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Ask for metadata only, so that contents never reach this process; also for the answer to a write. */
  readonly metadataOnly?: boolean | undefined;
}

/** Which objects of a resource a list or watch covers. */
export interface Selection {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** One page of a list. */
export interface ListOptions extends RequestOptions, Selection {
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

/** A watch from a resourceVersion on. */
export interface WatchOptions extends RequestOptions, Selection {
  readonly resourceVersion: string;
  /** The server ends the watch after this long. */
  readonly timeoutSeconds: number;
  /** Longest silence before the connection counts as dead; bookmarks come about every minute. */
  readonly quietMs: number;
}

/** A server-side apply: the object holds only what `fieldManager` wants to own. */
export interface ApplyOptions extends RequestOptions {
  readonly fieldManager: string;
  /** Take over fields that others own (default true: there is one manager per object of ours). */
  readonly force?: boolean;
  readonly subresource?: string;
}

/** What must still be so for a deletion to happen. */
export interface DeleteOptions extends RequestOptions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
}

const PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const MAX_REFUSAL_BYTES = 64 * 1024;
/** etcd refuses objects over 1.5 MiB; an event line is one object. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

/** Finds the account (see {@link loadEndpoint}) and makes a client for it; nothing is sent yet. */
export async function connect(options: ConnectOptions = {}): Promise<ApiClient> {
  return connectTo(await loadEndpoint(options), options);
}

/** Makes a client for a known endpoint. */
export function connectTo(endpoint: Endpoint, options: ConnectOptions = {}): ApiClient {
  const transport = new Transport({ ...options, endpoint, userAgent: options.userAgent ?? "zopp" });
  return new ApiClient(endpoint, transport);
}

/**
 * A client of one API server. Every method throws a ZoppError (see errors.ts): ApiUnreachable, ApiRefused,
 * ApiConflict, ApiInvalid, NotFound, Overloaded. Live until `close()`.
 */
export class ApiClient {
  /** The API server's address and the namespace of the kubeconfig's context. */
  readonly endpoint: Endpoint;
  readonly #transport: Transport;

  constructor(endpoint: Endpoint, transport: Transport) {
    this.endpoint = endpoint;
    this.#transport = transport;
  }

  /** Reads one object. */
  get<T = KubeObject>(resource: Resource, place: Place, options: RequestOptions = {}): Promise<T> {
    const accept = options.metadataOnly ? PARTIAL : undefined;
    const { signal } = options;
    return this.#json({
      action: said("get", resource, place),
      method: "GET",
      path: pathOf(resource, place),
      accept,
      signal,
    });
  }

  /** Reads one page of a list. */
  async list<T = KubeObject>(resource: Resource, options: ListOptions = {}): Promise<ObjectList<T>> {
    const query = queryOf({ ...selectionOf(options), limit: options.limit, continue: options.continue });
    const path = pathOf(resource, { namespace: options.namespace }) + query;
    const accept = options.metadataOnly ? PARTIAL_LIST : undefined;
    const action = said("list", resource, options);
    const page = await this.#json<ObjectList<T>>({ action, method: "GET", path, accept, signal: options.signal });
    // an empty list of metadata comes as `items: null`
    return { ...page, items: page.items ?? [] };
  }

  /**
   * Creates an object; AlreadyExists comes as ApiConflict. With `subresource` the object is posted to that part of
   * the object at its own metadata (tokens of a ServiceAccount). With `dryRun` nothing is made, and all else is the same.
   */
  create<T = KubeObject>(
    resource: Resource,
    object: { readonly metadata?: { readonly name?: string | undefined; readonly namespace?: string | undefined } },
    options: RequestOptions & { readonly subresource?: string; readonly dryRun?: boolean } = {},
  ): Promise<T> {
    const { name, namespace } = object.metadata ?? {};
    const at = options.subresource === undefined ? { namespace } : { namespace, name };
    const query = queryOf({ dryRun: options.dryRun ? "All" : undefined });
    const path = pathOf(resource, at as Partial<Place>, options.subresource) + query;
    return this.#write("POST", said("create", resource, { namespace, name }), path, resource, object, options);
  }

  /** Server-side apply. An object equal to what is stored writes nothing and keeps its resourceVersion. */
  apply<T = KubeObject>(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<T> {
    const query = queryOf({ fieldManager: options.fieldManager, force: String(options.force ?? true) });
    const path = pathOf(resource, object.metadata, options.subresource) + query;
    return this.#write("PATCH", said("apply", resource, object.metadata), path, resource, object, options);
  }

  /** Replaces a whole object; with metadata.resourceVersion set, only if it is still that version. */
  replace<T = KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: RequestOptions & { readonly subresource?: string } = {},
  ): Promise<T> {
    const path = pathOf(resource, object.metadata, options.subresource);
    return this.#write("PUT", said("replace", resource, object.metadata), path, resource, object, options);
  }

  /** Deletes an object, only if it is still the one meant. */
  async delete(resource: Resource, place: Place, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagationPolicy } = options;
    const body = JSON.stringify({
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy,
      ...(uid === undefined && resourceVersion === undefined ? {} : { preconditions: { uid, resourceVersion } }),
    });
    const action = said("delete", resource, place);
    // the answer can be the deleted object itself; metadata is enough
    const request = {
      action,
      method: "DELETE",
      path: pathOf(resource, place),
      accept: `${PARTIAL}, application/json`,
    } as const;
    await this.#json({ ...request, body, contentType: "application/json", signal: options.signal });
  }

  /** Fetches a path that is no object, such as /readyz or /version, as text. */
  async text(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<string> {
    const action = `get ${path}`;
    const answer = await this.#transport.send({ action, method: "GET", path, accept: "*/*", signal: options.signal });
    if (answer.status >= 300) throw apiError(action, answer.status, parsed(answer.text), answer.retryAfter);
    return answer.text;
  }

  /**
   * Events from a resourceVersion on, until the server ends the watch, the connection breaks (a half line is
   * dropped, the iteration ends) or `signal` aborts. An event of type ERROR is thrown as the error it carries.
   */
  async *watch<T = KubeObject>(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { resourceVersion, timeoutSeconds, quietMs, signal } = options;
    const watching = { watch: "true", allowWatchBookmarks: "true", resourceVersion, timeoutSeconds };
    const path = pathOf(resource, { namespace: options.namespace }) + queryOf({ ...selectionOf(options), ...watching });
    const action = said("watch", resource, options);
    const accept = options.metadataOnly ? PARTIAL : undefined;
    const answer = await this.#transport.stream({ action, method: "GET", path, accept, signal }, quietMs);
    if (answer.status >= 300) {
      throw apiError(action, answer.status, parsed(await wholeText(answer.body)), answer.retryAfter);
    }
    try {
      for await (const line of jsonLines(answer.body, MAX_LINE_BYTES)) {
        if (typeof line !== "object" || line === null) throw new BrokenStream("no event");
        const event = line as WatchEvent<T>;
        if (event.type === "ERROR") {
          const status = event.object as { code?: unknown };
          throw apiError(action, typeof status?.code === "number" ? status.code : 500, status);
        }
        yield event;
      }
    } catch (error) {
      if (error instanceof BrokenStream) throw unreachable(action, error);
      if (error instanceof ZoppError) throw error;
      // the rest comes from the socket: cut, quiet for too long, or aborted
    }
  }

  /** Closes every connection; requests and watches in flight end. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  #write<T>(
    method: "POST" | "PUT" | "PATCH",
    action: string,
    path: string,
    resource: Resource,
    object: object,
    options: RequestOptions,
  ): Promise<T> {
    const body = JSON.stringify({ apiVersion: apiVersionOf(resource), kind: resource.kind, ...object });
    const contentType = method === "PATCH" ? "application/apply-patch+yaml" : "application/json";
    const accept = options.metadataOnly ? PARTIAL : undefined;
    return this.#json({ action, method, path, accept, contentType, body, signal: options.signal });
  }

  async #json<T>(request: ApiRequest): Promise<T> {
    const answer = await this.#transport.send(request);
    const body = parsed(answer.text);
    if (answer.status >= 300 || body === undefined) {
      throw apiError(request.action, answer.status, body, answer.retryAfter);
    }
    return body as T;
  }
}

function said(
  verb: string,
  resource: Resource,
  place: { namespace?: string | undefined; name?: string | undefined },
): string {
  const { namespace, name } = place;
  const where = name === undefined ? (namespace ?? "") : keyOf({ metadata: { namespace, name } });
  return where === "" ? `${verb} ${resource.plural}` : `${verb} ${resource.plural} ${where}`;
}

function selectionOf(selection: Selection): Record<string, string | undefined> {
  return { labelSelector: selection.labelSelector, fieldSelector: selection.fieldSelector };
}

function queryOf(fields: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The body of a refusal, as far as it comes; a Status is short. */
async function wholeText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of body) {
      parts.push(part);
      length += part.length;
      if (length > MAX_REFUSAL_BYTES) break;
    }
  } catch {
    // cut: the HTTP status is known and says enough
  }
  return Buffer.concat(parts).toString("utf8");
}
