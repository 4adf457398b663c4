// What this folder tells the process around it: a log and hooks for metrics, both handed in by main.
// Holds no logger and no registry of its own.

/** The log that kube writes to; pino's loggers fit. Fields never hold object contents or foreign messages. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Called once per answered or failed request; `code` is the HTTP status or "<error>". */
export interface ClientHooks {
  requested?(method: string, code: string, seconds: number): void;
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

/** A log that drops everything. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
