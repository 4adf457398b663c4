// `zopp group remove`: takes members out of a group, or a whole group that nothing names any more.
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { Group } from "../../crds/types.gen.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf, storeChange } from "../policy-change.js";
import { placesOf } from "../principals.js";
import type { Session } from "../session.js";

/** Runs `zopp group remove NAME [MEMBER...]`. */
export async function run(session: Session, [name = "", ...words]: readonly string[]): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const present = workspaceContent(workspace.object);
  const groups = present.groups ?? [];
  const group = groups.find((each) => each.name === name);
  if (group === undefined) throw new ZoppError("NotFound", `workspace ${workspace.name} names no group ${name}`);
  const next =
    words.length === 0
      ? await withoutGroup(session, workspace, groups, group)
      : groups.map((each) => (each === group ? withoutMembers(group, words) : each));
  const { where, notes, lost } = await storeChange(session, { workspace, content: { ...present, groups: next } });
  const left = next.find((each) => each.name === name);
  return {
    data: { group: left ?? name, removed: words.length === 0 ? group.members : words, lost, where },
    names: [name],
    human: [
      left === undefined
        ? `removed group ${name} (${where.join(", ")})`
        : `group ${name}: ${left.members.join(", ") || "no members"} (${where.join(", ")})`,
    ],
    notes,
  };
}

async function withoutGroup(
  session: Session,
  workspace: AcceptedWorkspace,
  groups: readonly Group[],
  group: Group,
): Promise<readonly Group[]> {
  const { environments } = await environmentsOf(session, workspace);
  const places = placesOf(workspace, environments, `group:${group.name}`);
  if (places.length === 0) return groups.filter((each) => each !== group);
  throw new ZoppError("StillNeeded", `group ${group.name} is still named by ${places.join("; ")}`);
}

function withoutMembers(group: Group, words: readonly string[]): Group {
  const stranger = words.find((word) => !group.members.includes(word));
  if (stranger !== undefined) {
    const members = group.members.join(", ") || "none";
    throw new ZoppError("NotFound", `group ${group.name} has no member ${stranger}; it has ${members}`);
  }
  return { ...group, members: group.members.filter((member) => !words.includes(member)) };
}
