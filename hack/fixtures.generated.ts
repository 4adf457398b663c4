// For tests only: bundles with rules of generated values, and values that a keyring made for them.
import { type GeneratedValue, ruleHash, statementOfGenerated } from "../crds/bundle/generated.js";
import { encodeBase64 } from "../crds/crypto/encoding.js";
import { sealEntry } from "../crds/crypto/entry.js";
import { utf8 } from "../crds/crypto/primitives.js";
import { versionAt } from "../crds/policy/versions.js";
import { signStatement } from "../crds/statement.js";
import type { GeneratedEntry, GenerateRule, ZoppSecret } from "../crds/types.gen.js";
import { bundle, identityOf, NOW, type World, withHeader, world, writingBy } from "./fixtures.js";

/** A password that is made anew every hour, and whose value before stays under OLD_TOKEN. */
export const PASSWORD: GenerateRule = {
  version: 20261123101112,
  kind: "password",
  length: 32,
  rotateEvery: "1h",
  previous: "OLD_TOKEN",
};

/** A bundle with a sealed key and this rule for TOKEN, signed by alice or somebody else. */
export function generating(
  rule: GenerateRule = PASSWORD,
  by = "alice",
  policy: Pick<World, "environment"> = world(),
): ZoppSecret {
  return bundle(policy.environment, { DB_USER: "shop" }, { generate: { TOKEN: rule }, by });
}

/** The bundle with another rule for TOKEN, signed by alice. */
export function ruled(secret: ZoppSecret, rule: GenerateRule, now = NOW): ZoppSecret {
  return withHeader(secret, { generate: { TOKEN: rule } }, writingBy("alice", world().environment, now));
}

/** How a value of a fixture is made. */
export interface MadeOptions {
  readonly rule?: GenerateRule;
  readonly key?: string;
  /** Whose signing key. */
  readonly by?: string;
  readonly after?: { readonly value: GeneratedValue; readonly hash: string };
  /** The hash of the CA's value that signs it. */
  readonly issuer?: string;
}

/** A value for TOKEN as the keyring of eu-1 would have made it at this moment. */
export function madeAt(secret: ZoppSecret, at: Date, options: MadeOptions = {}): GeneratedEntry {
  const { rule = PASSWORD, key = "TOKEN", by = "cluster eu-1", after, issuer } = options;
  const { newest } = world().environment;
  const version = versionAt(at);
  const { namespace, name } = secret.metadata;
  const place = { workspace: "acme", project: "shop", environment: "production", namespace, name };
  const context = { ...place, epoch: newest.facts.epoch, key, version };
  const unsigned = {
    version,
    made: `${at.toISOString().slice(0, 19)}Z`,
    rule: ruleHash(rule),
    by: identityOf(by).signing.verifyKey.kid,
    ...(after === undefined ? {} : { before: after.hash }),
    ...(issuer === undefined ? {} : { issuer }),
    sealed: encodeBase64(sealEntry(newest.key, context, utf8(`made at ${version}`), "generated")),
    signature: "",
    to: newest.key.kid,
  };
  const signature = signStatement(identityOf(by).signing, statementOfGenerated(secret, key, unsigned));
  return { ...unsigned, signature, ...(after === undefined ? {} : { previous: after.value }) };
}

/** The bundle as it is presented: with these values in its status. */
export function withGenerated(secret: ZoppSecret, generated: Readonly<Record<string, GeneratedEntry>>): ZoppSecret {
  return { ...secret, status: { generated } };
}
