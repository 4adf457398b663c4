// `zopp group add`: puts principals into a group, which it makes where it is not there.
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { storeChange } from "../policy-change.js";
import { principalNamed } from "../principals.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";

/** Runs `zopp group add NAME MEMBER...`. */
export async function run(session: Session, [text, ...words]: readonly string[]): Promise<Result> {
  const name = label("group", text);
  const workspace = await acceptNamedWorkspace(session);
  const present = workspaceContent(workspace.object);
  const groups = present.groups ?? [];
  const known = groups.find((group) => group.name === name);
  const members = [...new Set(words)].map((word) => principalNamed(workspace, word).name);
  const fresh = members.filter((member) => known?.members.includes(member) !== true);
  if (fresh.length === 0)
    throw new ZoppError("AlreadyExists", `group ${name} has ${members.join(", ")} as members already`);
  const group = { name, members: [...(known?.members ?? []), ...fresh] };
  const next = known === undefined ? [...groups, group] : groups.map((each) => (each === known ? group : each));
  const { where, notes } = await storeChange(session, { workspace, content: { ...present, groups: next } });
  const how = known === undefined ? "made group" : "group";
  return {
    data: { group, added: fresh, where },
    names: [name],
    human: [`${how} ${name}: ${group.members.join(", ")} (${where.join(", ")})`],
    notes,
  };
}
