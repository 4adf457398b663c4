// What a keyring is started with.
// What it then does is keyring.ts'.
import type { Identity } from "../../crds/crypto/identity.js";
import type { ApiClient } from "../kube/client.js";
import type { Log, Tracing } from "../kube/observe.js";
import type { KeyringMetrics } from "../metrics.js";
import type { EnrolRules } from "./enrol.js";
import type { Trust } from "./pins.js";

/** What a keyring is started with. */
export interface KeyringOptions {
  readonly client: ApiClient;
  readonly identity: Identity;
  readonly namespace: string;
  readonly trust: Trust;
  readonly enrol: Pick<EnrolRules, "account" | "pod">;
  /** How many audit segments stay in the cluster; 0 = all. */
  readonly auditKeep: number;
  readonly log: Log;
  readonly metrics: KeyringMetrics;
  readonly tracing?: Tracing | undefined;
}
