// `zopp invite create`: an invite in the policy, and the code for whoever shall join, shown this once.
// Nothing keeps the code: policy holds the invite's public key, until it is used, revoked or over.
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { AcceptedEnvironment } from "../../crds/policy/environment.js";
import { formatInvite } from "../../crds/policy/invite.js";
import { includesRead, scopeCovers } from "../../crds/policy/rights.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { InviteGrant } from "../../crds/types.gen.js";
import { grantOf, roleOf } from "../granting.js";
import { inviteText, withInvites } from "../joining.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf, storeChange } from "../policy-change.js";
import { newPrincipal, principalNamed } from "../principals.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";
import { expiryOf } from "./options.js";

/** The flags of `zopp invite create`; `expires` is the end of the invite, `until` that of the grant. */
export interface InviteCreateOptions {
  readonly role?: string;
  readonly scope?: string;
  readonly keys?: readonly string[];
  readonly expires?: string;
  readonly until?: string;
  /** For a further device of a person who is there. */
  readonly device?: boolean;
}

/** Runs `zopp invite create NAME`. */
export async function run(session: Session, [text]: readonly string[], options: InviteCreateOptions): Promise<Result> {
  const name = label("name", text);
  const now = session.context.now();
  const grant = givenGrant(session, name, options);
  const workspace = await acceptNamedWorkspace(session);
  const { environments } = await environmentsOf(session, workspace);
  refuseUnenforceable(environments, grant);
  if (options.device === true) refuseStrange(workspace, name, grant);
  else newPrincipal(workspace, environments, { name, kind: "person" });
  const present = workspaceContent(workspace.object);
  const { invites = [] } = present;
  const others = invites.filter((invite) => invite.name !== name);
  const seed = newSeed();
  try {
    const signingKey = identityFromSeed(seed).signing.verifyKey.text;
    const expires = expiryOf(options.expires ?? "7d", now) ?? "";
    const invite = { name, signingKey, expires, ...(grant === undefined ? {} : { grant }) };
    if (withInvites(present, invites, now).invites?.some((each) => each.name === name))
      throw new ZoppError(
        "AlreadyExists",
        `${name} is invited already: \`zopp invite revoke ${name}\` takes that back`,
      );
    const stored = await storeChange(session, { workspace, content: withInvites(present, [...others, invite], now) });
    const { name: of, ownersDigest: owners, version: minVersion } = stored.workspace;
    const code = formatInvite({ invite: name, seed, pin: { workspace: of, owners, minVersion } });
    return {
      data: { code, invite: name, expires, grant, where: stored.where },
      names: [code],
      human: [code],
      notes: [
        ...stored.notes,
        `${name} is invited until ${expires}${options.device === true ? " with a further device" : ` and gets ${inviteText(invite)}`}; the code stands on stdout this once: hand it to ${name} alone, who runs \`zopp join\``,
        `then: zopp principal approve ${name}, with the fingerprint that ${name} tells you`,
      ],
    };
  } finally {
    seed.fill(0);
  }
}

/** A further device has the rights of its person. Throws NotFound, Usage. */
function refuseStrange(workspace: AcceptedWorkspace, name: string, grant: unknown): void {
  if (principalNamed(workspace, name).kind !== "person")
    throw new ZoppError("Usage", `principal ${name} is no person: \`zopp token create\` is for services`);
  if (grant !== undefined) throw new ZoppError("Usage", `${name} has rights already: --device takes no --role`);
}

/** Nobody could be admitted with such a grant: where access is direct, who reads one key reads them all. Throws GrantNotEnforceable. */
function refuseUnenforceable(environments: readonly AcceptedEnvironment[], grant: InviteGrant | undefined): void {
  if (grant?.keys === undefined || !includesRead(grant.role)) return;
  const direct = environments.find(
    ({ scope, object }) => object.spec.access === "direct" && scopeCovers(grant.scope, scope),
  );
  if (direct === undefined) return;
  throw new ZoppError("GrantNotEnforceable", `environment ${direct.path} is direct: ${grant.role} covers all its keys`);
}

/** Throws Usage for an end or a scope of no role. */
function givenGrant(
  session: Session,
  name: string,
  { role, scope, keys, until }: InviteCreateOptions,
): InviteGrant | undefined {
  if (role === undefined) {
    if (scope ?? keys ?? until) throw new ZoppError("Usage", "--scope, --keys and --until say what --role covers");
    return undefined;
  }
  const flags = { ...(scope && { scope }), ...(keys && { keys }), ...(until && { expires: until }) };
  const { subject: _, ...grant } = grantOf(session, name, roleOf(role), flags);
  return grant;
}
