// Wrap: an environment's private keys for another recipient, at the request of an admin's device.
// Only to whom the policy in force names, recorded before anything leaves; everything else is refused and recorded.
import type { DecryptionKey } from "../../crds/crypto/identity.js";
import { unwrapPrivateKey, type WrappedKey, wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import { mayHaveKey, refuseOutdated, rightsIn, ruleFor } from "../../crds/policy/environment.js";
import { may } from "../../crds/policy/rights.js";
import type { Recipient, Signer } from "../../crds/policy/roster.js";
import { hasEnded } from "../../crds/policy/versions.js";
import { refuseExpired } from "../../crds/policy/workspace.js";
import type { AuditLog } from "./log.js";
import type { PolicyBook } from "./policy.js";
import type { ServedEnvironment } from "./policy.types.js";
import type { Fact } from "./records.js";
import type { Peer } from "./server.js";

/** What is asked for. */
export interface WrapRequest {
  /** `workspace/project/environment` */
  readonly environment: string;
  /** The kid of the recipient's encryption key. */
  readonly to: string;
}

/** What wrapping needs of the rest of the keyring. */
export interface WrapOptions {
  readonly book: Pick<PolicyBook, "policyFor" | "acceptsNew">;
  readonly log: Pick<AuditLog, "append">;
  readonly own: DecryptionKey;
  now(): Date;
  refuse(fact: Fact): void;
}

/**
 * Wraps all epochs that this keyring holds, once that is on record. Throws NotAuthorised, UnknownRecipient, LedgerLost,
 * EnvironmentOutdated, PolicyExpired, AuditUnavailable, and as PolicyBook.policyFor.
 */
export async function wrapKeys(request: WrapRequest, peer: Pick<Peer, "key" | "actor">, options: WrapOptions) {
  const { environment: object, to } = request;
  let fact: Omit<Fact, "decision"> = { action: "wrap", actor: peer.actor, evidence: "proved", object, to };
  try {
    const served = options.book.policyFor(object);
    // the same key may be somebody else in another workspace
    const signer = signerOf(served, peer);
    const actor = signer === undefined ? peer.actor : `${signer.principal.name}/${signer.device.name}`;
    const { path } = served.environment;
    fact = {
      ...fact,
      actor,
      object: path,
      environment: path,
      policy: [served.workspace.digest, served.environment.digest],
    };
    refuseCaller(served, peer, options);
    const recipient = recipientOf(served, to, options.now());
    const keys = wrapAll(served, recipient, options.own);
    const epochs = keys.map(({ epoch }) => Number(epoch));
    await options.log.append([{ ...fact, decision: "released", recipient: nameOf(recipient), epochs }]);
    return { keys };
  } catch (thrown) {
    const error = asZoppError(thrown, "wrapping the environment's keys");
    if (error.code !== "AuditUnavailable") options.refuse({ ...fact, decision: "refused", reason: error.code });
    throw error;
  }
}

/** The device that the environment's workspace names by the caller's key: the whole key, its kid is only a hint. */
function signerOf({ workspace }: ServedEnvironment, { key }: Pick<Peer, "key">): Signer | undefined {
  const found = workspace.roster.signers.get(key.kid);
  return found?.key.text === key.text ? found : undefined;
}

/** Only who is an admin of that environment now; and no keyring that may have forgotten what was decided since. */
function refuseCaller(served: ServedEnvironment, peer: Pick<Peer, "key">, { book, now }: WrapOptions): void {
  const { workspace, environment } = served;
  const signer = signerOf(served, peer);
  const known = signer !== undefined && !hasEnded(signer.principal.expires, now());
  if (!known || !may(rightsIn(workspace, environment, now()), signer.principal.name, "sign")) {
    const who = known ? signer.principal.name : peer.key.kid;
    throw new ZoppError("NotAuthorised", `${who} is not an admin of ${environment.path}`);
  }
  if (!book.acceptsNew(served))
    throw new ZoppError("LedgerLost", `environment ${environment.path}: policy names another log for this keyring`);
  refuseExpired(workspace, now());
  refuseOutdated(environment, ruleFor(workspace, environment.scope));
}

/** A cluster that the owners allow for the environment; or, where access is direct, a device of somebody who may read. */
function recipientOf({ workspace, environment }: ServedEnvironment, to: string, now: Date): Recipient {
  const found = workspace.roster.recipients.get(to);
  if (found !== undefined && mayHaveKey(workspace, environment, found, now)) return found;
  throw new ZoppError("UnknownRecipient", `the policy does not let ${to} have the key of ${environment.path}`);
}

function nameOf(recipient: Recipient): string {
  return recipient.kind === "cluster" ? recipient.cluster.name : recipient.principal.name;
}

/** The stanzas are opened anew: as handles the keys do not give their bytes away. */
function wrapAll({ environment }: ServedEnvironment, { key: to }: Recipient, own: DecryptionKey) {
  const { workspace, project, environment: name } = environment.object.spec;
  return [...environment.epochs.values()].flatMap(({ key, facts }) => {
    const { epoch } = facts;
    const stanza = facts.sealed.find((each) => each.to === own.publicKey.kid);
    if (stanza?.enc === undefined || stanza.wrapped === undefined) return [];
    const context = { workspace, project, environment: name, epoch };
    const raw = unwrapPrivateKey(own, context, stanza as WrappedKey, key);
    try {
      const { enc, wrapped: box } = wrapEnvironmentKey(to, context, raw);
      return [{ epoch: BigInt(epoch), enc, wrapped: box }];
    } finally {
      raw.fill(0);
    }
  });
}
