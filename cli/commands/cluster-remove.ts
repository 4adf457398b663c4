// `zopp cluster remove`: a cluster's keyring is named no more, and environment keys are wrapped to it no more.
// What it had it may have kept: whether that matters is for people to say, and a rekey's business.
import { parseEncryptionKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import { refuseStranger, storeAmendment } from "../amend.js";
import { rekeyNote } from "../cluster-wrap.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf } from "../policy-change.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";
import { withoutWraps } from "../wrapping.js";

/** Runs `zopp cluster remove NAME`. */
export async function run(session: Session, [text]: readonly string[]): Promise<Result> {
  const name = label("cluster", text);
  const workspace = await acceptNamedWorkspace(session);
  const identity = await session.identity();
  const content = workspaceContent(workspace.object);
  const cluster = content.clusters?.find((each) => each.name === name);
  if (cluster === undefined) throw new ZoppError("NotFound", `workspace ${workspace.name} names no cluster ${name}`);
  refuseStranger(workspace, identity);
  const workloads = content.principals.filter((each) => each.cluster === name).map((each) => each.name);
  if (workloads.length > 0)
    throw new ZoppError("StillNeeded", `cluster ${name}: workloads of it are in the policy: ${workloads.join(", ")}`);
  const { environments, notes } = await environmentsOf(session, workspace);
  const kid = parseEncryptionKey(cluster.encryptionKey)?.kid ?? "";
  const had = environments.flatMap((accepted) => {
    const left = withoutWraps(accepted, [kid]);
    return left === undefined ? [] : { accepted, content: left };
  });
  const rules = (content.environments ?? []).map((rule) => {
    const { clusters, ...rest } = rule;
    const left = clusters?.filter((each) => each !== name) ?? [];
    return left.length === 0 ? rest : { ...rest, clusters: left };
  });
  const amended = await storeAmendment(session, {
    workspace,
    identity,
    content: { ...content, clusters: content.clusters?.filter((each) => each !== cluster), environments: rules },
    environments: had,
  });
  const paths = had.map(({ accepted }) => accepted.path);
  return {
    data: { cluster: name, environments: paths, where: amended.where },
    names: [name],
    human: [
      `cluster ${name} is out of the policy`,
      `served until now: ${paths.length === 0 ? "no environment" : paths.join(", ")}`,
      `written: ${amended.where.join(", ")}`,
    ],
    notes: [...amended.notes, ...notes, ...paths.map((path) => rekeyNote(`the keyring of ${name}`, path))],
  };
}
