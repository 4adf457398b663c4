// `zopp invite list`: who is invited, until when, to what; and who waits to be admitted, where a cluster says it.
import { hasEnded } from "../../crds/policy/versions.js";
import { inviteText, requestsBy } from "../joining.js";
import { type Result, table } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import type { Session } from "../session.js";

/** Runs `zopp invite list`. */
export async function run(session: Session): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const isCluster = (await session.store()).kind === "cluster";
  const invites = await Promise.all(
    (workspace.object.spec.invites ?? []).map(async (invite) => {
      const { good } = isCluster ? await requestsBy(session, workspace, invite, {}) : { good: [] };
      const ended = hasEnded(invite.expires, session.context.now());
      return { ...invite, ended, requests: good.map(({ fingerprint, request }) => ({ fingerprint, ...request })) };
    }),
  );
  const rows = invites.map((invite) => [
    invite.name,
    `${invite.expires}${invite.ended ? " (ended)" : ""}`,
    inviteText(invite),
    invite.requests.map(({ fingerprint }) => fingerprint).join(", "),
  ]);
  return {
    data: { workspace: workspace.name, invites },
    names: invites.map(({ name }) => name),
    human: rows.length === 0 ? ["nobody is invited"] : table(["NAME", "UNTIL", "GETS", "WAITING"], rows),
  };
}
