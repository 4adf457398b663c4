// Bundles of the fixture world as tests of verification need them: cases, ledgers, and small ways to tamper.
// The world itself is fixtures.ts.
import { type BundleCase, bindingsOf, type PlaceLedger } from "../crds/bundle/case.js";
import type { Writing } from "../crds/bundle/edit.js";
import { bundleStatements, entryFacts, signedPlace } from "../crds/bundle/statements.js";
import { entryStatement, signStatement } from "../crds/statement.js";
import type { Entry, ZoppSecret } from "../crds/types.gen.js";
import { bundle, NOW, type World, world } from "./fixtures.js";

/** When bundles are judged: a minute after they were written. */
export const LATER = new Date(NOW.getTime() + 60_000);
/** The fixture policy. */
export const usual: World = world();
/** The values of the good bundle. */
export const values = { DB_PASSWORD: "hunter2", DB_USER: "shop" };
/** A bundle of alice's that the fixture policy accepts. */
export const good: ZoppSecret = bundle(usual.environment, values);

/** The case of a bundle under the fixture policy, with changes. */
export function caseOf(secret: ZoppSecret, changes: Partial<BundleCase> = {}): BundleCase {
  return { secret, ...usual, now: LATER, ...changes };
}

/** The ledger after everything of a bundle was accepted. */
export function ledgerOf(secret: ZoppSecret, policy: Pick<World, "environment"> = usual): PlaceLedger {
  const { header, entries } = bundleStatements(secret, bindingsOf(policy.environment));
  return {
    environment: secret.spec.environment,
    header: { version: secret.spec.header.version, hash: header.hash },
    entries: new Map(
      [...entries].map(([key, { hash }]) => [key, { version: secret.spec.data?.[key]?.version ?? 0, hash }]),
    ),
  };
}

/** A bundle of this spec that nobody signed, for what is told from its fields alone. */
export function unsigned(spec: object): ZoppSecret {
  return {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: { name: "api", namespace: "shop" },
    spec,
  } as ZoppSecret;
}

/** The bundle with fields of one entry replaced, unsigned. */
export function withEntry(secret: ZoppSecret, key: string, changes: object): ZoppSecret {
  const entry = { ...secret.spec.data?.[key], ...changes } as NonNullable<ZoppSecret["spec"]["data"]>[string];
  return { ...secret, spec: { ...secret.spec, data: { ...secret.spec.data, [key]: entry } } };
}

/** Base64 with one bit of the last byte flipped. */
export function flip(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return bytes.toString("base64");
}

/** The bundle under another place, as a copy would be. */
export const moved = (secret: ZoppSecret, namespace: string, name: string): ZoppSecret => ({
  ...secret,
  metadata: { ...secret.metadata, namespace, name },
});

/** The bundle with one key's sealed bytes signed once more, by somebody else and as another key's value. */
export function signedAgain(secret: ZoppSecret, from: string, key: string, writing: Writing): ZoppSecret {
  const { sealed, to } = secret.spec.data?.[from] ?? {};
  const version = secret.spec.data?.[from]?.version ?? 0;
  const unsigned = { version, by: writing.signingKey.verifyKey.kid, sealed, signature: "", to } as Entry;
  const place = signedPlace(secret, writing.environment.newest.facts.binding);
  const signature = signStatement(writing.signingKey, entryStatement(place, entryFacts(key, unsigned)));
  return withEntry(secret, key, { ...unsigned, signature, approvals: undefined });
}
