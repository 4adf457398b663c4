// Restarts workloads whose Secrets changed: one round per namespace reads its workloads, decides (restart.plan.ts) and marks
// them. Keeps no workload and watches none; what is due stands in the status of bundles, so that nothing is lost with it.

import { targetName } from "../../crds/bundle/target.js";
import { asZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import type { ApiClient } from "../kube/client.js";
import type { Wanted } from "../kube/conditions.js";
import type { ReconcileAnswer } from "../kube/controller.js";
import { hasStatus } from "../kube/errors.js";
import type { Recorder } from "../kube/events.js";
import type { Queue } from "../kube/queue.js";
import { type ObjectMeta, placeOfKey, ZOPP_SECRETS } from "../kube/resources.js";
import { type Decision, nameOf, nextOf, notRestarted, pending, planRestarts } from "./restart.plan.js";
import {
  markedObject,
  WORKLOADS,
  type Workload,
  type WorkloadKind,
  type WorkloadObject,
  withFollowers,
  workloadOf,
} from "./workload.js";

/** The field manager of the one field that restarts write. Never renamed. */
export const RESTART_MANAGER = "zopp-operator-restarts";

/** What a round came to for one workload; the metric's label. */
export type RestartResult = "restarted" | "skipped" | "waiting" | "refused";

/** What restarts need. */
export interface RestartDeps {
  /** What may be restarted, and is looked at. */
  readonly kinds: readonly WorkloadKind[];
  readonly client: Pick<ApiClient, "list" | "apply">;
  /** Namespaces with something due. */
  readonly queue: Pick<Queue, "addAfter">;
  readonly events: Pick<Recorder, "event">;
  /** Lets a bundle's story be told again: its restart is done, or waits for something else. */
  readonly news: (key: string) => void;
  readonly restarted: (result: RestartResult) => void;
  /** How many workloads of a namespace are refused now. */
  readonly refused: (namespace: string, workloads: number) => void;
  /** Milliseconds that only grow. */
  readonly now: () => number;
}

/** How long a change waits for others, so that a burst of them is one restart. */
const BATCH_MS = 3_000;
/** How soon what waits for a rollout is looked at again. */
const RETRY_MS = 10_000;
/** Rights change seldom. */
const REFUSED_RETRY_MS = 60_000;
/** A namespace's workloads are not all restarted at once: so many in a minute. */
const PER_MINUTE = 20;
const MINUTE_MS = 60_000;
const PAGE = 100;

/** One bundle with something due. */
interface Entry {
  readonly bundle: ObjectMeta;
  readonly secret: string;
  readonly digest: string;
  /** Every workload is done. */
  readonly done: boolean;
  /** What is said while some are not. */
  readonly waits: Wanted | undefined;
}

/** What is due, by bundle. Lives as long as the process. */
export class Restarts {
  readonly #deps: RestartDeps;
  readonly #entries = new Map<string, Entry>();
  /** When workloads of a namespace were restarted, within the last minute. */
  readonly #recent = new Map<string, number[]>();
  /** What the last round of a namespace came to, so that each thing is counted once. */
  readonly #counted = new Map<string, ReadonlySet<string>>();

  constructor(deps: RestartDeps) {
    this.#deps = deps;
  }

  /** What the rounds so far came to for a bundle. */
  of(key: string): Pick<Entry, "digest" | "done" | "waits"> | undefined {
    return this.#entries.get(key);
  }

  /** The bundle's status was written, or is what it was: what is due in it will be done. */
  settled(key: string, bundle: ZoppSecret, status: SecretStatus): void {
    const digest = status.restarts?.due;
    if (digest === undefined) return this.forget(key);
    if (this.#entries.get(key)?.digest === digest) return;
    const { name, namespace = "", uid } = bundle.metadata;
    // what is due is of the Secret that was written: a bundle that is refused may name another one
    const secret = status.target?.name ?? targetName(bundle);
    this.#entries.set(key, { bundle: { name, namespace, uid }, secret, digest, done: false, waits: undefined });
    this.#deps.queue.addAfter(namespace, BATCH_MS);
  }

  /** The bundle is gone, or nothing is due. */
  forget(key: string): void {
    this.#entries.delete(key);
  }

  /** One round in a namespace. Throws when its workloads cannot be read, which is tried again. */
  async round(namespace: string, signal: AbortSignal): Promise<ReconcileAnswer> {
    const entries = [...this.#entries].filter(([key, { done }]) => !done && placeOfKey(key).namespace === namespace);
    if (entries.length === 0) return this.#rest(namespace);
    const due = new Map(entries.map(([, { secret, digest }]) => [secret, digest]));
    const { workloads, refused } = await this.#look(namespace, due, signal);
    const allowed = PER_MINUTE - this.#recentIn(namespace).length;
    // at once: no more than a namespace restarts in a minute
    const decided = await Promise.all(planRestarts(workloads, due, allowed).map((each) => this.#act(each, signal)));
    const all = [...decided, ...refused];
    this.#count(namespace, all, due);
    let waits = false;
    for (const [key, entry] of entries) {
      const concerned = all.filter(({ secrets }) => secrets.includes(entry.secret));
      if (!(await this.#conclude(key, entry, concerned))) waits = true;
    }
    if (!waits) return this.#rest(namespace);
    return { requeueAfterMs: all.some(({ step }) => step.do === "wait") ? RETRY_MS : REFUSED_RETRY_MS };
  }

  #rest(namespace: string): ReconcileAnswer {
    this.#counted.delete(namespace);
    this.#deps.refused(namespace, 0);
    // once more when the last restart counts no more: then nothing is kept of this namespace
    if (this.#recentIn(namespace).length > 0) return { requeueAfterMs: MINUTE_MS };
    this.#recent.delete(namespace);
    return {};
  }

  /** The workloads of a namespace that use one of the Secrets, condensed page by page; and kinds that may not be read. */
  async #look(namespace: string, due: ReadonlyMap<string, string>, signal: AbortSignal) {
    const workloads: Workload[] = [];
    const followers: Workload[] = [];
    const refused: Decision[] = [];
    for (const kind of this.#deps.kinds) {
      try {
        for await (const workload of this.#workloads(kind, namespace, signal)) {
          if (workload.follows !== undefined) followers.push(workload);
          else if (workload.secrets.some((name) => due.has(name))) workloads.push(workload);
        }
      } catch (error) {
        // nobody has installed Argo Rollouts
        if (hasStatus(error, 404)) continue;
        if (!hasStatus(error, 403)) throw error;
        refused.push(unreadable(kind, namespace, [...due.keys()]));
      }
    }
    return { workloads: workloads.map((each) => withFollowers(each, followers)), refused };
  }

  async *#workloads(kind: WorkloadKind, namespace: string, signal: AbortSignal): AsyncGenerator<Workload> {
    let more: string | undefined;
    do {
      const options = { namespace, limit: PAGE, continue: more, signal };
      const { items, metadata } = await this.#deps.client.list<WorkloadObject>(WORKLOADS[kind], options);
      for (const item of items) yield workloadOf(kind, item);
      more = metadata.continue === "" ? undefined : metadata.continue;
    } while (more !== undefined);
  }

  async #act(decision: Decision, signal: AbortSignal): Promise<Decision> {
    const { workload, step } = decision;
    if (step.do !== "restart") return decision;
    const options = { fieldManager: RESTART_MANAGER, metadataOnly: true, signal };
    try {
      await this.#deps.client.apply(WORKLOADS[workload.kind], markedObject(workload, step.mark), options);
      this.#recentIn(workload.namespace).push(this.#deps.now());
      return decision;
    } catch (thrown) {
      return { ...decision, step: notRestarted(asZoppError(thrown, `restarting ${nameOf(workload)}`)) };
    }
  }

  /** Tells a bundle what the round came to; true when nothing is left for it. */
  async #conclude(key: string, entry: Entry, concerned: readonly Decision[]): Promise<boolean> {
    await this.#say(entry, concerned);
    const open = concerned.filter(({ step }) => step.do === "wait" || step.do === "refused");
    const waits = pending(entry.secret, open);
    // it may have changed again while the round went on
    if (this.#entries.get(key) !== entry) return false;
    if (waits !== undefined && waits.message === entry.waits?.message) return false;
    this.#entries.set(key, { ...entry, done: waits === undefined, waits });
    this.#deps.news(key);
    return waits === undefined;
  }

  async #say({ bundle, secret, digest }: Entry, concerned: readonly Decision[]): Promise<void> {
    for (const [what, type, reason, message] of EVENTS) {
      const those = concerned.filter(({ step }) => step.do === what);
      if (those.length === 0) continue;
      const names = those.map(({ workload }) => nameOf(workload)).join(", ");
      const happening = { type, reason, message: message(names, secret, nextOf(those)), digest: `${digest} ${names}` };
      await this.#deps.events.event(ZOPP_SECRETS, bundle, happening);
    }
  }

  /** Each result of each workload for the same change is counted once, however often it is found again; what is refused now is told. */
  #count(namespace: string, decisions: readonly Decision[], due: ReadonlyMap<string, string>): void {
    const before = this.#counted.get(namespace);
    const now = new Set<string>();
    for (const { workload, secrets, step } of decisions) {
      const result = RESULTS[step.do];
      const what = JSON.stringify([result, nameOf(workload), secrets.map((name) => due.get(name))]);
      if (before?.has(what) !== true) this.#deps.restarted(result);
      now.add(what);
    }
    this.#counted.set(namespace, now);
    this.#deps.refused(namespace, decisions.filter(({ step }) => step.do === "refused").length);
  }

  #recentIn(namespace: string): number[] {
    const since = this.#deps.now() - MINUTE_MS;
    const recent = (this.#recent.get(namespace) ?? []).filter((at) => at > since);
    this.#recent.set(namespace, recent);
    return recent;
  }
}

const RESULTS = { restart: "restarted", skip: "skipped", wait: "waiting", refused: "refused" } as const;

const EVENTS = [
  ["restart", "Normal", "Restarted", (names: string, secret: string) => `the Secret ${secret} has changed: ${names}`],
  [
    "refused",
    "Warning",
    "RestartRefused",
    (names: string, secret: string, next: string) =>
      `the Secret ${secret} has changed, and the operator cannot restart ${names}; next: ${next}`,
  ],
] as const;

const RIGHT = "give the operator the right (operator.restarts in the chart's values)";

/** Stands for all workloads of a kind that may not be read. */
function unreadable(kind: WorkloadKind, namespace: string, secrets: readonly string[]): Decision {
  const nobody = { uid: "", resourceVersion: "", mark: "", idle: undefined, trouble: undefined };
  return {
    workload: { kind, namespace, name: "", secrets, ...nobody },
    secrets,
    step: { do: "refused", why: "the operator may not list them", next: RIGHT },
  };
}
