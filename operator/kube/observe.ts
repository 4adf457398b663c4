// What this folder tells the process around it: a log and hooks for metrics, both handed in by main.
// Holds no logger and no registry of its own.

/** What a line can hold beside level, time, name and msg. What each is stands in docs/reference/log.md. */
export interface LogFields {
  readonly err?: unknown;
  readonly next?: string;
  readonly version?: string;
  readonly instance?: string;
  readonly namespaces?: readonly string[] | string;
  readonly port?: number;
  readonly healthPort?: number;
  readonly metricsPort?: number;
  readonly signal?: string;
  readonly lease?: string;
  readonly leader?: string;
  readonly controller?: string;
  readonly object?: string;
  readonly waitMs?: number;
  readonly failures?: number;
  readonly resource?: string;
  readonly namespace?: string | undefined;
  readonly phase?: string;
  readonly status?: number;
  readonly error?: string;
  readonly reason?: string;
  readonly ready?: boolean;
  readonly seconds?: number;
  readonly kid?: string;
  readonly log?: string;
  readonly records?: number;
  readonly fresh?: boolean;
  readonly fingerprint?: string;
  readonly segment?: string;
}

/** The log that everything writes to; pino's loggers fit. Fields never hold object contents or foreign messages. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Called once per answered or failed request; `code` is the HTTP status or "<error>". */
export interface ClientHooks {
  requested?(method: string, code: string, seconds: number): void;
  /** So many requests may be on their way at once from now on; never called unless that follows the API server. */
  limited?(requests: number): void;
}

/** Called by an informer; `resource` is the plural. */
export interface InformerHooks {
  listed?(resource: string, objects: number): void;
  failed?(resource: string, phase: "list" | "watch", status: number): void;
}

/** Called by a queue; `queue` is its name. Durations in seconds. */
export interface QueueHooks {
  added?(queue: string): void;
  retried?(queue: string): void;
  started?(queue: string, waitedSeconds: number): void;
  finished?(queue: string, workedSeconds: number): void;
}

/** How one reconcile ended. */
export type ReconcileResult = "success" | "requeue_after" | "conflict" | "terminal" | "error";

/** Called by a controller after each reconcile. */
export interface ControllerHooks {
  reconciled?(controller: string, result: ReconcileResult, seconds: number): void;
}

/** What spans say of what was done: places, methods, outcomes; never a value, the name of a key or a token. */
export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

/** A span to be. */
export interface SpanOptions {
  readonly name: string;
  /** `client` and `server` are the two ends of a request, the rest is `internal`. */
  readonly kind: "internal" | "client" | "server";
  readonly attributes?: SpanAttributes;
  /** The other end's `traceparent`; absent: the span in which this one begins, where there is one. */
  readonly parent?: string | undefined;
}

/** What a process does, as spans of traces. Where nothing is traced there is no Tracing, and no cost. */
export interface Tracing {
  /** Does something as a span. An error ends it as failed, with its code. */
  span<T>(options: SpanOptions, work: () => Promise<T>): Promise<T>;
  /** Adds to the span in which it is called. */
  say(attributes: SpanAttributes): void;
  /** The header that tells another process in which span it is asked; none outside of spans. */
  headers(): Readonly<Record<string, string>>;
}

/** A log that drops everything. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
