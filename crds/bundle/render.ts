// Templates of a bundle: `[[ KEY | filter ]]` over the values of the same bundle, and nothing else.
// No conditions, loops, lookups or clocks: a template's result depends on the bundle's values alone.
import { encodeBase64 } from "../crypto/encoding.js";
import { ZoppError } from "../errors.js";

/** The longest result of one template, in bytes of UTF-8. */
export const MAX_RENDERED_BYTES = 64 * 1024;

/** What is rendered: templates by key, and the bundle's values by key. `what` names the bundle in messages. */
export interface RenderCase {
  readonly what: string;
  readonly templates: Readonly<Record<string, string>>;
  readonly values: ReadonlyMap<string, Uint8Array>;
  /** Every key of the bundle's data, retired ones included: no template may have one of these names. */
  readonly dataKeys: Iterable<string>;
}

/** Filters take what stands before them and give text; only `base64` takes bytes that are not UTF-8. */
const FILTERS: Readonly<Record<string, (value: Uint8Array, fail: Fail) => string>> = {
  base64: (value) => encodeBase64(value),
  json: (value, fail) => JSON.stringify(text(value, fail)),
  trim: (value, fail) => text(value, fail).trim(),
  urlencode: (value, fail) => percentEncode(text(value, fail)),
};

/** The names of the filters, for messages and documents. */
export const FILTER_NAMES: readonly string[] = Object.keys(FILTERS);

type Fail = (problem: string) => never;

const OPEN = "[[";
const CLOSE = "]]";
/** `[[ "[[" ]]` writes two brackets, which TOML and shell scripts need. */
const LITERAL = '"[["';
const KEY = /^[-._a-zA-Z0-9]{1,253}$/;
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Renders all templates of a bundle; gives bytes by key. Throws RenderInvalid naming the template's field:
 * a name that data has too, an unknown key or filter, an open bracket, a binary value without base64.
 * Throws TooLarge when a result is over 64 KiB.
 */
export function renderTemplates(given: RenderCase): Map<string, Uint8Array> {
  const taken = new Set(given.dataKeys);
  const rendered = new Map<string, Uint8Array>();
  for (const [key, template] of Object.entries(given.templates)) {
    const field = `bundle ${given.what}: spec.render.${key}`;
    if (taken.has(key)) throw new ZoppError("RenderInvalid", `${field} has the name of a key in spec.data`);
    rendered.set(key, renderOne(template, given.values, field));
  }
  return rendered;
}

function renderOne(template: string, values: ReadonlyMap<string, Uint8Array>, field: string): Uint8Array {
  const pieces: string[] = [];
  let length = 0;
  const put = (piece: string) => {
    length += piece.length;
    if (length > MAX_RENDERED_BYTES) throw tooLarge(field);
    pieces.push(piece);
  };
  let at = 0;
  for (let open = template.indexOf(OPEN); open >= 0; open = template.indexOf(OPEN, at)) {
    put(template.slice(at, open));
    const close = template.indexOf(CLOSE, open + OPEN.length);
    if (close < 0) throw new ZoppError("RenderInvalid", `${field}: the "[[" at character ${open + 1} is never closed`);
    put(evaluate(template.slice(open + OPEN.length, close), values, field));
    at = close + CLOSE.length;
  }
  put(template.slice(at));
  const bytes = encoder.encode(pieces.join(""));
  if (bytes.length > MAX_RENDERED_BYTES) throw tooLarge(field);
  return bytes;
}

function evaluate(expression: string, values: ReadonlyMap<string, Uint8Array>, field: string): string {
  const [head = "", ...filters] = expression.split("|").map((part) => part.trim());
  if (head === LITERAL && filters.length === 0) return OPEN;
  if (!KEY.test(head)) throw new ZoppError("RenderInvalid", `${field}: between "[[" and "]]" stands no key name`);
  const value = values.get(head);
  if (value === undefined) throw new ZoppError("RenderInvalid", `${field}: the bundle has no value for ${head}`);
  const fail: Fail = (problem) => {
    throw new ZoppError("RenderInvalid", `${field}: ${head} ${problem}`);
  };
  let result: Uint8Array | string = value;
  for (const name of filters) {
    const filter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
    if (filter === undefined) return fail(`has an unknown filter (there are ${FILTER_NAMES.join(", ")})`);
    result = filter(typeof result === "string" ? encoder.encode(result) : result, fail);
  }
  return typeof result === "string" ? result : text(result, fail);
}

function text(value: Uint8Array, fail: Fail): string {
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

function tooLarge(field: string): ZoppError {
  return new ZoppError("TooLarge", `${field}: the result is over ${MAX_RENDERED_BYTES} bytes`);
}
