// Owns reading the committed vectors of crds/vectors/ in tests.
// Does not own what they mean, nor where they come from (crds/vectors/third-party/README.md).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.js";

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
