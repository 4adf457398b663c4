// Join requests: a new device that holds an invite's key asks to be signed into the policy.
// They prove who asks, and admit nobody: an owner does, by signing.
import type { Identity } from "../crypto/identity.js";
import { parseEncryptionKey, parseVerifyKey } from "../crypto/keys.js";
import { malformed, ZoppError } from "../errors.js";
import { fingerprintOf } from "../fingerprint.js";
import { joinStatement, signStatement, verifyStatement } from "../statement.js";
import type { Invite, JoinRequest } from "../types.gen.js";
import { hasEnded } from "./versions.js";
import type { AcceptedWorkspace } from "./workspace.js";

/** A request that was judged and found good. */
export interface GoodRequest {
  readonly request: JoinRequest;
  readonly invite: Invite;
  /** Hash of the join statement: two requests of one invite are one when these are equal. */
  readonly hash: string;
  /** What the person who joins and the owner who admits compare. */
  readonly fingerprint: string;
}

/** The form of each field of a request; keys are read further below. */
const FORMS: Readonly<Record<keyof JoinRequest, RegExp>> = {
  invite: /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/,
  device: /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/,
  signingKey: /^ed25519:[A-Za-z0-9+/=]{44}$/,
  encryptionKey: /^xwing:[A-Za-z0-9+/=]{1624}$/,
  signature: /^[A-Za-z0-9+/]{86}==$/,
  proof: /^[A-Za-z0-9+/]{86}==$/,
};

/** A request of a new device, signed by the invite's key and by its own. */
export function newJoinRequest(
  workspace: string,
  { invite, device }: { readonly invite: string; readonly device: string },
  { signing, encryption }: Identity,
  inviteKey: Identity,
): JoinRequest {
  const asked = { invite, device, signingKey: signing.verifyKey.text, encryptionKey: encryption.publicKey.text };
  const statement = joinStatement(workspace, asked);
  return { ...asked, signature: signStatement(inviteKey.signing, statement), proof: signStatement(signing, statement) };
}

/** Reads a request that a stranger sent or wrote. Throws Malformed for other fields or other forms. */
export function readJoinRequest(value: unknown): JoinRequest {
  const given = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const problems = Object.keys(given)
    .filter((name) => !Object.hasOwn(FORMS, name))
    .map(() => ({ path: "the request", problem: "has a field that zopp does not know" }));
  for (const [name, form] of Object.entries(FORMS)) {
    const text = given[name];
    if (typeof text !== "string" || !form.test(text))
      problems.push({ path: name, problem: "does not have the form of this field" });
  }
  if (problems.length > 0) throw malformed("join request", problems);
  const { invite, device, signingKey, encryptionKey, signature, proof } = given as unknown as JoinRequest;
  return { invite, device, signingKey, encryptionKey, signature, proof };
}

/**
 * Judges a request by the policy in force: the invite stands there and has not ended, its key and the new device's own
 * signed, and the keys are nobody's yet. Throws JoinRefused.
 */
export function judgeJoin(workspace: AcceptedWorkspace, request: JoinRequest, now: Date): GoodRequest {
  const refused = (why: string) =>
    new ZoppError("JoinRefused", `join request for ${request.invite} in workspace ${workspace.name}: ${why}`);
  const invite = workspace.object.spec.invites?.find(({ name }) => name === request.invite);
  if (invite === undefined) throw refused("the policy has no such invite (it was used, revoked, or never made)");
  if (hasEnded(invite.expires, now)) throw refused(`the invite ended at ${invite.expires}`);
  const statement = joinStatement(workspace.name, request);
  const inviteKey = parseVerifyKey(invite.signingKey);
  if (inviteKey === null || !verifyStatement(inviteKey, statement, request.signature))
    throw refused("it is not signed by the invite's key");
  const [signing, encryption] = [parseVerifyKey(request.signingKey), parseEncryptionKey(request.encryptionKey)];
  if (signing === null || encryption === null) throw refused("one of its keys is not usable");
  if (!verifyStatement(signing, statement, request.proof))
    throw refused("it is not signed by the new device's own key");
  const { roster } = workspace;
  const known = [...roster.signers.keys(), ...roster.recipients.keys(), ...roster.clusters.keys()];
  if (signing.kid === inviteKey.kid || known.includes(signing.kid) || known.includes(encryption.kid))
    throw refused("one of its keys is in the policy already");
  return { request, invite, hash: statement.hash, fingerprint: fingerprintOf(statement.hash) };
}
