// How a process of zopp stands for election: under a name that no other one ever has, by a client of its own, and it ends
// when it has lost. Which Lease it stands for, and what it does when it leads, is its main's business.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { VERSION } from "../crds/version.js";
import { type ApiClient, connect } from "./kube/client.js";
import type { ElectionOptions } from "./kube/lease.js";
import type { Log } from "./kube/observe.js";

/** What a candidate of either program needs; `client` is its maker's to close. */
export type Candidate = Pick<ElectionOptions, "identity" | "log" | "lost"> & { readonly client: ApiClient };

/** A candidate of this program. One that loses ends its process: another may write already. Throws as `connect`. */
export async function candidate(program: string, kubeconfig: string | undefined, log: Log): Promise<Candidate> {
  const client = await connect({ file: kubeconfig, userAgent: `${program}/${VERSION} leader-election` });
  const lost: ElectionOptions["lost"] = (err) => {
    log.error({ err }, "does not lead any more: ends, and stands by when it is started again");
    process.exit(1);
  };
  return { client, identity: `${hostname()}_${randomUUID()}`, log, lost };
}
