// Our own vectors, for any other implementation: that ours agrees with them.
// hack/oracle/oracle.test.ts asks an implementation that shares no code with ours the same.
import t from "tap";
import {
  type EntryVector,
  type IdentityVector,
  readVectors,
  type SignatureVector,
  unbase64,
  type Vector,
  type WrapVector,
} from "../../hack/vectors.js";
import { encodeBase64 } from "../crypto/encoding.js";
import { entryKey, openEntry } from "../crypto/entry.js";
import { decryptionKeyFromRaw, identityFromSeed } from "../crypto/identity.js";
import { parseEncryptionKey, parseVerifyKey } from "../crypto/keys.js";
import { formatToken, parseToken } from "../crypto/token.js";
import { unwrapPrivateKey } from "../crypto/wrap.js";
import { ZoppError } from "../errors.js";
import { formatInvite, parseInvite } from "../policy/invite.js";
import { formatPin } from "../policy/pin.js";
import {
  type EntryFacts,
  entryStatement,
  type GeneratedFacts,
  generatedStatement,
  headerStatement,
  joinStatement,
  type SegmentFacts,
  type SignedPlace,
  type Statement,
  segmentStatement,
  verifyStatement,
} from "../statement.js";
import type { JoinRequest, SecretSpec } from "../types.gen.js";

/** What is made of a vector, or null when it is refused with this code. */
function made<T>(code: string, make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof ZoppError && error.code === code) return null;
    throw error;
  }
}

const entries = readVectors<EntryVector>("entries.json");
for (const { title, kem, private: raw, place, sealed, accept, value } of entries) {
  t.test(`entry, ${title}`, async (t) => {
    const bytes = unbase64(sealed);
    const opened = made("CannotOpen", () =>
      openEntry(entryKey(decryptionKeyFromRaw(kem, unbase64(raw)), place, bytes), kem, bytes),
    );
    t.equal(opened === null ? undefined : encodeBase64(opened), accept ? value : undefined);
  });
}

const wraps = readVectors<WrapVector>("wraps.json");
for (const { title, seed, place, public: text, accept, private: raw, ...wrapped } of wraps) {
  t.test(`wrapped key, ${title}`, async (t) => {
    const publicKey = parseEncryptionKey(text);
    if (publicKey === null) throw new Error("the vector's public key is refused");
    const recipient = identityFromSeed(unbase64(seed)).encryption;
    const opened = made("CannotOpen", () => unwrapPrivateKey(recipient, place, wrapped, publicKey));
    t.equal(opened === null ? undefined : encodeBase64(opened), accept ? raw : undefined);
  });
}

function statementOf(name: string, fields: SignatureVector["fields"]): Statement {
  const { environment, namespace, name: bundle, ...rest } = fields;
  const place = { environment, namespace, name: bundle } as SignedPlace;
  if (name === "segment") return segmentStatement(fields as unknown as SegmentFacts);
  if (name === "generated") {
    const { hash: sealedHash, ...facts } = rest;
    return generatedStatement(place, { ...facts, sealedHash } as unknown as GeneratedFacts);
  }
  if (name === "join") return joinStatement(String(fields["workspace"]), fields as unknown as JoinRequest);
  if (name === "header") {
    const { version, by, ...spec } = rest;
    return headerStatement(place, { ...spec, header: { version, by } } as unknown as SecretSpec);
  }
  const { hash: sealedHash, ...facts } = rest;
  return entryStatement(place, { ...facts, sealedHash } as unknown as EntryFacts, name === "entry-approval");
}

const signatures = readVectors<SignatureVector>("signatures.json");
for (const { title, statement: name, fields, body, hash, key: text, signature, accept } of signatures) {
  t.test(`signature, ${title}`, async (t) => {
    const statement = statementOf(name, fields);
    const key = parseVerifyKey(text);
    t.equal(key !== null && verifyStatement(key, statement, signature), accept);
    if (body !== undefined) t.strictSame([statement.body, statement.hash], [body, hash]);
  });
}

for (const vector of readVectors<Vector & { text: string; kid?: string }>("keys.json")) {
  t.test(`key, ${vector.title}`, async (t) => {
    const key = parseVerifyKey(vector.text) ?? parseEncryptionKey(vector.text);
    t.equal(key?.kid, vector.kid);
    t.equal(key !== null, vector.accept);
  });
}

for (const vector of readVectors<Vector & { token: string; seed?: string; ownersPrefix?: string }>("tokens.json")) {
  t.test(`token, ${vector.title}`, async (t) => {
    const token = made("TokenInvalid", () => parseToken(vector.token));
    t.equal(token !== null, vector.accept);
    if (token === null) return;
    t.strictSame([encodeBase64(token.seed), token.ownersPrefix], [vector.seed, vector.ownersPrefix]);
    t.equal(formatToken(token.seed, token.ownersPrefix.repeat(2)), vector.token);
  });
}

const invites = readVectors<Vector & { code: string; seed?: string; invite?: string; pin?: string }>("invites.json");
for (const vector of invites) {
  t.test(`invite, ${vector.title}`, async (t) => {
    const code = made("InviteInvalid", () => parseInvite(vector.code));
    t.equal(code !== null, vector.accept);
    if (code === null) return;
    const { seed, invite, pin } = code;
    t.strictSame([encodeBase64(seed), invite, formatPin(pin)], [vector.seed, vector.invite, vector.pin]);
    t.equal(formatInvite(code), vector.code);
  });
}

for (const { seed, ...expected } of readVectors<IdentityVector>("identities.json")) {
  t.test(`identity of ${seed}`, async (t) => {
    const { signing, encryption } = identityFromSeed(unbase64(seed));
    t.strictSame(expected, {
      signingKey: signing.verifyKey.text,
      signingKid: signing.verifyKey.kid,
      encryptionKey: encryption.publicKey.text,
      encryptionKid: encryption.publicKey.kid,
    });
  });
}

t.test("none of the vectors is lost", async (t) => {
  const counts = Object.entries({ entries, wraps, signatures, invites }).map(([name, list]) => [
    name,
    list.filter(({ accept }) => accept).length,
    list.filter(({ accept }) => !accept).length,
  ]);
  t.strictSame(counts, [
    ["entries", 20, 41],
    ["wraps", 3, 14],
    ["signatures", 9, 19],
    ["invites", 1, 5],
  ]);
});
