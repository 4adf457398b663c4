// Works through a queue with N workers: reconcile, then forget, wait or try again by what the error table says.
// Does not know what is reconciled; informers add keys to the queue outside.

import { asZoppError, type ZoppError } from "../../crds/errors.js";
import { apiStatus } from "./errors.js";
import { laneOfWork } from "./limiter.js";
import type { ControllerHooks, Log, ReconcileResult, Tracing } from "./observe.js";
import { type Clock, type Lane, type Queue, systemClock } from "./queue.js";
import { placeOfKey } from "./resources.js";

/** What a reconcile may ask for: to be called again after a while, in the background lane. */
export interface ReconcileAnswer {
  readonly requeueAfterMs?: number | undefined;
}

/** Brings one object to where it should be. Throws ZoppError; the error table says whether it is tried again. */
// biome-ignore lint/suspicious/noConfusingVoidType: a reconcile with nothing to ask returns nothing
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileAnswer | void>;

/** How a controller is made. */
export interface ControllerOptions {
  readonly name: string;
  readonly queue: Queue;
  readonly workers: number;
  /** Further workers for people's changes alone, so that these find one while all others wait for a slow API server (default 0). */
  readonly reserve?: number;
  readonly reconcile: Reconcile;
  readonly log: Log;
  readonly hooks?: ControllerHooks | undefined;
  readonly tracing?: Tracing | undefined;
  /** Longest time for one key; then its signal aborts (default 60 s). */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/** Workers of one queue. Live from `start()`, after all informers have synced, to `stop()`. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #active = new Set<AbortController>();
  #workers: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#timeoutMs = options.timeoutMs ?? 60_000;
  }

  /** Starts the workers. */
  start(): void {
    if (this.#workers.length > 0) throw new TypeError(`controller ${this.#options.name} started twice`);
    const { workers, reserve = 0 } = this.#options;
    this.#workers = Array.from({ length: workers }, () => this.#work());
    for (let more = 0; more < reserve; more++) this.#workers.push(this.#work(["urgent"]));
  }

  /** Takes no more keys and waits for the active ones; those still active after `graceMs` are aborted. */
  async stop(graceMs = 20_000): Promise<void> {
    const drained = this.#options.queue.shutdown();
    const cancel = this.#clock.after(graceMs, () => {
      for (const abort of this.#active) abort.abort();
    });
    await drained;
    cancel();
    await Promise.all(this.#workers);
  }

  /** For liveness: says which key is stuck when one has been worked on for more than twice its time; else null. */
  stuck(): string | null {
    const longest = this.#options.queue.longestActive;
    if (longest === null || longest.forMs <= 2 * this.#timeoutMs) return null;
    return `${this.#options.name}: ${longest.key} has been worked on for ${Math.round(longest.forMs / 1000)} s`;
  }

  async #work(lanes?: readonly Lane[]): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.get(lanes); key !== null; key = await queue.get(lanes)) {
      const startedAt = this.#clock.now();
      const once = () => this.#traced(key as string);
      const result = await laneOfWork
        .run(queue.laneOf(key) ?? "background", once)
        .finally(() => queue.done(key as string));
      this.#options.hooks?.reconciled?.(this.#options.name, result, (this.#clock.now() - startedAt) / 1000);
    }
  }

  #traced(key: string): Promise<ReconcileResult> {
    const { tracing, name: controller, queue } = this.#options;
    if (tracing === undefined) return this.#once(key);
    const { namespace, name } = placeOfKey(key);
    const object = { "k8s.namespace.name": namespace, "zopp.object": name };
    const attributes = { "zopp.controller": controller, ...object, "zopp.lane": queue.laneOf(key) };
    return tracing.span({ name: `reconcile ${controller}`, kind: "internal", attributes }, async () => {
      const result = await this.#once(key);
      tracing.say({ "zopp.outcome": result });
      return result;
    });
  }

  async #once(key: string): Promise<ReconcileResult> {
    const { queue, reconcile } = this.#options;
    const abort = new AbortController();
    const cancel = this.#clock.after(this.#timeoutMs, () => abort.abort());
    this.#active.add(abort);
    try {
      const answer = await reconcile(key, abort.signal);
      queue.forget(key);
      if (answer?.requeueAfterMs === undefined) return "success";
      queue.addAfter(key, answer.requeueAfterMs);
      return "requeue_after";
    } catch (error) {
      return this.#failed(key, asZoppError(error, `reconcile of ${key}`));
    } finally {
      cancel();
      this.#active.delete(abort);
    }
  }

  #failed(key: string, err: ZoppError): ReconcileResult {
    const { queue, log, name } = this.#options;
    const fields = { controller: name, object: key, err };
    this.#options.tracing?.say({ "zopp.reason": err.code });
    if (err.terminal) {
      queue.forget(key);
      log.info(fields, "refused; waits for a change");
      return "terminal";
    }
    const waitMs = Math.round(queue.addRateLimited(key, apiStatus(err)?.retryAfterMs));
    if (err.code === "ApiConflict") {
      log.debug({ ...fields, waitMs }, "changed meanwhile; again");
      return "conflict";
    }
    const level = err.code === "Internal" ? "error" : "warn";
    log[level]({ ...fields, waitMs, failures: queue.failuresOf(key) }, "failed; again later");
    return "error";
  }
}
