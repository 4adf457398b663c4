// Makes values at random: passwords, bytes, UUIDs and private keys. Nothing here is sealed, stored or decided.
import { generateKeyPair, randomBytes, randomInt, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { utf8 } from "../../crds/crypto/primitives.js";
import type { GenerateRule } from "../../crds/types.gen.js";
import { LETTERS_AND_DIGITS } from "../../crds/validate.generate.js";

const keyPair = promisify(generateKeyPair);

/** A value by a rule, which was parsed. Private keys are PEM of PKCS #8. Those with a certificate are certificates.ts'. */
export async function makeValue(rule: GenerateRule): Promise<Uint8Array> {
  switch (rule.kind) {
    case "password":
      return utf8(password(rule.alphabet ?? LETTERS_AND_DIGITS, rule.length ?? 0));
    case "bytes":
      return randomBytes(rule.length ?? 0);
    case "uuid":
      return utf8(randomUUID());
    case "ed25519":
      return pemOf(await keyPair("ed25519"));
    case "ecdsa":
      return pemOf(await keyPair("ec", { namedCurve: rule.curve ?? "P-256" }));
    case "rsa":
      return pemOf(await keyPair("rsa", { modulusLength: rule.bits ?? 3072 }));
    case "certificate":
      throw new TypeError("a certificate is not made of random bytes alone");
  }
}

/** Each character is as likely as any other: randomInt rejects what a remainder would favour. */
export function password(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
}

function pemOf({ privateKey }: { readonly privateKey: import("node:crypto").KeyObject }): Uint8Array {
  return utf8(privateKey.export({ type: "pkcs8", format: "pem" }) as string);
}
