// What the policy says of principals and where it names them, and the keys of a device as people hand them over.
// Changes are policy-change.ts' business.
import { parseEncryptionKey, parseVerifyKey } from "../crds/crypto/keys.js";
import { ZoppError } from "../crds/errors.js";
import type { AcceptedEnvironment } from "../crds/policy/environment.js";
import { subjectIncludes } from "../crds/policy/rights.js";
import { hasEnded } from "../crds/policy/versions.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { Device, Grant, Principal } from "../crds/types.gen.js";
import type { Context } from "./context.js";
import { grantText } from "./granting.js";
import { readInput } from "./input.js";

/** The flags that hand over a device's public keys. */
export interface DeviceFlags {
  readonly signingKey?: string;
  readonly encryptionKey?: string;
  readonly from?: string;
}

/** A device from its flags, or from what `zopp whoami -o json` printed on it. Throws Usage, NotFound. */
export async function deviceOf(context: Context, name: string, flags: DeviceFlags): Promise<Device> {
  const { signingKey, encryptionKey } = flags.from === undefined ? flags : await keysIn(context, flags);
  if (signingKey === undefined || parseVerifyKey(signingKey) === null)
    throw new ZoppError("Usage", "--signing-key is ed25519: and base64, as `zopp whoami -o json` prints it there");
  if (encryptionKey === undefined || parseEncryptionKey(encryptionKey) === null)
    throw new ZoppError("Usage", "--encryption-key is xwing: and base64, as `zopp whoami -o json` prints it there");
  return { name, signingKey, encryptionKey };
}

async function keysIn(context: Context, flags: DeviceFlags): Promise<DeviceFlags> {
  const { from = "" } = flags;
  if (flags.signingKey !== undefined || flags.encryptionKey !== undefined)
    throw new ZoppError("Usage", "give the keys by --from, or by --signing-key and --encryption-key");
  const text = Buffer.from(await readInput(context, from)).toString("utf8");
  try {
    const { keys } = JSON.parse(text) as { keys?: { signingKey?: unknown; encryptionKey?: unknown } };
    return { signingKey: String(keys?.signingKey), encryptionKey: String(keys?.encryptionKey) };
  } catch (cause) {
    throw new ZoppError("Usage", `${from} does not hold what \`zopp whoami -o json\` prints`, { cause });
  }
}

/** A principal of the workspace. Throws NotFound. */
export function principalNamed(workspace: AcceptedWorkspace, name: string): Principal {
  const found = workspace.object.spec.principals.find((principal) => principal.name === name);
  if (found !== undefined) return found;
  const names = workspace.object.spec.principals.map((principal) => principal.name).join(", ");
  throw new ZoppError("NotFound", `workspace ${workspace.name} names no principal ${name}; it names ${names}`);
}

/** A grant with the group that it comes by. */
export interface Right extends Grant {
  readonly by?: string;
}

/** All grants that hold for a subject now, the environments' own with their scope. */
export function rightsOf(
  workspace: AcceptedWorkspace,
  environments: readonly AcceptedEnvironment[],
  subject: string,
  now: Date,
): readonly Right[] {
  const { spec } = workspace.object;
  const own = environments.flatMap(({ scope, object }) =>
    (object.spec.grants ?? []).map((grant) => ({ ...grant, scope })),
  );
  return [...(spec.grants ?? []), ...own]
    .filter((grant) => !hasEnded(grant.expires, now))
    .filter((grant) => grant.subject === subject || subjectIncludes(spec, grant.subject, subject))
    .map((grant) => (grant.subject === subject ? grant : { ...grant, by: grant.subject }));
}

/** A principal as lists show it. */
export interface PrincipalFacts extends Principal {
  readonly owner: boolean;
  readonly ended: boolean;
  readonly groups: readonly string[];
  readonly rights: readonly Right[];
}

/** What the policy says of one principal. */
export function factsOf(
  workspace: AcceptedWorkspace,
  environments: readonly AcceptedEnvironment[],
  principal: Principal,
  now: Date,
): PrincipalFacts {
  const { owners, groups = [] } = workspace.object.spec;
  const { name } = principal;
  const ended = hasEnded(principal.expires, now);
  return {
    ...principal,
    owner: owners.principals.includes(name),
    ended,
    groups: groups.filter(({ members }) => members.includes(name)).map((group) => group.name),
    rights: ended ? [] : rightsOf(workspace, environments, name, now),
  };
}

/** Where grants and approvals name a subject, in words; groups too, for a principal. */
export function placesOf(
  workspace: AcceptedWorkspace,
  environments: readonly AcceptedEnvironment[],
  subject: string,
): readonly string[] {
  const { grants = [], environments: rules = [], groups = [] } = workspace.object.spec;
  const own = environments.flatMap(({ scope, object }) =>
    (object.spec.grants ?? []).map((grant) => ({ ...grant, scope })),
  );
  return [
    ...[...grants, ...own].filter((grant) => grant.subject === subject).map((grant) => `the grant ${grantText(grant)}`),
    ...rules
      .filter(({ approvals }) => approvals?.approvers.includes(subject))
      .map(({ name }) => `the approvers of ${name}`),
    ...groups.filter(({ members }) => members.includes(subject)).map(({ name }) => `group ${name}`),
  ];
}

/**
 * A principal that the policy does not name yet, nor anything in it: who came under an old name would get the old
 * one's rights. Throws AlreadyExists.
 */
export function newPrincipal(
  workspace: AcceptedWorkspace,
  environments: readonly AcceptedEnvironment[],
  principal: Principal,
): Principal {
  const { name } = principal;
  if (workspace.object.spec.principals.some((other) => other.name === name))
    throw new ZoppError("AlreadyExists", `workspace ${workspace.name} names a principal ${name} already`);
  const places = placesOf(workspace, environments, name);
  if (places.length === 0) return principal;
  const text = `workspace ${workspace.name} still names an earlier ${name}, whose rights a new one would get: ${places.join("; ")}`;
  throw new ZoppError("AlreadyExists", text);
}
