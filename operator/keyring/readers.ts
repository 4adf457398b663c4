// Who reads for himself, and what he may read now: a device that policy names, or an enrolled workload.
// Names are looked up in the policy of each bundle, at every call: the same key may be somebody else in another workspace.
import { valueKeys } from "../../crds/bundle/target.js";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { rightsIn } from "../../crds/policy/environment.js";
import { may } from "../../crds/policy/rights.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { Principal, ZoppSecret } from "../../crds/types.gen.js";
import type { Enrolment } from "./enrol.js";
import type { ServedEnvironment } from "./policy.types.js";

/** Who a caller is by the policy that decides about a bundle. */
export interface Reader {
  readonly principal: string;
  /** `principal/device`, or `principal/pod`. */
  readonly actor: string;
  /** A person may look at what waits for approval; services and workloads use what they read. */
  readonly isPerson: boolean;
}

/** Finds the caller in a policy; undefined when it does not name him. */
export type ReaderIn = (served: ServedEnvironment) => Reader | undefined;

/** How policy finds a caller who asks for himself; undefined for the operator, which asks for nobody. */
export function readerOf(key: VerifyKey, enrolment: Enrolment | null): ReaderIn | undefined {
  if (enrolment === null) return deviceReader(key);
  return enrolment.role === "operator" ? undefined : workloadReader(enrolment.account, enrolment.pod);
}

/** The reader that a device's key is. */
function deviceReader(key: VerifyKey): ReaderIn {
  return ({ workspace }) => {
    const signer = workspace.roster.signers.get(key.kid);
    if (signer?.key.text !== key.text) return undefined;
    const { name, kind } = signer.principal;
    return { principal: name, actor: `${name}/${signer.device.name}`, isPerson: kind === "person" };
  };
}

/** The reader that a pod of a ServiceAccount (`namespace/name`) of this keyring's cluster is. */
function workloadReader(account: string, pod: string): ReaderIn {
  return ({ workspace, cluster }) => {
    const principal = workloadOf(workspace, cluster?.name, account);
    if (principal === undefined) return undefined;
    return { principal: principal.name, actor: `${principal.name}/${pod}`, isPerson: false };
  };
}

/** The workload principal of an account in a cluster: accounts of the same name in two clusters are two. */
export function workloadOf(
  { object }: AcceptedWorkspace,
  cluster: string | undefined,
  account: string,
): Principal | undefined {
  return object.spec.principals.find(
    (principal) =>
      principal.kind === "workload" && principal.serviceAccount === account && principal.cluster === cluster,
  );
}

/**
 * The keys of a bundle that a reader may have now: those that he names, or all that he may read. Throws NotAuthorised
 * for a key that he may not read, and when there is none that he may.
 */
export function readableKeys(
  secret: ZoppSecret,
  served: ServedEnvironment,
  { principal }: Reader,
  wanted: readonly string[],
  now: Date,
): ReadonlySet<string> {
  const rights = rightsIn(served.workspace, served.environment, now);
  const reads = (key: string) => may(rights, principal, "read", key);
  const { namespace, name } = secret.metadata;
  const refuse = (what: string) =>
    new ZoppError("NotAuthorised", `${principal} may not read ${what} of bundle ${namespace}/${name}`);
  const denied = wanted.find((key) => !reads(key));
  if (denied !== undefined) throw refuse(denied);
  if (wanted.length > 0) return new Set(wanted);
  const keys = [...new Set([...Object.keys(secret.spec.data ?? {}), ...valueKeys(secret)])];
  const readable = keys.filter(reads);
  if (readable.length === 0 && keys.length > 0) throw refuse("anything");
  return new Set(readable);
}
