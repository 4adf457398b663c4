// `zopp token create`: a service with one device from a fresh seed, and the token that holds it, shown this once.
// Nothing keeps the token: policy holds its public keys.
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { formatToken } from "../../crds/crypto/token.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import { formatPin } from "../../crds/policy/pin.js";
import { type GrantFlags, grantOf, grantText, roleOf, withGrant } from "../granting.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf, storeChange } from "../policy-change.js";
import { newPrincipal } from "../principals.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";

/** The flags of `zopp token create`; `expires` is the end of the service itself. */
export interface TokenCreateOptions extends GrantFlags {
  readonly role?: string;
}

/** Runs `zopp token create NAME`. */
export async function run(session: Session, [name]: readonly string[], options: TokenCreateOptions): Promise<Result> {
  const { expires, ...grant } = grantOf(session, label("name", name), roleOf(options.role ?? "submit"), options);
  const workspace = await acceptNamedWorkspace(session);
  const { environments } = await environmentsOf(session, workspace);
  const seed = newSeed();
  try {
    const { signing, encryption } = identityFromSeed(seed);
    const device = { name: "token", signingKey: signing.verifyKey.text, encryptionKey: encryption.publicKey.text };
    const end = expires === undefined ? {} : { expires };
    const service = { name: grant.subject, kind: "service" as const, ...end, devices: [device] };
    const principal = newPrincipal(workspace, environments, service);
    const present = workspaceContent(workspace.object);
    const content = { ...present, principals: [...present.principals, principal] };
    const stored = await storeChange(session, await withGrant(session, workspace, grant, content));
    const { name: of, ownersDigest, version } = stored.workspace;
    const token = formatToken(seed, ownersDigest);
    const pin = formatPin({ workspace: of, owners: ownersDigest, minVersion: version });
    const until = expires === undefined ? ", without an end" : ` until ${expires}`;
    return {
      data: { token, principal: principal.name, grant, ...end, pin, where: stored.where },
      names: [token],
      human: [token],
      notes: [
        ...stored.notes,
        `${principal.name} has ${grantText(grant)}${until}; its token stands on stdout this once: hand it on as ZOPP_TOKEN`,
        `a job that also has ZOPP_TRUST=${pin} takes no policy older than this one`,
      ],
    };
  } finally {
    seed.fill(0);
  }
}
