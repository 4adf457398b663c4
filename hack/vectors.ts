// Owns reading the committed vectors of crds/vectors/ in tests.
// Does not own what they mean, nor where they come from (crds/vectors/third-party/README.md).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { EntryContext } from "../crds/crypto/entry.js";
import type { WrapContext } from "../crds/crypto/wrap.js";
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

/** The vectors of a JSON file; `path` is relative to crds/vectors. The caller names their shape, and counts them. */
export function readVectors<T>(path: string): readonly T[] {
  return JSON.parse(readFileSync(join(packageRoot(), "crds", "vectors", path), "utf8")) as T[];
}

/** Bytes of a vector's hex text. */
export function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

/** Bytes of a vector's base64 text. */
export function unbase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
