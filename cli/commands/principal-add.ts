// `zopp principal add`: a person or service with a first device, whose public keys an owner was told by a safe way.
// It may do nothing until it is granted something.
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { environmentsOf, storeChange } from "../policy-change.js";
import { type DeviceFlags, deviceOf, newPrincipal } from "../principals.js";
import type { Session } from "../session.js";
import { label } from "../settings.js";
import { expiryOf, oneOf } from "./options.js";

/** The flags of `zopp principal add`. */
export interface PrincipalAddOptions extends DeviceFlags {
  readonly kind?: string;
  readonly device?: string;
  readonly expires?: string;
}

/** Runs `zopp principal add NAME`. */
export async function run(session: Session, [name]: readonly string[], options: PrincipalAddOptions): Promise<Result> {
  const kind = oneOf("--kind", options.kind, ["person", "service"]) ?? "person";
  const device = await deviceOf(session.context, label("device", options.device ?? "first"), options);
  const expires = expiryOf(options.expires, session.context.now());
  const workspace = await acceptNamedWorkspace(session);
  const { environments } = await environmentsOf(session, workspace);
  const facts = { name: label("name", name), kind, ...(expires === undefined ? {} : { expires }), devices: [device] };
  const principal = newPrincipal(workspace, environments, facts);
  const present = workspaceContent(workspace.object);
  const { where, notes } = await storeChange(session, {
    workspace,
    content: { ...present, principals: [...present.principals, principal] },
  });
  const kid = parseVerifyKey(device.signingKey)?.kid ?? "";
  return {
    data: { principal, kid, where },
    names: [principal.name],
    human: [
      `added ${principal.name} (${kind}) with the device ${device.name}, which signs as ${kid} (${where.join(", ")})`,
      `compare ${kid} with \`zopp whoami\` there; then: zopp grant ${principal.name} ROLE`,
    ],
    notes,
  };
}
