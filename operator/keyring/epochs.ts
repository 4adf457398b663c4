// The environment keys that are wrapped to this keyring, unwrapped and expanded.
// They are kept as handles for as long as the environment is in force: unwrapping each time is four times slower.
import type { DecryptionKey } from "../../crds/crypto/identity.js";
import { unwrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import type { AcceptedEnvironment } from "../../crds/policy/environment.js";

/**
 * The private keys of an environment's epochs by the kid of their public key, as far as they are wrapped to `own`.
 * Throws CannotOpen when a key is wrapped to us but does not unwrap, or is not the public key's.
 */
export function environmentKeys(
  environment: AcceptedEnvironment,
  own: DecryptionKey,
): ReadonlyMap<string, DecryptionKey> {
  const { workspace, project, environment: name } = environment.object.spec;
  const keys = new Map<string, DecryptionKey>();
  for (const { key, facts } of environment.epochs.values()) {
    const stanza = facts.sealed.find(({ to }) => to === own.publicKey.kid);
    if (stanza?.enc === undefined || stanza.wrapped === undefined) continue;
    const context = { workspace, project, environment: name, epoch: facts.epoch };
    keys.set(
      key.kid,
      unwrapEnvironmentKey(own, context, { to: stanza.to, enc: stanza.enc, wrapped: stanza.wrapped }, key),
    );
  }
  return keys;
}
