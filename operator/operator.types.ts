// What the operator is made of, and what its parts share. How they are put together is operator.ts'.
import type { ZoppEnvironment } from "../crds/types.gen.js";
import type { PolicyBook, PolicyKind } from "./controllers/policy.book.js";
import type { PolicyObject } from "./controllers/policy.js";
import type { WorkloadKind } from "./controllers/workload.js";
import type { KeyringClient } from "./keyring/client.types.js";
import type { ApiClient } from "./kube/client.js";
import type { Controller } from "./kube/controller.js";
import type { Recorder } from "./kube/events.js";
import type { Informer } from "./kube/informer.js";
import type { Log, Tracing } from "./kube/observe.js";
import type { Queue } from "./kube/queue.js";
import type { Resource } from "./kube/resources.js";
import type { OperatorMetrics } from "./metrics.js";

/** What the operator is made of. */
export interface OperatorParts {
  readonly client: ApiClient;
  readonly keyring: KeyringClient;
  readonly log: Log;
  readonly metrics: OperatorMetrics;
  readonly tracing?: Tracing | undefined;
  /** Namespaces to serve one by one; absent = all. */
  readonly namespaces?: readonly string[] | undefined;
  readonly workers: number;
  /** How long before the end of a value its bundle says so, in milliseconds. */
  readonly expiryWarning: number;
  /** How many applied states of each bundle are kept; 0 = none, and nothing is asked of the API server for it. */
  readonly history: number;
  /** Kinds of workloads to restart; empty = none is ever looked at. */
  readonly restarts: readonly WorkloadKind[];
  /** Whether Jobs are run before new generated values are published. */
  readonly rotationJobs: "on" | "off";
  /** The pod's name: who speaks in Events. */
  readonly instance: string;
}

/** What bundles share with policy. */
export interface SecretsParts {
  readonly book: PolicyBook;
  readonly events: Recorder;
  readonly environments: Informer<ZoppEnvironment>;
}

/** One kind of policy objects. */
export interface PolicyParts {
  readonly resource: Resource;
  readonly informer: Informer<PolicyObject>;
  readonly kind: PolicyKind;
  readonly book: PolicyBook;
  readonly events: Recorder;
}

/** One queue and who works through it; policy is worked on by whoever has what is in no namespace. */
export interface Work {
  readonly queue: Queue;
  readonly controller: Controller;
  readonly isPolicy: boolean;
}
