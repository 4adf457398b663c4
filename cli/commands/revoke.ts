// `zopp revoke`: takes back what `grant` gave. Where access is direct, who reads no longer loses the environment's key.
// What was written under the grant stays where keyrings have accepted it.
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { Grant } from "../../crds/types.gen.js";
import { grantText, isFor, roleOf, scopeOf, without } from "../granting.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf, storeChange } from "../policy-change.js";
import { rightsOf } from "../principals.js";
import type { Session } from "../session.js";

/** Runs `zopp revoke SUBJECT ROLE`. */
export async function run(
  session: Session,
  [subject = "", roleText]: readonly string[],
  options: { readonly scope?: string },
): Promise<Result> {
  const grant: Grant = { subject, role: roleOf(roleText), scope: scopeOf(session, options.scope) };
  const { scope, ...own } = grant;
  const workspace = await acceptNamedWorkspace(session);
  const { environments } = await environmentsOf(session, workspace);
  const present = workspaceContent(workspace.object);
  const grants = without(present.grants ?? [], (other) => isFor(other, grant));
  const isThere = environments.some(
    (each) => each.scope === scope && each.object.spec.grants?.some((other) => isFor(other, own)),
  );
  const inWorkspace = grants.length < (present.grants?.length ?? 0);
  if (!inWorkspace && !isThere) {
    const has = rightsOf(workspace, environments, subject, session.context.now()).map(grantText);
    throw new ZoppError(
      "NotFound",
      `${subject} has no grant of ${grantText(grant)}; it has ${has.length === 0 ? "none" : has.join("; ")}`,
    );
  }
  const { where, notes, lost, ...after } = await storeChange(session, {
    workspace,
    content: inWorkspace ? { ...present, grants } : undefined,
    regrant: (before, at) => (at === scope ? without(before, (other) => isFor(other, own)) : before),
  });
  const now = await environmentsOf(session, after.workspace);
  const left = rightsOf(after.workspace, now.environments, subject, session.context.now());
  return {
    data: { revoked: grant, left, lost, where },
    names: [subject],
    human: [
      `${subject} has no longer ${grantText(grant)} (${where.join(", ")})`,
      ...(left.length === 0 ? [] : [`it still has ${left.map(grantText).join("; ")}`]),
    ],
    notes,
  };
}
