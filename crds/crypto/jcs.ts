// Restricted JCS (RFC 8785): objects, arrays, strings, integers below 2^53 and true.
// What is left out of a statement beforehand is statement.ts' business.

/** A value with a canonical form. */
export type Json = string | number | true | readonly Json[] | { readonly [name: string]: Json };

/** The canonical text: members sorted by UTF-16 code units, no spaces. Throws TypeError for any other value. */
export function canonicalJson(value: Json): string {
  if (typeof value === "string") return canonicalString(value);
  if (typeof value === "number") return canonicalInteger(value);
  if (value === true) return "true";
  // Array.from meets holes, which map would skip
  if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(",")}]`;
  if (!isPlain(value)) throw new TypeError("the value has no canonical form");
  const object = value as { readonly [name: string]: Json };
  let members = "";
  for (const name of Object.keys(object).sort()) {
    members += `${members === "" ? "" : ","}${canonicalString(name)}:${canonicalJson(object[name] as Json)}`;
  }
  return `{${members}}`;
}

/** Bytes, dates and maps are objects too, and would be written as something they are not. */
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new TypeError("a string with lone surrogates has no canonical form");
  return JSON.stringify(text);
}

function canonicalInteger(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0))
    throw new TypeError("only integers below 2^53 have a canonical form");
  return String(value);
}
