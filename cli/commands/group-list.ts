// `zopp group list`: the groups with their members and where grants and approvals name them.
import { type Result, table } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf } from "../policy-change.js";
import { placesOf } from "../principals.js";
import type { Session } from "../session.js";

/** Runs `zopp group list`. */
export async function run(session: Session): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const { environments, notes } = await environmentsOf(session, workspace);
  const groups = (workspace.object.spec.groups ?? []).map((group) => ({
    ...group,
    namedBy: placesOf(workspace, environments, `group:${group.name}`),
  }));
  const rows = groups.map(({ name, members, namedBy }) => [name, members.join(", "), namedBy.join("; ")]);
  return {
    data: { workspace: workspace.name, groups },
    names: groups.map(({ name }) => name),
    human: groups.length === 0 ? ["no groups"] : table(["NAME", "MEMBERS", "NAMED BY"], rows),
    notes,
  };
}
