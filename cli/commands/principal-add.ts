// `zopp principal add`: a person or service with a first device, whose public keys an owner was told by a safe way; or a
// workload, known by its ServiceAccount. It may do nothing until it is granted something.
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { Principal } from "../../crds/types.gen.js";
import { isBundleName } from "../bundles.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf, storeChange } from "../policy-change.js";
import { type DeviceFlags, deviceOf, newPrincipal } from "../principals.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";
import { expiryOf, oneOf } from "./options.js";

/** The flags of `zopp principal add`. */
export interface PrincipalAddOptions extends DeviceFlags {
  readonly kind?: string;
  readonly device?: string;
  readonly expires?: string;
  readonly workload?: string;
  readonly cluster?: string;
}

/** Runs `zopp principal add NAME`. */
export async function run(session: Session, [name]: readonly string[], options: PrincipalAddOptions): Promise<Result> {
  const facts = options.workload === undefined ? await withDevice(session, options) : workloadOf(options);
  const expires = expiryOf(options.expires, session.context.now());
  const workspace = await acceptNamedWorkspace(session);
  refuseUnknownCluster(workspace, facts.cluster);
  const { environments } = await environmentsOf(session, workspace);
  const ending = expires === undefined ? {} : { expires };
  const principal = newPrincipal(workspace, environments, { name: label("name", name), ...facts, ...ending });
  const present = workspaceContent(workspace.object);
  const { where, notes } = await storeChange(session, {
    workspace,
    content: { ...present, principals: [...present.principals, principal] },
  });
  return { ...told(principal, where), names: [principal.name], notes };
}

type Facts = Omit<Principal, "name" | "expires">;

async function withDevice(session: Session, options: PrincipalAddOptions): Promise<Facts> {
  if (options.cluster !== undefined)
    throw new ZoppError("Usage", "--cluster is for a workload: --workload NAMESPACE/ACCOUNT");
  const kind = oneOf("--kind", options.kind, ["person", "service"]) ?? "person";
  const device = await deviceOf(session.context, label("device", options.device ?? "first"), options);
  return { kind, devices: [device] };
}

/** A workload has no keys of its own: the cluster vouches for its pods, each for an hour. */
function workloadOf({ workload = "", cluster, ...options }: PrincipalAddOptions): Facts {
  const flag = (["kind", "device", "signingKey", "encryptionKey", "from"] as const).find(
    (each) => options[each] !== undefined,
  );
  if (flag !== undefined) throw new ZoppError("Usage", "a workload has no device: give --workload and --cluster alone");
  if (cluster === undefined)
    throw new ZoppError("Usage", "name the workload's cluster by --cluster, as policy names it");
  const [namespace = "", account = "", ...more] = workload.split("/");
  if (more.length > 0 || !isBundleName(namespace) || !isBundleName(account))
    throw new ZoppError("Usage", "--workload reads NAMESPACE/SERVICEACCOUNT");
  return { kind: "workload", cluster, serviceAccount: workload };
}

function refuseUnknownCluster({ name, object }: AcceptedWorkspace, cluster: string | undefined): void {
  const clusters = (object.spec.clusters ?? []).map((each) => each.name);
  if (cluster === undefined || clusters.includes(cluster)) return;
  throw new ZoppError(
    "NotFound",
    `workspace ${name} has no cluster ${cluster}; its clusters: ${clusters.join(", ") || "none"}`,
  );
}

function told(principal: Principal, where: readonly string[]): Pick<Result, "data" | "human"> {
  const { name, kind, devices: [device] = [], cluster, serviceAccount } = principal;
  const at = `(${where.join(", ")})`;
  if (device === undefined) {
    const human = [
      `added ${name}: pods of ${serviceAccount} in ${cluster} ${at}`,
      `then: zopp grant ${name} read --scope PROJECT/ENVIRONMENT --keys PATTERN`,
    ];
    return { data: { principal, where }, human };
  }
  const kid = parseVerifyKey(device.signingKey)?.kid ?? "";
  const human = [
    `added ${name} (${kind}) with the device ${device.name}, which signs as ${kid} ${at}`,
    `compare ${kid} with \`zopp whoami\` there; then: zopp grant ${name} ROLE`,
  ];
  return { data: { principal, kid, where }, human };
}
