// The statements of a bundle: which place its header and entries are signed for, and the bundle's digest.
// Whether signatures hold is verify.ts' business.
import { decodeBase64 } from "../crypto/encoding.js";
import { canonicalJson } from "../crypto/jcs.js";
import { sha256Hex, utf8 } from "../crypto/primitives.js";
import { ZoppError } from "../errors.js";
import { type EntryFacts, entryStatement, headerStatement, type SignedPlace, type Statement } from "../statement.js";
import type { Entry, ZoppSecret } from "../types.gen.js";

/** Whether an epoch's entries open in their bundle only, or in any bundle of the environment. */
export type Binding = "object" | "environment";

/** What must be known of an environment to say what a bundle's signatures are over. */
export interface Bindings {
  /** The newest epoch's binding: headers and tombstones follow it. */
  readonly newest: Binding;
  /** The binding of the epoch whose key has this kid; undefined when the environment has no such key. */
  of(kid: string): Binding | undefined;
}

/** A bundle's statements: its header's, and each entry's by key; and the sealed bytes that were hashed for them. */
export interface BundleStatements {
  readonly header: Statement;
  readonly entries: ReadonlyMap<string, Statement>;
  /** Decoded `sealed` by key; retired entries have none. */
  readonly sealed: ReadonlyMap<string, Uint8Array>;
}

/** The place that a statement of this bundle is signed for. */
export function signedPlace(secret: ZoppSecret, binding: Binding): SignedPlace {
  const { environment } = secret.spec;
  if (binding === "environment") return { environment, namespace: "*", name: "*" };
  return { environment, namespace: secret.metadata.namespace, name: secret.metadata.name };
}

/** The place that an entry is signed for. One whose `to` the environment does not know is taken as bound to the bundle. */
export function entryPlace(secret: ZoppSecret, { to }: Entry, bindings: Bindings): SignedPlace {
  return signedPlace(secret, to === undefined ? bindings.newest : (bindings.of(to) ?? "object"));
}

/** The signed facts of an entry. Throws Malformed when `sealed` is not canonical base64. */
export function entryFacts(key: string, entry: Entry): EntryFacts {
  return factsOf(key, entry, sealedBytes(key, entry));
}

function sealedBytes(key: string, { sealed }: Entry): Uint8Array | undefined {
  if (sealed === undefined) return undefined;
  const bytes = decodeBase64(sealed);
  if (bytes === null) throw new ZoppError("Malformed", `spec.data.${key}.sealed is not canonical base64`);
  return bytes;
}

function factsOf(
  key: string,
  { version, by, expires, retired, to }: Entry,
  sealed: Uint8Array | undefined,
): EntryFacts {
  if (sealed === undefined) return { key, version, by, expires, retired };
  return { key, version, by, expires, retired, to, sealedHash: sha256Hex(sealed) };
}

/** All statements of a bundle. */
export function bundleStatements(secret: ZoppSecret, bindings: Bindings): BundleStatements {
  const entries = new Map<string, Statement>();
  const sealed = new Map<string, Uint8Array>();
  for (const [key, entry] of Object.entries(secret.spec.data ?? {})) {
    const bytes = sealedBytes(key, entry);
    if (bytes !== undefined) sealed.set(key, bytes);
    entries.set(key, entryStatement(entryPlace(secret, entry, bindings), factsOf(key, entry, bytes)));
  }
  return { header: headerStatement(signedPlace(secret, bindings.newest), secret.spec), entries, sealed };
}

/** Bundle digest: hex SHA-256 of the canonical {header: hash, entries: {KEY: hash}}; approvals and signatures are not in it. */
export function bundleDigest(statements: BundleStatements): string {
  const entries: Record<string, string> = Object.create(null);
  for (const [key, statement] of statements.entries) entries[key] = statement.hash;
  return sha256Hex(utf8(canonicalJson({ header: statements.header.hash, entries })));
}
