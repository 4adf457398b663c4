// `zopp invite revoke`: takes an invite out of the policy; its code is worth nothing where that has arrived.
import { workspaceContent } from "../../crds/policy/edit.js";
import { inviteNamed, withInvites } from "../joining.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { storeChange } from "../policy-change.js";
import type { Session } from "../session.js";

/** Runs `zopp invite revoke NAME`. */
export async function run(session: Session, [name = ""]: readonly string[]): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const invite = inviteNamed(workspace, name);
  const present = workspaceContent(workspace.object);
  const invites = (present.invites ?? []).filter((each) => each !== invite);
  const content = withInvites(present, invites, session.context.now());
  const { where, notes } = await storeChange(session, { workspace, content });
  return {
    data: { revoked: name, where },
    names: [name],
    human: [`the invite of ${name} is worth nothing any more (${where.join(", ")})`],
    notes,
  };
}
