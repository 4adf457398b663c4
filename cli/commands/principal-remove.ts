// `zopp principal remove`: takes a principal out of everything that names it. What runs goes on running.
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { principalNamed } from "../principals.js";
import { type Removed, removePrincipal } from "../removal.js";
import type { Session } from "../session.js";

/** Runs `zopp principal remove NAME`. */
export async function run(
  session: Session,
  [name = ""]: readonly string[],
  options: { readonly compromised?: boolean },
): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const principal = principalNamed(workspace, name);
  return removedResult(name, await removePrincipal(session, workspace, principal, options.compromised === true));
}

/** What is said of a principal or device that was taken out. */
export function removedResult(what: string, { lost, read, signed, where, notes }: Removed): Result {
  return {
    data: { removed: what, lost, read, signed, where },
    names: [what],
    human: [`removed ${what} (${where.join(", ")}): nothing that runs changes, and nothing new of it is accepted`],
    notes,
  };
}
