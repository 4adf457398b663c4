// `zopp grant`: gives a principal or group a role: in the whole workspace or a project by an owner, in one environment
// by its admin. Where access is direct, readers also get the environment's key.
import { type GrantFlags, grantOf, grantText, refuseUnknown, roleOf, withGrant } from "../granting.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { storeChange } from "../policy-change.js";
import type { Session } from "../session.js";

/** Runs `zopp grant SUBJECT ROLE`. */
export async function run(
  session: Session,
  [subject = "", roleText]: readonly string[],
  options: GrantFlags,
): Promise<Result> {
  const grant = grantOf(session, subject, roleOf(roleText), options);
  const workspace = await acceptNamedWorkspace(session);
  refuseUnknown(workspace, subject);
  const { where, notes } = await storeChange(session, await withGrant(session, workspace, grant));
  return {
    data: { grant, where },
    names: [subject],
    human: [`${subject} has ${grantText(grant)} (${where.join(", ")})`],
    notes,
  };
}
