// The policy that lies in the API: workspaces, environments and baselines, followed together.
// What of it is in force is policy.ts' business.
import type { ApiClient } from "../kube/client.js";
import { Informer } from "../kube/informer.js";
import type { Log } from "../kube/observe.js";
import { ZOPP_BASELINES, ZOPP_ENVIRONMENTS, ZOPP_WORKSPACES } from "../kube/resources.js";
import type { KeyringMetrics } from "../metrics.js";
import type { Reviewed } from "./policy.types.js";

/** What is watched with. */
interface Watching {
  readonly client: ApiClient;
  readonly log: Log;
  readonly hooks: KeyringMetrics["informer"];
}

/** All of it. Live from `start` to `stop`. */
export class WatchedPolicy {
  readonly #workspaces: Informer;
  readonly #others: readonly [environments: Informer, baselines: Informer];

  constructor(watching: Watching) {
    this.#workspaces = new Informer({ ...watching, resource: ZOPP_WORKSPACES });
    this.#others = [
      new Informer({ ...watching, resource: ZOPP_ENVIRONMENTS }),
      new Informer({ ...watching, resource: ZOPP_BASELINES }),
    ];
  }

  start(onChange: () => void): void {
    for (const informer of this.#all) {
      informer.onChange(onChange);
      informer.start();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((informer) => informer.stop()));
  }

  get hasSynced(): boolean {
    return this.#all.every(({ hasSynced }) => hasSynced);
  }

  /** An environment is only judged when all workspaces are known, and a first use needs all of them too. */
  async workspacesKnown(): Promise<void> {
    if (!this.#workspaces.hasSynced) await this.#workspaces.synced().catch(() => {});
  }

  /** What lies there now. */
  present(): Reviewed {
    const [environments, baselines] = this.#others;
    return {
      workspaces: [...this.#workspaces.list()],
      environments: [...environments.list()],
      baselines: [...baselines.list()],
    };
  }

  get #all(): readonly Informer[] {
    return [this.#workspaces, ...this.#others];
  }
}
