// What an environment's public keys say about a bundle: how its signatures are bound and how its values are sealed.
// Taken from the object in the API, unverified: a lie only makes the keyring be asked once more, or an opening fail.
import type { Bindings } from "../../crds/bundle/statements.js";
import { parseEncryptionKey } from "../../crds/crypto/keys.js";
import type { EnvironmentKey, ZoppEnvironment } from "../../crds/types.gen.js";

/** The kinds of environment key. */
export type Kem = "xwing" | "x25519";

/** An environment's epochs, by the kid of their public key. */
export interface Epochs extends Bindings {
  /** How values for this key are sealed; undefined when the environment has no such key. */
  kemOf(kid: string): Kem | undefined;
}

const cache = new WeakMap<ZoppEnvironment, Epochs>();
const UNKNOWN: Epochs = { newest: "object", of: () => undefined, kemOf: () => undefined };

/** Reads the epochs of an environment; without one, everything is bound to its bundle and no key is known. */
export function epochsOf(environment: ZoppEnvironment | undefined): Epochs {
  if (environment === undefined) return UNKNOWN;
  const known = cache.get(environment);
  if (known !== undefined) return known;
  const epochs = read(environment.spec?.keys ?? []);
  cache.set(environment, epochs);
  return epochs;
}

function read(keys: readonly EnvironmentKey[]): Epochs {
  const byKid = new Map<string, { binding: EnvironmentKey["binding"]; kem: Kem }>();
  for (const { public: text, binding } of keys) {
    const key = parseEncryptionKey(text);
    if (key !== null) byKid.set(key.kid, { binding, kem: key.kem });
  }
  return {
    newest: keys.at(-1)?.binding ?? "object",
    of: (kid) => byKid.get(kid)?.binding,
    kemOf: (kid) => byKid.get(kid)?.kem,
  };
}
