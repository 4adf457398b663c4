// Tells schemas apart: whether an API server has the resource types that this version of zopp was made with.
import { canonicalFields } from "./crypto/jcs.js";
import { sha256Hex, utf8 } from "./crypto/primitives.js";

/** A digest of an OpenAPI v3 schema: the same whatever its descriptions say, and however its members are ordered. */
export function schemaDigest(schema: object): string {
  const text = JSON.stringify(schema, (name, value) =>
    // a property may be called so too, and is an object
    name === "description" && typeof value === "string" ? undefined : value,
  );
  return sha256Hex(utf8(canonicalFields(JSON.parse(text))));
}
