// Takes a principal or one of its devices out of everything that names it, and says what it may have kept.
// What follows for environments is policy-change.ts' business.
import { parseVerifyKey } from "../crds/crypto/keys.js";
import { ZoppError } from "../crds/errors.js";
import { type WorkspaceContent, workspaceContent } from "../crds/policy/edit.js";
import { rightsIn } from "../crds/policy/environment.js";
import { grantsOf, includesRead } from "../crds/policy/rights.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { Device, Principal } from "../crds/types.gen.js";
import { refuseStranger } from "./amend.js";
import { without } from "./granting.js";
import { type Changed, environmentsOf, storeChange } from "./policy-change.js";
import type { Session } from "./session.js";
import { parseFound } from "./store/store.js";
import { unlessRefused } from "./unless-refused.js";

/** What devices signed that lies in the store: keyrings keep what they have accepted, new ones do not take it. */
export interface SignedBundle {
  readonly bundle: string;
  /** The header's signer left: the next `set` must sign it again. */
  readonly header: boolean;
  readonly keys: readonly string[];
}

/** What a removal did. */
export interface Removed extends Changed {
  /** Brokered environments that the principal could read through keyrings. */
  readonly read: readonly string[];
  readonly signed: readonly SignedBundle[];
}

/** Takes a principal out of the workspace and its environments. Throws StillNeeded, and as storeChange. */
export async function removePrincipal(
  session: Session,
  workspace: AcceptedWorkspace,
  principal: Principal,
  compromised: boolean,
): Promise<Removed> {
  const { name, devices = [] } = principal;
  refuseStranger(workspace, await session.identity());
  const content = withoutPrincipal(workspace, name);
  const { environments } = await environmentsOf(session, workspace);
  const now = session.context.now();
  const read = environments.filter(
    (each) =>
      each.object.spec.access === "brokered" &&
      grantsOf(rightsIn(workspace, each, now), name).some(({ role }) => includesRead(role)),
  );
  const changed = await storeChange(session, {
    workspace,
    content,
    regrant: (grants) => without(grants, ({ subject }) => subject === name),
  });
  const signed = await signedBy(session, workspace, devices);
  const paths = read.map(({ path }) => path);
  const notes = [
    ...changed.notes,
    ...paths.map(
      (path) => `${name} could read ${path} through its keyrings, and may know its values; it needs no new key`,
    ),
    ...signedNotes(name, signed),
    ...(compromised ? COMPROMISED : []),
  ];
  return { ...changed, read: paths, signed, notes };
}

const COMPROMISED = [
  "compromised: this stops what is signed or opened from now on, and only where the new policy has arrived; bring it to every cluster at once: `zopp policy offer`",
  "compromised: change every value that it could open at its source, first of all; nothing in zopp can call back what was read; `zopp exposure NAME` lists these values",
  "compromised: look through what its devices signed last, and set again what is not as it should be: keyrings keep what they accepted before this",
];

/** The workspace's content without a principal. Throws StillNeeded where the owners' threshold would not hold. */
function withoutPrincipal(workspace: AcceptedWorkspace, name: string): WorkspaceContent {
  const content = workspaceContent(workspace.object);
  const owners = content.owners.principals.filter((owner) => owner !== name);
  if (owners.length < content.owners.threshold) {
    const text = `workspace ${workspace.name} is signed by ${content.owners.threshold} of its owners, and without ${name} there are ${owners.length}: name another owner first`;
    throw new ZoppError("StillNeeded", text);
  }
  const { groups, grants, environments, invites } = content;
  return {
    ...content,
    owners: { ...content.owners, principals: owners },
    principals: content.principals.filter((principal) => principal.name !== name),
    ...(groups === undefined
      ? {}
      : { groups: groups.map((group) => ({ ...group, members: group.members.filter((member) => member !== name) })) }),
    ...(grants === undefined ? {} : { grants: grants.filter(({ subject }) => subject !== name) }),
    ...(invites === undefined ? {} : { invites: invites.filter((invite) => invite.name !== name) }),
    ...(environments === undefined
      ? {}
      : {
          environments: environments.map((rule) =>
            rule.approvals === undefined
              ? rule
              : {
                  ...rule,
                  approvals: { ...rule.approvals, approvers: rule.approvals.approvers.filter((one) => one !== name) },
                },
          ),
        }),
  };
}

/** Takes one device of several. Throws NotFound, StillNeeded, and as storeChange. */
export async function removeDevice(
  session: Session,
  workspace: AcceptedWorkspace,
  { name, devices = [] }: Principal,
  deviceName: string,
): Promise<Removed> {
  const device = devices.find((each) => each.name === deviceName);
  if (device === undefined) {
    const names = devices.map((each) => each.name).join(", ") || "none";
    throw new ZoppError("NotFound", `principal ${name} has no device ${deviceName}; it has ${names}`);
  }
  const rest = devices.filter((each) => each !== device);
  if (rest.length === 0) {
    const text = `device ${deviceName} is the only one of principal ${name}: add another first, or take out ${name} by \`zopp principal remove\``;
    throw new ZoppError("StillNeeded", text);
  }
  const present = workspaceContent(workspace.object);
  const principals = present.principals.map((each) => (each.name === name ? { ...each, devices: rest } : each));
  const changed = await storeChange(session, { workspace, content: { ...present, principals } });
  const signed = await signedBy(session, workspace, [device]);
  return { ...changed, read: [], signed, notes: [...changed.notes, ...signedNotes(`${name}/${deviceName}`, signed)] };
}

/** Bundles of the workspace in the store whose header or entries these devices signed last. */
async function signedBy(
  session: Session,
  workspace: AcceptedWorkspace,
  devices: readonly Device[],
): Promise<readonly SignedBundle[]> {
  const kids = new Set(devices.map(({ signingKey }) => parseVerifyKey(signingKey)?.kid));
  const { objects } = await (await session.store()).contents();
  return objects.flatMap(({ kind, value, where }) => {
    if (kind !== "ZoppSecret") return [];
    // one that is broken is `verify`'s business
    const secret = unlessRefused(() => parseFound("ZoppSecret", value, where));
    if (secret?.spec.environment.split("/")[0] !== workspace.name) return [];
    const keys = Object.entries(secret.spec.data ?? {}).flatMap(([key, { by }]) => (kids.has(by) ? [key] : []));
    const header = kids.has(secret.spec.header.by);
    return header || keys.length > 0
      ? [{ bundle: `${secret.metadata.namespace}/${secret.metadata.name}`, header, keys }]
      : [];
  });
}

function signedNotes(who: string, signed: readonly SignedBundle[]): readonly string[] {
  if (signed.length === 0) return [];
  const list = signed.map(
    ({ bundle, header, keys }) => `${bundle} (${[...(header ? ["header"] : []), ...keys].join(", ")})`,
  );
  return [
    `${who} signed what lies in ${list.join(", ")}: it goes on where keyrings have accepted it, and a new cluster would refuse it; a header is signed again by \`zopp set --sign-header\``,
  ];
}
