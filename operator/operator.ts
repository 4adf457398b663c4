// The operator: its informers, queues and controllers, made in `init`, ended in order by `stop`.
// What is done about an object is in controllers/; connections and settings come from main.
import dotI from "@dot-i/k8s-operator";
import type { ZoppBaseline, ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../crds/types.gen.js";
import { Freshest } from "./controllers/freshest.js";
import { History } from "./controllers/history.js";
import { PolicyBook, type PolicyChange, policyReasons } from "./controllers/policy.book.js";
import {
  isSeen,
  type PolicyDeps,
  type PolicyObject,
  reconcilePolicy,
  withOurPolicyStatus,
} from "./controllers/policy.js";
import { Restarts } from "./controllers/restart.js";
import { digestOfSeen, reconcileSecret, type SecretDeps, withOurStatus } from "./controllers/secret.js";
import { BundleMemory } from "./controllers/secret.memory.js";
import { BundleWatch } from "./controllers/secret.watch.js";
import { MANAGED_LABEL } from "./controllers/target.js";
import { type SeenSecret, seenSecret } from "./controllers/target.seen.js";
import { CERTIFICATE_PENDING, ROTATION_PENDING, readyOf } from "./kube/conditions.js";
import { Controller, type Reconcile } from "./kube/controller.js";
import { Recorder } from "./kube/events.js";
import { Informer, type InformerOptions } from "./kube/informer.js";
import { Queue } from "./kube/queue.js";
import {
  type KubeObject,
  keyOf,
  placeOfKey,
  SECRETS,
  ZOPP_BASELINES,
  ZOPP_ENVIRONMENTS,
  ZOPP_SECRETS,
  ZOPP_WORKSPACES,
} from "./kube/resources.js";
import type { PlaceLabels } from "./metrics.bundles.js";
import type { OperatorParts, PolicyParts, SecretsParts, Work } from "./operator.types.js";

const POLICY_WORKERS = 4;
/** Beside the workers of each queue, for people's changes alone. */
const RESERVE = 4;
const HISTORY_WORKERS = 4;
/** How long states that wait to be kept may hold up the end of the process: while it still works, and when nobody does. */
const HISTORY_MS = { working: 500, idle: 100 };
const RESTART_WORKERS = 2;
const SWEEP_MS = 30_000;
const nowMs = () => performance.now();

/**
 * One operator process. `start()` resolves when everything was listed once: it stands by. `consult()` has the keyring asked,
 * `lead()` begins the work, and with it all writing. `stop()` resolves when what was being worked on is finished. Client
 * and keyring are closed by whoever made them.
 */
export class ZoppOperator extends dotI.default {
  readonly #parts: OperatorParts;
  readonly #informers: Pick<Informer, "start" | "stop" | "synced">[] = [];
  readonly #work: Work[] = [];
  readonly #started = new AbortController();
  #book: PolicyBook | undefined;
  #watch: BundleWatch | undefined;
  #history: History | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #running = false;

  constructor(parts: OperatorParts) {
    super({ debug() {}, info() {}, warn() {}, error() {} });
    this.#parts = parts;
  }

  /** Null when everything moves, else which key has been stuck; for liveness. */
  stuck(): string | null {
    return this.#work.map(({ controller }) => controller.stuck()).find((problem) => problem !== null) ?? null;
  }

  /** Null when everything was listed, and the keyring answers where it is asked, else why not; for readiness. */
  notReady(): string | null {
    if (!this.#running) return "starting or stopping";
    return this.#book?.problem ?? null;
  }

  /** Begins to ask the keyring. Does nothing once stopped. */
  consult(): void {
    if (this.#running) this.#book?.start();
  }

  /**
   * Begins to work through what was seen, as far as it is ours: of these namespaces, undefined standing for what is in none. Does
   * nothing once stopped.
   */
  lead(isOurs: (namespace: string | undefined) => boolean = () => true): void {
    const watch = this.#watch;
    if (watch === undefined || !this.#running) return;
    watch.lead((key) => isOurs(placeOfKey(key).namespace));
    for (const { queue, controller, isPolicy } of this.#work) {
      if (isPolicy && !isOurs(undefined)) continue;
      // not before: queues of one that stands by are full and wait for nothing that it does
      this.#parts.metrics.watchQueue(queue.name, queue);
      controller.start();
    }
    this.#sweeper = setInterval(() => watch.sweep(new Date()), SWEEP_MS).unref();
  }

  /** Stops watching, finishes what is active, and resolves. */
  override async stop(): Promise<void> {
    this.#running = false;
    this.#started.abort();
    super.stop();
    clearInterval(this.#sweeper);
    await this.#history?.hurry(HISTORY_MS.working);
    await Promise.all(this.#informers.map((informer) => informer.stop()));
    await this.#book?.stop();
    await Promise.all(this.#work.map(({ controller }) => controller.stop()));
    await this.#history?.drain(HISTORY_MS.idle);
  }

  /** The base's watch ends the process at its first error: informers and queues stand in its place. */
  protected override watchResource(): Promise<never> {
    return Promise.reject(new TypeError("watchResource is not used: see init()"));
  }

  protected override async init(): Promise<void> {
    const { client, log } = this.#parts;
    const events = new Recorder({ client, component: "zopp-operator", instance: this.#parts.instance, log });
    const workspaces = this.#informer<ZoppWorkspace>({ resource: ZOPP_WORKSPACES });
    const environments = this.#informer<ZoppEnvironment>({ resource: ZOPP_ENVIRONMENTS });
    const baselines = this.#informer<ZoppBaseline>({ resource: ZOPP_BASELINES });
    const listeners: ((change: PolicyChange) => void)[] = [];
    const waiting: (() => boolean)[] = [];
    const book = new PolicyBook({
      keyring: this.#parts.keyring,
      log,
      pending: () => waiting.some((waits) => waits()),
      changed: (change) => {
        for (const listener of listeners) listener(change);
      },
    });
    this.#book = book;
    const kinds = [
      { resource: ZOPP_WORKSPACES, informer: workspaces as Informer<PolicyObject>, kind: "workspaces" },
      { resource: ZOPP_ENVIRONMENTS, informer: environments as Informer<PolicyObject>, kind: "environments" },
      { resource: ZOPP_BASELINES, informer: baselines as Informer<PolicyObject>, kind: "baselines" },
    ] as const;
    for (const { resource, informer, kind } of kinds) {
      const policy = this.#policy({ resource, informer, kind, book, events });
      listeners.push(policy.changed);
      waiting.push(policy.pending);
    }
    const watch = this.#secrets({ book, events, environments });
    listeners.push((change) => watch.policyChanged(change));
    listeners.push(() => this.#parts.metrics.policies(policyReasons(book.description)));
    this.#watch = watch;
    for (const informer of this.#informers) informer.start();
    await Promise.all(this.#informers.map((informer) => informer.synced(this.#started.signal)));
    this.#running = true;
  }

  /** Everything about bundles and their Secrets. */
  #secrets(shared: SecretsParts): BundleWatch {
    const { client, keyring, metrics, tracing, namespaces, workers, expiryWarning, rotationJobs } = this.#parts;
    const informer = this.#informer<ZoppSecret>({ resource: ZOPP_SECRETS, namespaces });
    const ours = { labelSelector: MANAGED_LABEL, metadataOnly: true, transform: seenSecret };
    const targets = new Freshest(this.#informer<SeenSecret>({ resource: SECRETS, namespaces, ...ours }), nowMs);
    const bundles = new Freshest(informer, nowMs, withOurStatus);
    const memory = new BundleMemory(nowMs);
    const queue = this.#queue("zoppsecret");
    const history = this.#keepHistory(queue, shared, (key) => informer.get(key));
    const deps: SecretDeps = {
      ...shared,
      restarts: this.#restarts(shared.events, queue),
      rotations: rotationJobs === "on" ? { client, did: metrics.rotation } : undefined,
      client,
      keyring,
      bundles,
      targets,
      memory,
      policyOf: (path) => shared.book.policyOf(path),
      asksApprovals: (path) => shared.book.asksApprovals(path),
      refreshPolicy: () => shared.book.refresh(),
      now: () => new Date(),
      expiryWarningMs: expiryWarning,
      wrote: (secret) => targets.put(secret),
      opened: (result, seconds) => {
        metrics.opened(result, seconds);
        if (result === "KeyringUnavailable") shared.book.doubt();
      },
      tell: {
        applied: (seconds) => metrics.applied(seconds),
        status: (key, status) => {
          metrics.conditions(placeLabels(key), status === null ? null : (status.conditions ?? []));
          const reason = status === null ? null : (readyOf(status)?.reason ?? "Unknown");
          metrics.bundle(key, reason);
          tracing?.say({ "zopp.reason": reason ?? undefined });
          metrics.expiring(key, status?.expiring ?? []);
          const waits = (type: string) => status?.conditions?.filter((each) => each.type === type) ?? [];
          metrics.certificates(key, waits(CERTIFICATE_PENDING));
          metrics.rotating(key, waits(ROTATION_PENDING));
          if (status === null) history?.forget(key);
        },
        newState: (seen, digest) => history?.applied(seen, digest, seen.status?.digest === undefined),
      },
    };
    this.#controller(queue, workers, (key, signal) => reconcileSecret(key, deps, signal));
    const replaced = (old: ZoppSecret) => history?.replaced(old);
    const watch = new BundleWatch({ bundles, targets, all: () => informer.list(), queue, memory, replaced });
    shared.environments.onChange((old, now, initial) => {
      if (now === undefined || initial) return;
      // its status says nothing about its keys
      const isSame = old?.metadata.uid === now.metadata.uid && old?.metadata.generation === now.metadata.generation;
      if (!isSame) watch.environmentChanged(keyOf(now).replaceAll(".", "/"));
    });
    return watch;
  }

  /** Keeps what bundles were, where that is wanted; it comes after everything that `before` holds. */
  #keepHistory(
    before: Queue,
    { environments }: SecretsParts,
    bundleOf: (key: string) => ZoppSecret | undefined,
  ): History | undefined {
    const { client, metrics, history: limit } = this.#parts;
    if (limit === 0) return undefined;
    const queue = this.#queue("history");
    const history = new History({
      client,
      queue,
      limit,
      busy: () => before.depth > 0,
      bundleOf,
      digestOf: (seen) => digestOfSeen(seen, environments),
      now: () => new Date(),
      did: (what) => metrics.history(what),
    });
    this.#history = history;
    this.#controller(queue, HISTORY_WORKERS, (key, signal) => history.reconcile(key, signal));
    return history;
  }

  /** Restarts of workloads; undefined when there are to be none. */
  #restarts(events: Recorder, bundles: Queue): Restarts | undefined {
    const { client, metrics, restarts: kinds } = this.#parts;
    if (kinds.length === 0) return undefined;
    const queue = this.#queue("restart");
    const news = (key: string) => bundles.add(key, "background");
    const { restarted, restartsRefused: refused } = metrics;
    const restarts = new Restarts({ kinds, client, queue, events, news, restarted, refused, now: nowMs });
    this.#controller(queue, RESTART_WORKERS, (namespace, signal) => restarts.round(namespace, signal));
    return restarts;
  }

  /** Everything about workspaces, environments or baselines. */
  #policy({ resource, informer, kind, book, events }: PolicyParts) {
    const queue = this.#queue(resource.kind.toLowerCase());
    const objects = new Freshest(informer, nowMs, withOurPolicyStatus);
    objects.onChange(({ old, now, initial }) => {
      if (old !== undefined && old.metadata.generation === now?.metadata.generation) return;
      if (now !== undefined) queue.add(keyOf(now), initial ? "background" : "urgent");
      if (!initial) book.poke();
    });
    const deps: PolicyDeps = {
      resource,
      client: this.#parts.client,
      objects,
      state: (key) => book.state(kind, key),
      spoken: () => book.description !== undefined,
      poke: () => book.poke(),
      events,
      now: () => new Date(),
    };
    this.#controller(queue, POLICY_WORKERS, (key) => reconcilePolicy(key, deps), true);
    return {
      pending: () => [...informer.list()].some((object) => !isSeen(object, book.state(kind, keyOf(object)))),
      changed: (change: PolicyChange) => {
        const keys = change.recovered ? [...informer.list()].map(keyOf) : change[kind];
        for (const key of keys) queue.add(key, "urgent");
      },
    };
  }

  #informer<T extends KubeObject>(options: Omit<InformerOptions<T>, "client" | "log" | "hooks">): Informer<T> {
    const { client, log, metrics } = this.#parts;
    const informer = new Informer<T>({ ...options, client, log, hooks: metrics.informer });
    this.#informers.push(informer);
    return informer;
  }

  #queue(name: string): Queue {
    return new Queue({ name, hooks: this.#parts.metrics.queue });
  }

  #controller(queue: Queue, workers: number, reconcile: Reconcile, isPolicy = false): void {
    const { log, tracing, metrics } = this.#parts;
    const said = { name: queue.name, log, tracing, hooks: metrics.controller };
    const controller = new Controller({ ...said, queue, workers, reserve: RESERVE, reconcile });
    this.#work.push({ queue, controller, isPolicy });
  }
}

function placeLabels(key: string): PlaceLabels {
  const { namespace = "", name } = placeOfKey(key);
  return { namespace, name };
}
