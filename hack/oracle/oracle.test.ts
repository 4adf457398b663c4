// What crds/ seals, signs and derives, and what Go's standard library makes of it, in both directions.
import fc from "fast-check";
import t, { type Test } from "tap";
import { encodeBase64, encodeHex } from "../../crds/crypto/encoding.js";
import { entryKey, openEntry, sealEntry } from "../../crds/crypto/entry.js";
import { decryptionKeyFromRaw, identityFromSeed, newEnvironmentKey, newSeed } from "../../crds/crypto/identity.js";
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import { randomBytes, sha256Hex, utf8 } from "../../crds/crypto/primitives.js";
import { formatToken } from "../../crds/crypto/token.js";
import { unwrapPrivateKey, type WrappedKey, wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import { ownersDigest, ownersSet } from "../../crds/policy/roster.js";
import { entryStatement, signStatement, verifyStatement, workspaceStatement } from "../../crds/statement.js";
import type { WorkspaceSpec, ZoppBaseline, ZoppEnvironment, ZoppWorkspace } from "../../crds/types.gen.js";
import {
  type BaselineGiven,
  type BundleGiven,
  type EntryVector,
  type EnvironmentGiven,
  type IdentityVector,
  readObjectVectors,
  readVectors,
  type SignatureVector,
  unbase64,
  type WorkspaceGiven,
  type WrapVector,
} from "../vectors.js";
import { type Oracle, startOracle, whyNoOracle } from "./oracle.js";

const ROUNDS = 25;
const PLACE = {
  workspace: "acme",
  project: "shop",
  environment: "production",
  epoch: 2,
  namespace: "shop-prod",
  name: "api",
  key: "DB_PASSWORD",
  version: 20261120101112,
};

async function entriesBothWays(t: Test, oracle: Oracle, kem: "xwing" | "x25519"): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { privateKey, public: publicKey } = newEnvironmentKey(kem);
    const place = { ...PLACE, epoch: round + 1, version: PLACE.version + round };
    const value = randomBytes(Math.floor(1.55 ** round));
    const ours = encodeBase64(sealEntry(publicKey, place, value));
    const there = await oracle.ask({ operation: "open", kem, private: encodeBase64(privateKey), place, sealed: ours });
    t.equal(there["value"] ?? there["error"], encodeBase64(value), `Go opens ours, ${value.length} bytes`);
    const theirs = await oracle.ask({ operation: "seal", public: publicKey.text, place, value: encodeBase64(value) });
    const sealed = unbase64(String(theirs["sealed"]));
    const opened = openEntry(entryKey(decryptionKeyFromRaw(kem, privateKey), place, sealed), kem, sealed);
    t.equal(encodeBase64(opened), encodeBase64(value), "we open Go's");
    t.equal(sealed.length, unbase64(ours).length, "of the same length");
    const moved = { ...place, key: "OTHER" };
    const refused = await oracle.ask({
      operation: "open",
      kem,
      private: encodeBase64(privateKey),
      place: moved,
      sealed: ours,
    });
    t.type(refused["error"], "string", "and neither opens it elsewhere");
  }
}

async function wrapsBothWays(t: Test, oracle: Oracle, kem: "xwing" | "x25519"): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const seed = newSeed();
    const { encryption } = identityFromSeed(seed);
    const { privateKey, public: publicKey } = newEnvironmentKey(kem);
    const ours = wrapEnvironmentKey(encryption.publicKey, PLACE, privateKey);
    const question = { operation: "unwrap", seed: encodeBase64(seed), place: PLACE, public: publicKey.text };
    const there = await oracle.ask({ ...question, enc: ours.enc, wrapped: ours.wrapped });
    t.equal(there["private"] ?? there["error"], encodeBase64(privateKey), "Go unwraps ours");
    const to = encryption.publicKey.text;
    const theirs = await oracle.ask({ operation: "wrap", public: to, place: PLACE, private: encodeBase64(privateKey) });
    t.equal(theirs["to"], ours.to, "one kid");
    const unwrapped = unwrapPrivateKey(encryption, PLACE, theirs as unknown as WrappedKey, publicKey);
    t.equal(encodeBase64(unwrapped), encodeBase64(privateKey), "we unwrap Go's");
  }
}

async function signaturesBothWays(t: Test, oracle: Oracle): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const seed = newSeed();
    const { signing } = identityFromSeed(seed);
    const place = { environment: "acme/shop/production", namespace: "shop-prod", name: `api-${round}` };
    const hash = encodeHex(randomBytes(32));
    const facts = { key: "KEY", version: round, by: signing.verifyKey.kid, to: "zk1", expires: "2027-02-18T00:00:00Z" };
    const statement = entryStatement(place, { ...facts, sealedHash: hash });
    const fields = { ...place, ...facts, hash, retired: false };
    const question = { statement: "entry", fields, public: signing.verifyKey.text, seed: encodeBase64(seed) };
    const there = await oracle.ask({ ...question, operation: "verify", signature: signStatement(signing, statement) });
    t.strictSame(there, { body: statement.body, hash: statement.hash, valid: true }, "Go verifies ours");
    const theirs = await oracle.ask({ ...question, operation: "sign" });
    t.ok(verifyStatement(signing.verifyKey, statement, String(theirs["signature"])), "we verify Go's");
    const other = await oracle.ask({ ...question, ...theirs, operation: "verify", statement: "entry-approval" });
    t.equal(other["valid"], false, "a statement of another type is another statement");
  }
}

/** Objects with everything that canonical forms differ in: odd names, empty things, false, nesting. */
const specs = fc.letrec<{ value: unknown; object: object }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.maxSafeNat(),
    fc.boolean(),
    fc.array(
      tie("value").filter((item) => typeof item !== "boolean" || item),
      { maxLength: 3 },
    ),
    tie("object"),
  ),
  object: fc.dictionary(fc.string({ unit: "binary", maxLength: 6 }), tie("value"), { maxKeys: 4 }),
})).object;

async function statementsOfAnything(t: Test, oracle: Oracle): Promise<void> {
  const { signing } = identityFromSeed(newSeed());
  await fc.assert(
    fc.asyncProperty(specs, async (object) => {
      const statement = workspaceStatement("acme", object as WorkspaceSpec);
      const { signatures: _, ...rest } = object as { signatures?: unknown };
      const question = { operation: "verify", statement: "workspace", fields: { workspace: "acme", ...rest } };
      const signature = signStatement(signing, statement);
      const there = await oracle.ask({ ...question, public: signing.verifyKey.text, signature });
      return there["body"] === statement.body && there["hash"] === statement.hash && there["valid"] === true;
    }),
    { numRuns: 300 },
  );
  t.pass("300 statements have the same bytes");
}

async function identitiesAndTokens(t: Test, oracle: Oracle): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const seed = newSeed();
    const { signing, encryption } = identityFromSeed(seed);
    t.strictSame(await oracle.ask({ operation: "identity", seed: encodeBase64(seed) }), {
      signingKey: signing.verifyKey.text,
      signingKid: signing.verifyKey.kid,
      encryptionKey: encryption.publicKey.text,
      encryptionKid: encryption.publicKey.kid,
    });
    const digest = sha256Hex(utf8(`owners ${round}`));
    const { token } = await oracle.ask({ operation: "token", seed: encodeBase64(seed), digest });
    t.equal(token, formatToken(seed, digest));
  }
}

async function ownersDigests(t: Test, oracle: Oracle): Promise<void> {
  for (let count = 1; count <= 8; count += 1) {
    const owners = Array.from({ length: count }, (_, at) => ({
      name: `owner-${(at * 5) % 7}-${at}`,
      signingKeys: Array.from({ length: 1 + (at % 3) }, () => identityFromSeed(newSeed()).signing.verifyKey.text),
    }));
    const there = await oracle.ask({ operation: "owners", workspace: "acme", threshold: count, owners });
    t.equal(there["digest"], ownersDigest("acme", { threshold: count, principals: owners }));
  }
}

/** Go judges our vectors; what Go's library does not refuse by itself (keys) is crds/crypto's to refuse. */
async function vectors(t: Test, oracle: Oracle): Promise<void> {
  for (const { title, accept, value, ...question } of readVectors<EntryVector>("entries.json")) {
    const there = await oracle.ask({ operation: "open", ...question });
    t.equal(there["error"] === undefined ? (there["value"] ?? "") : null, accept ? value : null, `entry, ${title}`);
  }
  for (const { title, accept, private: raw, ...question } of readVectors<WrapVector>("wraps.json")) {
    const there = await oracle.ask({ operation: "unwrap", ...question });
    t.equal(
      there["error"] === undefined ? there["private"] : undefined,
      accept ? raw : undefined,
      `wrapped key, ${title}`,
    );
  }
  for (const { title, accept, body, hash, key, ...question } of readVectors<SignatureVector>("signatures.json")) {
    if (parseVerifyKey(key) === null) continue;
    const there = await oracle.ask({ operation: "verify", ...question, public: key });
    t.equal(there["valid"] ?? false, accept, `signature, ${title}`);
    if (body !== undefined && there["valid"] === true) t.strictSame([there["body"], there["hash"]], [body, hash]);
  }
  for (const { seed, ...expected } of readVectors<IdentityVector>("identities.json")) {
    t.strictSame(await oracle.ask({ operation: "identity", seed }), expected, "identity");
  }
}

/** Refusals that Go can tell from signatures alone: one of them does not hold, or nobody whom the policy names made it. */
const UNSIGNED: ReadonlySet<string> = new Set(["SignatureInvalid", "PlaceMismatch", "UnknownSigner"]);

/** What the ledger knows is not judged again: of these no key is left to verify with. */
const WITHOUT_AUTHOR = new Set(["author-left", "rotation-known"]);

async function wholeObjects(t: Test, oracle: Oracle): Promise<void> {
  const ask = (object: unknown, policy: unknown, under?: unknown, baseline?: unknown) =>
    oracle.ask({ operation: "judge", object, policy, under, baseline });
  const workspaces = readObjectVectors<WorkspaceGiven>("workspaces.json");
  for (const { name, given, expected } of workspaces.vectors.filter(isAccepted)) {
    const { digest, signatures } = await ask(given.object, given.object);
    const all = (signatures as boolean[]).map(() => true);
    t.strictSame({ digest, signatures }, { ...expected, signatures: all }, `workspace, ${name}`);
    if (given.pin === undefined) continue;
    const { spec } = given.object as ZoppWorkspace;
    const { principals: owners, threshold } = spec.rotations?.[0]?.from ?? ownersSet(spec);
    const pinned = await oracle.ask({ operation: "owners", workspace: "acme", threshold, owners });
    t.equal(`acme@1:${pinned["digest"]}`, given.pin, `the owners of ${name} are those of its pin`);
  }
  const signedAsAdmin = [
    readObjectVectors<EnvironmentGiven>("environments.json"),
    readObjectVectors<BaselineGiven>("baselines.json"),
  ];
  for (const { vectors, object } of signedAsAdmin) {
    for (const { name, given, expected } of vectors.filter(({ expected }) => told(expected))) {
      const { digest, signatures } = await ask(given.object, object(given.workspace));
      const holds = (signatures as boolean[]).every((held) => held);
      const { kind } = given.object as ZoppEnvironment | ZoppBaseline;
      if ("digest" in expected) t.strictSame({ digest, holds }, { ...expected, holds: true }, `${kind}, ${name}`);
      else t.equal(holds, false, `${kind}, ${name}`);
    }
  }
  const bundles = readObjectVectors<BundleGiven>("bundles.json");
  for (const { name, given, expected } of bundles.vectors.filter(({ expected }) => told(expected))) {
    const { workspace, environment, baseline } = given;
    const listing = baseline === undefined ? undefined : bundles.object(baseline);
    const there = await ask(given.object, bundles.object(workspace), bundles.object(environment), listing);
    const holds = [there["header"], ...Object.values(there["entries"] as object)].every((held) => held === true);
    if ("code" in expected) t.equal(holds, false, `bundle, ${name}`);
    else t.equal(there["digest"], expected.digest, `bundle, ${name}`);
    if ("digest" in expected) t.equal(holds, !WITHOUT_AUTHOR.has(name), `bundle, ${name}: its signatures`);
  }
}

function isAccepted({ expected }: { readonly expected: object }): boolean {
  return "digest" in expected;
}

function told(expected: { readonly digest: string } | { readonly code: string }): boolean {
  return "digest" in expected || UNSIGNED.has(expected.code);
}

const reason = whyNoOracle();
t.test("an implementation in Go that shares no code with ours agrees", { skip: reason ?? false }, async (t) => {
  const oracle = startOracle();
  t.teardown(() => oracle.close());
  for (const kem of ["xwing", "x25519"] as const) {
    await t.test(`${kem}: entries, ${ROUNDS} rounds each way`, (t) => entriesBothWays(t, oracle, kem));
    await t.test(`${kem}: wrapped keys, ${ROUNDS} rounds each way`, (t) => wrapsBothWays(t, oracle, kem));
  }
  await t.test("signatures", (t) => signaturesBothWays(t, oracle));
  await t.test("canonical forms of anything", (t) => statementsOfAnything(t, oracle));
  await t.test("identities, kids and tokens", (t) => identitiesAndTokens(t, oracle));
  await t.test("owners' digests", (t) => ownersDigests(t, oracle));
  await t.test("our vectors", (t) => vectors(t, oracle));
  await t.test("our vectors with whole objects", (t) => wholeObjects(t, oracle));
  await t.test("what it is not asked properly it does not answer", async (t) => {
    t.match(await oracle.ask({ operation: "guess" }), { error: /unknown operation/ });
  });
});
