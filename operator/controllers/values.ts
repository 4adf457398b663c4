// The values of a bundle, opened with the keys that the keyring released: sealed entries, and what the keyring made.
// Whoever asks overwrites them.
import { createPublicKey } from "node:crypto";
import { placeOf } from "../../crds/bundle/case.js";
import { certifiedParts } from "../../crds/bundle/certificate.js";
import { decodeBase64 } from "../../crds/crypto/encoding.js";
import { openEntry } from "../../crds/crypto/entry.js";
import { concat } from "../../crds/crypto/labeled.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import { ZoppError } from "../../crds/errors.js";
import type { GenerateRule, ZoppSecret } from "../../crds/types.gen.js";
import type { GeneratedValues } from "../keyring/client.types.js";
import type { Epochs } from "./epochs.js";

/** What is opened. */
export interface Closed {
  readonly bundle: ZoppSecret;
  readonly epochs: Epochs;
  /** The generated values as they stand in status; absent where the bundle has no rules. */
  readonly generated?: GeneratedValues | undefined;
}

/** Opens the entries into `plaintext`, which the caller overwrites whatever happens. */
export function openValues(
  { bundle, epochs }: Closed,
  keys: ReadonlyMap<string, Uint8Array>,
  plaintext: Map<string, Uint8Array>,
): void {
  for (const [key, { sealed, to }] of Object.entries(bundle.spec.data ?? {})) {
    if (sealed === undefined || to === undefined) continue;
    const field = `bundle ${placeOf(bundle)}: spec.data.${key}`;
    plaintext.set(key, openValue(field, { sealed, to }, keys.get(key), epochs));
  }
}

/** Opens a sealed value. Throws CannotOpen, UnknownEnvironment. */
function openValue(
  field: string,
  { sealed, to }: { readonly sealed: string; readonly to: string },
  entryKey: Uint8Array | undefined,
  epochs: Epochs,
): Uint8Array {
  const bytes = decodeBase64(sealed);
  const kem = epochs.kemOf(to);
  if (entryKey === undefined || bytes === null)
    throw new ZoppError("CannotOpen", `${field}: the keyring gave no key for it`);
  if (kem === undefined) throw new ZoppError("UnknownEnvironment", `${field}: the cluster's environment lacks its key`);
  return openEntry(entryKey, kem, bytes);
}

/** Opens the generated values, and makes what follows from them: public halves, and the values before. */
export function openGenerated(
  { bundle, generated = {}, epochs }: Closed,
  keys: ReadonlyMap<string, Uint8Array>,
  plaintext: Map<string, Uint8Array>,
): void {
  for (const [key, rule] of Object.entries(bundle.spec.generate ?? {})) {
    const field = `bundle ${placeOf(bundle)}: status.generated.${key}`;
    const kept = generated[key];
    if (kept === undefined) throw new ZoppError("GeneratedLost", `${field} is not there`);
    const value = openValue(field, kept, keys.get(key), epochs);
    plaintext.set(key, value);
    follow(rule, key, value, plaintext);
    if (rule.previous === undefined) continue;
    // as long as there was none before, both keys have the same: whoever asks for one of them is never left without
    const entryKey = keys.get(rule.previous);
    const before = kept.previous;
    plaintext.set(
      rule.previous,
      before === undefined || entryKey === undefined ? value.slice() : openValue(field, before, entryKey, epochs),
    );
  }
}

/** Puts the value before in the place of these rules' present ones, which nobody may have yet. */
export function holdBack({ spec }: ZoppSecret, held: ReadonlySet<string>, plaintext: Map<string, Uint8Array>): void {
  for (const key of held) {
    const rule = spec.generate?.[key];
    const before = plaintext.get(rule?.previous ?? "");
    if (rule === undefined || before === undefined)
      throw new ZoppError("GeneratedLost", `spec.generate.${key}: there is no value before`);
    plaintext.get(key)?.fill(0);
    const value = before.slice();
    plaintext.set(key, value);
    follow(rule, key, value, plaintext);
  }
}

/** What stands under other keys beside a value: its public half, or the certificates, which leave their private key alone. They are parts of it, no copies. */
function follow(rule: GenerateRule, key: string, value: Uint8Array, plaintext: Map<string, Uint8Array>): void {
  if (rule.public !== undefined) plaintext.set(rule.public, publicHalf(value));
  if (rule.certificate === undefined) return;
  const parts = certifiedParts(value, rule.certificate.issuer !== undefined);
  if (parts === undefined) throw new ZoppError("CannotOpen", `status.generated.${key} holds no certificate`);
  plaintext.set(key, parts.key);
  plaintext.set(rule.certificate.key, parts.certificate);
  if (rule.certificate.authority !== undefined) plaintext.set(rule.certificate.authority, concat(...parts.authority));
}

function publicHalf(pem: Uint8Array): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(pem), format: "pem" });
  return utf8(key.export({ type: "spki", format: "pem" }) as string);
}
