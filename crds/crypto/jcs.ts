// Restricted JCS (RFC 8785): objects, arrays, strings, integers below 2^53 and true; and the form in which statements
// are written, where what means nothing is left out.

/** A value with a canonical form. */
export type Json = string | number | true | readonly Json[] | { readonly [name: string]: Json };

/** The canonical text: members sorted by UTF-16 code units, no spaces. Throws TypeError for any other value. */
export function canonicalJson(value: Json): string {
  return write(value, false);
}

/**
 * The canonical text of a statement's fields without what means nothing: undefined, false, empty objects and empty arrays
 * drop, bottom-up, from object members and never from arrays, so that tools which add or drop empty maps break no
 * signature. Throws TypeError where a value has no canonical form.
 */
export function canonicalFields(fields: Readonly<Record<string, unknown>>): string {
  return write(fields, true) || "{}";
}

/** The canonical text; nothing at all for a value that drops. */
function write(value: unknown, drops: boolean): string {
  if (typeof value === "string") return canonicalString(value);
  if (typeof value === "number") return canonicalInteger(value);
  if (value === true) return "true";
  if (drops && (value === undefined || value === false)) return "";
  if (Array.isArray(value)) {
    if (drops && value.length === 0) return "";
    // Array.from meets holes, which map would skip
    return `[${Array.from(value, (item) => write(item, drops) || emptyItem(item)).join(",")}]`;
  }
  if (!isPlain(value)) throw new TypeError("the value has no canonical form");
  let members = "";
  for (const name of Object.keys(value).sort()) {
    const text = write(value[name], drops);
    if (text !== "") members += `${members === "" ? "" : ","}${canonicalString(name)}:${text}`;
  }
  return drops && members === "" ? "" : `{${members}}`;
}

/** What stays of an array's item when all of it was dropped: arrays keep their length. */
function emptyItem(item: unknown): string {
  if (Array.isArray(item)) return "[]";
  if (typeof item === "object") return "{}";
  throw new TypeError("a statement's array holds a value that has no canonical form");
}

/** Bytes, dates and maps are objects too, and would be written as something they are not. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
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
