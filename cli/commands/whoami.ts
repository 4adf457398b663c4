// `zopp whoami`: which keys this machine has, who they are in the workspace, and what that person may do.
// Needs no passphrase.
import { ZoppError } from "../../crds/errors.js";
import { subjectIncludes } from "../../crds/policy/rights.js";
import type { Signer } from "../../crds/policy/roster.js";
import { hasEnded } from "../../crds/policy/versions.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import { loadPublicIdentity } from "../identity.js";
import type { Result } from "../output.js";
import { acceptWorkspace } from "../policy.js";
import type { Session } from "../session.js";

/** Runs `zopp whoami`. */
export async function run(session: Session): Promise<Result> {
  const { signing: key, encryption: sealing, source } = loadPublicIdentity(session.context);
  const signingKey = key.text;
  const keys = { signing: key.kid, encryption: sealing.kid, signingKey, encryptionKey: sealing.text };
  const human = [
    `identity   ${key.kid} (signs), ${sealing.kid} (is wrapped to), from ${source === "token" ? "ZOPP_TOKEN" : "the identity file"}`,
  ];
  const { workspace: name, store } = session.settings;
  if (name === undefined || store === undefined) return { data: { keys, source }, names: [key.kid], human };
  const workspace = await acceptWorkspace(session, name).catch((error: unknown) => {
    if (error instanceof ZoppError) return error;
    throw error;
  });
  if (workspace instanceof ZoppError) {
    // the keys are what one sends to an owner before there is a pin
    const notes = [`${workspace.code}: ${workspace.message}`];
    return { data: { keys, source }, names: [key.kid], human, notes };
  }
  const signer = workspace.roster.signers.get(key.kid);
  if (signer === undefined || signer.key.text !== signingKey) {
    return {
      data: { keys, source, workspace: name },
      names: [key.kid],
      human: [...human, `workspace  ${name} does not name this identity`],
    };
  }
  return describe(workspace, signer, { keys, source }, human, session.context.now());
}

function describe(
  workspace: AcceptedWorkspace,
  { principal, device }: Signer,
  facts: object,
  human: readonly string[],
  now: Date,
): Result {
  const { spec } = workspace.object;
  const owner = spec.owners.principals.includes(principal.name);
  const grants = (spec.grants ?? []).filter(
    ({ subject, expires }) => subjectIncludes(spec, subject, principal.name) && !hasEnded(expires, now),
  );
  const roles = grants.map(
    ({ role, scope, keys }) => `${role} on ${scope}${keys === undefined ? "" : ` (${keys.join(", ")})`}`,
  );
  return {
    data: {
      ...facts,
      workspace: workspace.name,
      principal: principal.name,
      kind: principal.kind,
      device: device.name,
      owner,
      grants,
    },
    names: [principal.name],
    human: [
      ...human,
      `principal  ${principal.name} (${principal.kind}), device ${device.name}`,
      `workspace  ${workspace.name}${owner ? ", an owner" : ""}`,
      `rights     ${roles.length === 0 ? "none from the workspace" : roles.join("; ")}`,
    ],
  };
}
