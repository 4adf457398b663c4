// What a template may do with values: filters for one of them, formats for all of a bundle in one text.
// Each gives what its reader takes back as the very value, or refuses: nothing is guessed and nothing left out.
import { encodeBase64 } from "../crypto/encoding.js";

/** Ends with an error that says where in which template; the problem begins with the key. */
export type Fail = (problem: string) => never;

/** Takes what stands before it and gives text; only `base64` takes bytes that are not UTF-8. */
export type Filter = (value: Uint8Array, fail: Fail) => string;

/** A text of all values of a bundle. */
export interface Format {
  /** Whether its readers take such a key. */
  readonly takes: (key: string) => boolean;
  /** Writes keys with their values. `fail` is given what is wrong with the value of a key. */
  readonly write: (values: ReadonlyMap<string, string>, fail: (key: string, problem: string) => never) => string;
}

/** The filters by name. */
export const FILTERS: Readonly<Record<string, Filter>> = {
  base64: (value) => encodeBase64(value),
  json: (value, fail) => JSON.stringify(textOf(value, fail)),
  trim: (value, fail) => textOf(value, fail).trim(),
  urlencode: (value, fail) => percentEncode(textOf(value, fail)),
  "yaml-quoted": (value, fail) => yamlQuoted(textOf(value, fail)),
};

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The formats by name. */
export const FORMATS: Readonly<Record<string, Format>> = {
  dotenv: {
    takes: (key) => VARIABLE.test(key),
    write: (values, fail) => lines(values, (value, key) => dotenvValue(value, (problem) => fail(key, problem))),
  },
  json: {
    takes: () => true,
    // by hand, since an object puts keys that are numbers first
    write: (values) => `{${[...values].map((pair) => pair.map((text) => JSON.stringify(text)).join(":")).join(",")}}`,
  },
  properties: { takes: () => true, write: (values) => lines(values, propertiesValue) },
};

const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text that these bytes are in UTF-8. */
export function textOf(value: Uint8Array, fail: Fail): string {
  try {
    return utf8Strict.decode(value);
  } catch {
    return fail("is not UTF-8 text; only the filter base64 takes it");
  }
}

/** RFC 3986: everything but unreserved characters, which encodeURIComponent alone does not do. */
function percentEncode(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Line breaks of YAML 1.1, and what no YAML may hold unescaped, but JSON may. */
const NOT_IN_YAML = /[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/g;

/** JSON's quotes are YAML's double ones, but for a few characters. */
function yamlQuoted(value: string): string {
  return JSON.stringify(value).replace(NOT_IN_YAML, unicodeEscape);
}

function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function lines(values: ReadonlyMap<string, string>, write: (value: string, key: string) => string): string {
  return [...values].map(([key, value]) => `${key}=${write(value, key)}\n`).join("");
}

/** Means itself without quotes, to readers that know no quotes either. */
const PLAIN = /^[A-Za-z0-9_.,:@%+=/-]+$/;
const DOUBLE_QUOTABLE = /^[^"$`\\]*$/;

/**
 * A value as shells and readers of dotenv files understand it alike. Between single quotes everything stands for itself
 * but the quote; between double ones shells and readers agree only where there is nothing to escape.
 */
function dotenvValue(value: string, fail: Fail): string {
  if (PLAIN.test(value)) return value;
  if (/[\0\r]/.test(value)) return fail("holds a NUL or carriage return, which readers of dotenv files drop");
  // some readers would take the quote after it for an escaped one, and read on into the next value
  if (value.endsWith("\\")) return fail("ends with a backslash, which readers of dotenv files take in different ways");
  if (!value.includes("'")) return `'${value}'`;
  if (DOUBLE_QUOTABLE.test(value)) return `"${value}"`;
  return fail("holds a ' and one of \" $ ` \\, which no quotes of a dotenv file hold for all its readers");
}

const PROPERTIES_ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A value as java.util.Properties loads it, from a Reader as from a stream of ISO 8859-1. */
function propertiesValue(value: string): string {
  return value.replace(/\\|[^ -~]/g, (unit) => PROPERTIES_ESCAPES[unit] ?? unicodeEscape(unit)).replace(/^ /, "\\ ");
}
