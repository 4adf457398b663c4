// `zopp token revoke`: takes a service out with all that it was granted: its token opens and signs nothing any more.
import { ZoppError } from "../../crds/errors.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { principalNamed } from "../principals.js";
import { removePrincipal } from "../removal.js";
import type { Session } from "../session.js";
import { removedResult } from "./principal-remove.js";

/** Runs `zopp token revoke NAME`. */
export async function run(
  session: Session,
  [name = ""]: readonly string[],
  options: { readonly compromised?: boolean },
): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const principal = principalNamed(workspace, name);
  if (principal.kind !== "service")
    throw new ZoppError("Usage", `${name} is a ${principal.kind} and has no token: see \`zopp principal remove\``);
  return removedResult(name, await removePrincipal(session, workspace, principal, options.compromised === true));
}
