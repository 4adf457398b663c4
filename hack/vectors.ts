// Owns reading the committed vectors of crds/vectors/ in tests.
// Does not own what they mean, nor where they come from (crds/vectors/third-party/README.md).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Accepted } from "../crds/bundle/case.js";
import type { EntryContext } from "../crds/crypto/entry.js";
import type { WrapContext } from "../crds/crypto/wrap.js";
import type { ErrorCode } from "../crds/errors.js";
import { packageRoot } from "./package-root.js";

/** What every vector of ours says: what it is, and whether a reader accepts it. */
export interface Vector {
  readonly title: string;
  readonly accept: boolean;
}

/** entries.json: `private`, `sealed` and `value` (of accepted ones) in base64. */
export interface EntryVector extends Vector {
  readonly kem: "xwing" | "x25519";
  readonly private: string;
  readonly place: EntryContext;
  readonly sealed: string;
  readonly value?: string;
}

/** wraps.json: the recipient is the identity of `seed`; `private` (of accepted ones) is what was wrapped. */
export interface WrapVector extends Vector {
  readonly seed: string;
  readonly place: WrapContext;
  readonly public: string;
  readonly to: string;
  readonly enc: string;
  readonly wrapped: string;
  readonly private?: string;
}

/** signatures.json: `fields` before empty things are dropped; `body` and `hash` where the statement is the signed one. */
export interface SignatureVector extends Vector {
  readonly statement: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly body?: string;
  readonly hash?: string;
  readonly key: string;
  readonly signature: string;
}

/** identities.json: what a seed (base64) derives to. */
export interface IdentityVector {
  readonly seed: string;
  readonly signingKey: string;
  readonly signingKid: string;
  readonly encryptionKey: string;
  readonly encryptionKid: string;
}

/** A case with a whole object: what is `given`, and the digest it is accepted with or the code it is refused with. */
export interface ObjectVector<Given> {
  readonly name: string;
  readonly why: string;
  readonly given: Given & { readonly now: string; readonly object: unknown };
  readonly expected: { readonly digest: string } | { readonly code: ErrorCode };
}

/** What a workspace is judged against: a pin in text, or the accepted workspace by its name in `objects`. */
export interface WorkspaceGiven {
  readonly pin?: string;
  readonly accepted?: string;
}

/** What an environment is judged against; both by their names in `objects`. */
export interface EnvironmentGiven {
  readonly workspace: string;
  readonly accepted?: string;
}

/** What a baseline is judged against: policy and the accepted baseline by their names in `objects`, and the keyring's log. */
export interface BaselineGiven {
  readonly workspace: string;
  readonly environment: string;
  readonly accepted?: string;
  /** The id of the keyring's log; absent = a reader without one. */
  readonly log?: string;
}

/** What a ledger remembers of a place. */
export interface LedgerGiven {
  readonly environment: string;
  readonly header: Accepted;
  readonly entries: Readonly<Record<string, Accepted>>;
}

/** What a bundle is judged against; workspace and environment by their names in `objects`. */
export interface BundleGiven {
  readonly workspace: string;
  readonly environment: string;
  readonly cluster?: string;
  readonly ledger?: LedgerGiven;
  /** The accepted baseline, by its name in `objects`. */
  readonly baseline?: string;
  /** True where the keyring's log is not the one that policy names. */
  readonly ledgerLost?: boolean;
  /** Places that the reader knows of, for saying where a signature was made. */
  readonly otherPlaces?: readonly { readonly namespace: string; readonly name: string }[];
}

/** A file of such cases, with the accepted objects that they refer to by name. */
export interface ObjectVectors<Given> {
  readonly objects: Readonly<Record<string, unknown>>;
  readonly vectors: readonly ObjectVector<Given>[];
}

/** The cases of workspaces.json, environments.json, baselines.json or bundles.json, and one accepted object of it by its name. */
export function readObjectVectors<Given>(path: string): ObjectVectors<Given> & { object(name: string): unknown } {
  const file = readJson(path) as ObjectVectors<Given>;
  const object = (name: string): unknown => {
    if (!Object.hasOwn(file.objects, name)) throw new Error(`${path} has no object ${name}`);
    return file.objects[name];
  };
  return { ...file, object };
}

/** The vectors of a JSON file; `path` is relative to crds/vectors. The caller names their shape, and counts them. */
export function readVectors<T>(path: string): readonly T[] {
  return readJson(path) as T[];
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(packageRoot(), "crds", "vectors", path), "utf8"));
}

/** Bytes of a vector's hex text. */
export function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

/** Bytes of a vector's base64 text. */
export function unbase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
