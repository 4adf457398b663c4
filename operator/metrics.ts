// The numbers of a process for Prometheus: controller-runtime's names, so that known dashboards work, and zopp's own.
// Counts what it is told through hooks; serving them is health.ts.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import {
  bundleGauge,
  type ConditionLabels,
  type CountReasons,
  certificatesGauge,
  conditionGauge,
  expiringGauge,
  type PlaceLabels,
  type PolicyCount,
  policyGauge,
  refusedGauge,
  rotationGauge,
} from "./metrics.bundles.js";

/** What identifies a build: shown by zopp_build_info. */
export interface BuildInfo {
  readonly component: "operator" | "keyring";
  readonly version: string;
}

/** What a queue can be asked at each scrape. */
export interface QueueSource {
  readonly depth: number;
  readonly activeCount: number;
  readonly oldestWaitingMs: number;
  readonly longestActive: { readonly forMs: number } | null;
}

/** The operator's metrics: hooks for operator/kube, and what controllers tell. */
export interface OperatorMetrics {
  readonly registry: Registry;
  readonly client: { requested(method: string, code: string, seconds: number): void; limited(requests: number): void };
  readonly informer: {
    listed(resource: string, objects: number): void;
    failed(resource: string, phase: string, status: number): void;
  };
  readonly queue: {
    added(queue: string): void;
    retried(queue: string): void;
    started(queue: string, waitedSeconds: number): void;
    finished(queue: string, workedSeconds: number): void;
  };
  readonly controller: { reconciled(controller: string, result: string, seconds: number): void };
  /** Asks a queue at each scrape. */
  watchQueue(name: string, queue: QueueSource): void;
  /** An Open ended: `result` is "ok" or an error code. */
  opened(result: string, seconds: number): void;
  /** Seconds from a bundle's change being seen to its Secret being written. */
  applied(seconds: number): void;
  /** Asks at each scrape whether this process leads by a Lease. */
  watchElection(lease: string, leads: () => boolean): void;
  /** A state of a bundle was kept or dropped, or could not be. */
  history(what: (typeof HISTORY_RESULTS)[number]): void;
  /** A workload whose Secret changed was restarted, skipped, left waiting or refused. */
  restarted(result: (typeof RESTART_RESULTS)[number]): void;
  /** How many workloads of a namespace have a restart that was refused and is still to be done. */
  restartsRefused(namespace: string, workloads: number): void;
  /** A Job that new generated values wait for was made, has succeeded, or has failed. */
  rotation(result: (typeof ROTATION_RESULTS)[number]): void;
  /** The conditions of one bundle; does nothing unless per-object series are on. `null` = the bundle is gone. */
  conditions(place: PlaceLabels, conditions: readonly ConditionLabels[] | null): void;
  /** The reason of one bundle's condition Ready. `null` = the bundle is gone. */
  bundle(key: string, reason: string | null): void;
  /** What the keyring makes of all policy. */
  policies(counts: readonly PolicyCount[]): void;
  /** The values of one bundle that end soon or have ended; none when the bundle is gone. */
  readonly expiring: CountReasons;
  /** Why certificates of one bundle that are due wait for their CA; none when none does, or the bundle is gone. */
  readonly certificates: CountReasons;
  /** What new values of one bundle wait for; none when they wait for nothing, or the bundle is gone. */
  readonly rotating: CountReasons;
}

/** The keyring's metrics. */
export interface KeyringMetrics {
  readonly registry: Registry;
  readonly client: Pick<OperatorMetrics["client"], "requested">;
  readonly informer: OperatorMetrics["informer"];
  readonly watchElection: OperatorMetrics["watchElection"];
  /** A call ended: `code` is "ok" or an error code. */
  rpc(method: string, code: string, seconds: number): void;
  /** Live connections changed by +1 or -1. */
  connections(change: 1 | -1): void;
  /** Records in the log. */
  logSize(records: number): void;
}

const FAST = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
/** client-go's buckets for queues. */
const QUEUE = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 60, 300, 1800];
/** What a counter starts from: one that appears with its first event has, to Prometheus, not grown. */
const HISTORY_RESULTS = ["kept", "dropped", "failed"] as const;
const RESTART_RESULTS = ["restarted", "skipped", "waiting", "refused"] as const;
const ROTATION_RESULTS = ["created", "succeeded", "failed"] as const;

/** Metrics of the operator. `perObject` adds zopp_secret_condition, one series per bundle and condition. */
export function operatorMetrics(
  build: BuildInfo,
  options: { readonly registry?: Registry; readonly perObject?: boolean } = {},
): OperatorMetrics {
  const registry = options.registry ?? new Registry();
  buildInfo(registry, build);
  const opens = counter(registry, "zopp_open_total", "Opens asked of the keyring, by result", ["result"]);
  const openSeconds = histogram(registry, "zopp_open_seconds", "Time of an Open, from call to answer", [], FAST);
  const apply = histogram(
    registry,
    "zopp_apply_latency_seconds",
    "Time from a bundle seen to its Secret written",
    [],
    FAST,
  );
  const history = counter(registry, "zopp_history_total", "States of bundles kept and dropped, and what failed", [
    "result",
  ]);
  const restarts = counter(registry, "zopp_restarts_total", "Workloads whose Secret changed, by what came of it", [
    "result",
  ]);
  const rotations = counter(
    registry,
    "zopp_rotation_jobs_total",
    "Jobs that new generated values wait for: made, and what came of them",
    ["result"],
  );
  for (const result of ROTATION_RESULTS) rotations.inc({ result }, 0);
  for (const result of HISTORY_RESULTS) history.inc({ result }, 0);
  for (const result of RESTART_RESULTS) restarts.inc({ result }, 0);
  return {
    registry,
    client: { ...clientHooks(registry), limited: limitGauge(registry) },
    informer: informerHooks(registry),
    queue: queueHooks(registry),
    controller: controllerHooks(registry),
    watchQueue: queueGauges(registry),
    watchElection: electionGauge(registry),
    opened(result, seconds) {
      opens.inc({ result });
      openSeconds.observe(seconds);
    },
    applied: (seconds) => apply.observe(seconds),
    history: (result) => history.inc({ result }),
    restarted: (result) => restarts.inc({ result }),
    restartsRefused: refusedGauge(registry),
    rotation: (result) => rotations.inc({ result }),
    conditions: options.perObject ? conditionGauge(registry) : () => {},
    bundle: bundleGauge(registry),
    policies: policyGauge(registry),
    expiring: expiringGauge(registry),
    certificates: certificatesGauge(registry),
    rotating: rotationGauge(registry),
  };
}

/** Metrics of the keyring. */
export function keyringMetrics(build: BuildInfo, options: { readonly registry?: Registry } = {}): KeyringMetrics {
  const registry = options.registry ?? new Registry();
  buildInfo(registry, build);
  const labels = ["method", "code"];
  const seconds = histogram(registry, "zopp_keyring_rpc_seconds", "Time of a call, by method and code", labels, FAST);
  const errors = counter(registry, "zopp_keyring_errors_total", "Calls that ended in an error, by code", ["code"]);
  const connections = gauge(registry, "zopp_keyring_connections", "Live connections to the keyring");
  const size = gauge(registry, "zopp_keyring_log_size", "Records in the keyring's log");
  return {
    registry,
    client: clientHooks(registry),
    informer: informerHooks(registry),
    watchElection: electionGauge(registry),
    rpc(method, code, took) {
      seconds.observe({ method, code }, took);
      if (code !== "ok") errors.inc({ code });
    },
    connections: (change) => connections.inc(change),
    logSize: (records) => size.set(records),
  };
}

function buildInfo(registry: Registry, build: BuildInfo): void {
  collectDefaultMetrics({ register: registry });
  const labels = ["component", "version", "node"];
  const info = gauge(registry, "zopp_build_info", "What runs; always 1", labels);
  info.set({ component: build.component, version: build.version, node: process.versions.node }, 1);
}

function limitGauge(registry: Registry): OperatorMetrics["client"]["limited"] {
  const made = gauge(registry, "zopp_api_limit", "Requests that may be on their way to the API server at once");
  return (requests) => made.set(requests);
}

function clientHooks(registry: Registry): Pick<OperatorMetrics["client"], "requested"> {
  const labels = ["code", "method"];
  const total = counter(registry, "rest_client_requests_total", "Requests to the API server", labels);
  const name = "rest_client_request_duration_seconds";
  const seconds = histogram(registry, name, "Time of a request to the API server", ["method"], FAST);
  return {
    requested(method, code, took) {
      total.inc({ code, method });
      seconds.observe({ method }, took);
    },
  };
}

function informerHooks(registry: Registry): OperatorMetrics["informer"] {
  const lists = counter(registry, "zopp_informer_lists_total", "Whole lists read, by resource", ["resource"]);
  const labels = ["resource", "phase", "status"];
  const failures = counter(registry, "zopp_informer_failures_total", "Lists and watches that failed", labels);
  return {
    listed: (resource) => lists.inc({ resource }),
    failed: (resource, phase, status) => failures.inc({ resource, phase, status: String(status) }),
  };
}

function queueHooks(registry: Registry): OperatorMetrics["queue"] {
  const adds = counter(registry, "workqueue_adds_total", "Keys added", ["name"]);
  const retries = counter(registry, "workqueue_retries_total", "Keys tried again", ["name"]);
  const waited = histogram(registry, "workqueue_queue_duration_seconds", "Time a key waits", ["name"], QUEUE);
  const worked = histogram(registry, "workqueue_work_duration_seconds", "Time a key is worked on", ["name"], QUEUE);
  return {
    added: (name) => adds.inc({ name }),
    retried: (name) => retries.inc({ name }),
    started: (name, seconds) => waited.observe({ name }, seconds),
    finished: (name, seconds) => worked.observe({ name }, seconds),
  };
}

function controllerHooks(registry: Registry): OperatorMetrics["controller"] {
  const total = counter(registry, "controller_runtime_reconcile_total", "Reconciles, by result", [
    "controller",
    "result",
  ]);
  const errors = counter(registry, "controller_runtime_reconcile_errors_total", "Reconciles that failed", [
    "controller",
  ]);
  const name = "controller_runtime_reconcile_time_seconds";
  const time = histogram(registry, name, "Time of a reconcile", ["controller"], FAST);
  return {
    reconciled(controller, result, seconds) {
      total.inc({ controller, result });
      if (result === "error" || result === "terminal") errors.inc({ controller });
      time.observe({ controller }, seconds);
    },
  };
}

/** Gauges that are read from the queues when somebody scrapes, so that idle queues cost nothing. */
function queueGauges(registry: Registry): OperatorMetrics["watchQueue"] {
  const queues = new Map<string, QueueSource>();
  const read = (name: string, help: string, of: (queue: QueueSource) => number, label = "name"): void => {
    const made: Gauge = new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect: () => {
        for (const [queue, source] of queues) made.set({ [label]: queue }, of(source));
      },
    });
  };
  read("workqueue_depth", "Keys that wait", (queue) => queue.depth);
  read("controller_runtime_active_workers", "Keys being worked on", (queue) => queue.activeCount, "controller");
  const longest = "workqueue_longest_running_processor_seconds";
  read(longest, "Age of the longest work", (queue) => (queue.longestActive?.forMs ?? 0) / 1000);
  read("zopp_oldest_pending_seconds", "Age of the key that waits longest", (queue) => queue.oldestWaitingMs / 1000);
  return (name, queue) => queues.set(name, queue);
}

/** client-go's name for it. */
function electionGauge(registry: Registry): OperatorMetrics["watchElection"] {
  const elections = new Map<string, () => boolean>();
  const made: Gauge = new Gauge({
    name: "leader_election_master_status",
    help: "1: leads by the Lease of this name; 0: stands by. Absent where there is no election",
    labelNames: ["name"],
    registers: [registry],
    collect: () => {
      for (const [name, leads] of elections) made.set({ name }, leads() ? 1 : 0);
    },
  });
  return (name, leads) => elections.set(name, leads);
}

function counter(registry: Registry, name: string, help: string, labelNames: readonly string[]): Counter {
  return new Counter({ name, help, labelNames, registers: [registry] });
}

function gauge(registry: Registry, name: string, help: string, labelNames: readonly string[] = []): Gauge {
  return new Gauge({ name, help, labelNames, registers: [registry] });
}

function histogram(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  buckets: number[],
): Histogram {
  return new Histogram({ name, help, labelNames, buckets, registers: [registry] });
}
