// `zopp environment create`: a new environment with its own key, named in the policy and wrapped to its recipients.
// Brokered environments are opened by keyrings only, so they need a cluster.
import { newEnvironmentKey } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { Cluster, WorkspaceEnvironment } from "../../crds/types.gen.js";
import { storeAmendment } from "../amend.js";
import { refuseUnknown } from "../granting.js";
import type { Result } from "../output.js";
import { acceptWorkspace, environmentName, signerOf } from "../policy.js";
import type { Session } from "../session.js";
import { environmentPath, pathText } from "../settings.js";
import { environmentRecipients, wrapToAll } from "../wrapping.js";
import { kemOf, oneOf } from "./options.js";

/** The flags of `zopp environment create`. */
export interface EnvironmentCreateOptions {
  readonly namespace?: readonly string[];
  readonly access?: string;
  readonly kem?: string;
  readonly cluster?: readonly string[];
  readonly approvals?: string;
  readonly approver?: readonly string[];
}

/** Runs `zopp environment create PATH`. */
export async function run(
  session: Session,
  [text]: readonly string[],
  options: EnvironmentCreateOptions,
): Promise<Result> {
  const path = environmentPath(text, session.settings);
  const scope = `${path.project}/${path.environment}`;
  const access = oneOf("--access", options.access, ["brokered", "direct"]) ?? "brokered";
  const kem = kemOf(options.kem);
  const namespaces = options.namespace ?? [];
  if (namespaces.length === 0)
    throw new ZoppError("Usage", "name at least one namespace: --namespace NAME, or a prefix and one final *");
  const workspace = await acceptWorkspace(session, path.workspace);
  const { spec } = workspace.object;
  if (spec.environments?.some(({ name }) => name === scope))
    throw new ZoppError("AlreadyExists", `the policy names the environment ${pathText(path)} already`);
  const clusters = chosenClusters(workspace, options.cluster);
  const approvals = approvalsOf(workspace, options);
  if (access === "brokered" && clusters.length === 0) {
    throw new ZoppError(
      "NoRecipient",
      `environment ${pathText(path)} would be brokered, but there is no cluster whose keyring could open it`,
    );
  }
  const identity = await session.identity();
  signerOf(workspace, identity);
  const now = session.context.now();
  const recipients = environmentRecipients(spec, { access, scope, grants: [], clusters }, now);
  const { privateKey, public: publicKey } = newEnvironmentKey(kem);
  const sealed = await wrapToAll(recipients, { ...path, epoch: 1 }, privateKey);
  privateKey.fill(0);
  const names = clusters.map(({ name }) => name);
  const rule = {
    name: scope,
    namespaces,
    ...(names.length === 0 ? {} : { clusters: names }),
    ...(approvals === undefined ? {} : { approvals }),
  };
  const keys = [{ epoch: 1, binding: "object" as const, public: publicKey.text, sealed }];
  const amended = await storeAmendment(session, {
    workspace,
    identity,
    content: { ...workspaceContent(workspace.object), environments: [...(spec.environments ?? []), rule] },
    environments: [{ content: { ...path, access, keys } }],
  });
  const reach = access === "direct" ? "read with people's own keys" : "read through keyrings";
  return {
    data: {
      environment: pathText(path),
      access,
      kem,
      namespaces,
      clusters: names,
      recipients: sealed.map(({ to }) => to),
      where: amended.where,
    },
    names: [`zoppenvironment/${environmentName(path)}`],
    human: [
      `created ${pathText(path)} (${access}: ${reach}) for ${namespaces.join(", ")}${names.length === 0 ? "" : `, on ${names.join(", ")}`}`,
      `written: ${amended.where.join(", ")}`,
    ],
    notes: amended.notes,
  };
}

/** The approvals that the owners ask for; undefined = none. Throws Usage, NotFound. */
function approvalsOf(
  workspace: AcceptedWorkspace,
  { approvals, approver: approvers = [] }: EnvironmentCreateOptions,
): WorkspaceEnvironment["approvals"] {
  if (approvals === undefined && approvers.length === 0) return undefined;
  const required = Number(approvals ?? 1);
  if (!/^[1-9]$/.test(approvals ?? "1") || approvers.length === 0)
    throw new ZoppError("Usage", "approvals read --approvals COUNT (1 to 9) --approver PRINCIPAL, or group:NAME");
  for (const subject of approvers) refuseUnknown(workspace, subject);
  return { required, approvers };
}

/** The named clusters, or all that the policy has. Throws NotFound. */
function chosenClusters(workspace: AcceptedWorkspace, names: readonly string[] | undefined): readonly Cluster[] {
  const { clusters = [] } = workspace.object.spec;
  const missing = names?.find((name) => !clusters.some((cluster) => cluster.name === name));
  if (missing !== undefined)
    throw new ZoppError("NotFound", `the policy names no cluster ${missing}: \`zopp cluster add\` adds one`);
  return names === undefined ? clusters : clusters.filter(({ name }) => names.includes(name));
}
