// `zopp policy owners`: who owns the workspace, and how many of them sign; or other owners, or another number.
// The step from the old owners to the new ones is signed by enough of both, so that whoever was away can follow.
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import { formatPin } from "../../crds/policy/pin.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import { policyDifferences } from "../diff.policy.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { storeChange } from "../policy-change.js";
import { principalNamed } from "../principals.js";
import type { Session } from "../session.js";

/** The flags of `zopp policy owners`. */
export interface PolicyOwnersOptions {
  readonly threshold?: string;
}

/** Runs `zopp policy owners [NAME...]`. */
export async function run(session: Session, names: readonly string[], options: PolicyOwnersOptions): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  if (names.length === 0 && options.threshold === undefined) return list(workspace);
  const present = workspaceContent(workspace.object);
  const principals = names.length === 0 ? present.owners.principals : names;
  const owners = { threshold: thresholdOf(options.threshold, present.owners.threshold, principals.length), principals };
  for (const name of principals) refuseNobody(workspace, name);
  const content = { ...present, owners };
  const changes = policyDifferences(workspace.object.spec, { ...workspace.object.spec, owners });
  if (changes.length === 0)
    throw new ZoppError("AlreadyExists", `workspace ${workspace.name} has these owners already`);
  const { where, notes, proposed } = await storeChange(session, { workspace, content });
  return {
    data: { owners, proposed, where },
    names: principals,
    human: [...changes, `owners: ${ownersText(owners)} (${where.join(", ")})`],
    notes,
  };
}

function list({ name, owners, ownersDigest, version }: AcceptedWorkspace): Result {
  const pin = formatPin({ workspace: name, owners: ownersDigest, minVersion: version });
  const { threshold, principals } = owners;
  return {
    data: { owners: { threshold, principals: principals.map((owner) => owner.name) }, pin },
    names: principals.map((owner) => owner.name),
    human: [ownersText({ threshold, principals: principals.map((owner) => owner.name) }), `pin: ${pin}`],
  };
}

function ownersText({ threshold, principals }: { threshold: number; principals: readonly string[] }): string {
  return `${principals.join(", ")}; ${threshold} of ${principals.length} sign${threshold === 1 ? "s" : ""}`;
}

function thresholdOf(text: string | undefined, present: number, owners: number): number {
  const threshold = text === undefined ? present : Number(text);
  if (/^[1-9]\d?$/.test(text ?? "1") && threshold <= owners) return threshold;
  throw new ZoppError("Usage", `--threshold is how many of the ${owners} owners sign: from 1 to ${owners}`);
}

function refuseNobody(workspace: AcceptedWorkspace, name: string): void {
  const { kind, expires, devices = [] } = principalNamed(workspace, name);
  if (kind === "person" && devices.length > 0 && expires === undefined) return;
  throw new ZoppError("Usage", `an owner is a person with a device and without an end, which ${name} is not`);
}
