// `zopp principal approve`: an owner admits whoever used an invite, by one new version of the policy.
// The request proves the invite and the device; that it is the right person's, the owner sees by the fingerprint.
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { GoodRequest } from "../../crds/policy/joining.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { JoinRequest, Principal } from "../../crds/types.gen.js";
import { confirmFingerprint, type FingerprintFlags, isFingerprint } from "../confirm.js";
import { grantText } from "../granting.js";
import { inviteNamed, requestsBy, withInvites } from "../joining.js";
import type { KeyringOptions } from "../keyring-call.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf, storeChange } from "../policy-change.js";
import { newPrincipal } from "../principals.js";
import type { Session } from "../session.js";

/** The flags of `zopp principal approve`. */
export interface PrincipalApproveOptions extends KeyringOptions, FingerprintFlags {
  readonly request?: readonly string[];
}

/** Runs `zopp principal approve NAME`. */
export async function run(
  session: Session,
  [name = ""]: readonly string[],
  options: PrincipalApproveOptions,
): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const invite = inviteNamed(workspace, name);
  const asked = await requestsBy(session, workspace, invite, options);
  const { request, fingerprint } = onlyOne(name, asked.good, options.fingerprint);
  const compared = {
    what: `${name}, device ${request.device}`,
    fingerprint,
    question: `Did ${name} tell you the same?`,
    otherwise: `have ${name} tell you the fingerprint that \`zopp join\` showed there, and give it by --fingerprint`,
    differs: "JoinRefused",
  } as const;
  await confirmFingerprint(session, compared, options);
  const principal = await withDevice(session, workspace, name, request);
  const present = workspaceContent(workspace.object);
  const { grants = [], invites = [], principals } = present;
  const grant = invite.grant === undefined ? undefined : { subject: name, ...invite.grant };
  const content = {
    ...withInvites(
      present,
      invites.filter((each) => each !== invite),
      session.context.now(),
    ),
    principals: principals.some((each) => each.name === name)
      ? principals.map((each) => (each.name === name ? principal : each))
      : [...principals, principal],
    ...(grant === undefined ? {} : { grants: [...grants, grant] }),
  };
  const { where, notes } = await storeChange(session, { workspace, content });
  return {
    data: { principal, fingerprint, grant, where },
    names: [name],
    human: [
      `${name} is a person of ${workspace.name}, with the device ${request.device} (${where.join(", ")})`,
      ...(grant === undefined ? [] : [`${name} has ${grantText(grant)}`]),
    ],
    notes: [...asked.notes, ...notes],
  };
}

/** The person with the new device: a new one, or one who is there. Throws AlreadyExists. */
async function withDevice(
  session: Session,
  workspace: AcceptedWorkspace,
  name: string,
  { device, signingKey, encryptionKey }: JoinRequest,
): Promise<Principal> {
  const added = { name: device, signingKey, encryptionKey };
  const known = workspace.object.spec.principals.find((each) => each.name === name);
  if (known === undefined) {
    const { environments } = await environmentsOf(session, workspace);
    return newPrincipal(workspace, environments, { name, kind: "person", devices: [added] });
  }
  const { devices = [] } = known;
  if (devices.some((each) => each.name === device))
    throw new ZoppError("AlreadyExists", `${name} has a device ${device} already: join as another one by --device`);
  return { ...known, devices: [...devices, added] };
}

/** Two devices asked by one code: which of them is the person's, only the person can say. */
function onlyOne(name: string, good: readonly GoodRequest[], fingerprint: string | undefined): GoodRequest {
  const [first, second] = good;
  if (first === undefined) {
    const text = `nobody has asked to join as ${name} yet; what a keyring was asked stands in its cluster within half a minute`;
    throw new ZoppError("NotFound", text);
  }
  if (second === undefined) return first;
  const chosen = good.find((each) => fingerprint !== undefined && isFingerprint(fingerprint, each.fingerprint));
  if (chosen !== undefined) return chosen;
  const all = good.map((each) => `${each.fingerprint} (device ${each.request.device})`).join(", ");
  throw new ZoppError("InviteContested", `${good.length} devices ask to join as ${name}: ${all}`);
}
