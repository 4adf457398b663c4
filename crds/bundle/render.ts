// Templates of a bundle: `[[ KEY | filter ]]` and `[[ * | format ]]` over the values of the same bundle, and nothing else.
// No conditions, loops, lookups or clocks: a template's result depends on the bundle's values alone, and is bounded.
import { asZoppError, ZoppError } from "../errors.js";
import type { Entry, ZoppSecret } from "../types.gen.js";
import { placeOf } from "./case.js";
import { type Filter, textOf } from "./render.filters.js";
import { type Placeholder, parseTemplate } from "./render.parse.js";
import { isOnlyForJob, MAX_SECRET_BYTES, valueKeys } from "./target.js";

/** The most that the filters of a bundle's templates may be given, all together, in bytes. */
export const MAX_FILTERED_BYTES = 16 * MAX_SECRET_BYTES;

/** What is rendered: templates by key, and the bundle's values by key. `what` names the bundle in messages. */
export interface RenderCase {
  readonly what: string;
  readonly templates: Readonly<Record<string, string>>;
  /** The bundle's keys with values, as {@link renderedFrom} tells them: no template may have one of these names, and `*` is all of them that are not retired. */
  readonly entries: Readonly<Record<string, Pick<Entry, "retired">>>;
  readonly values: ReadonlyMap<string, Uint8Array>;
}

/** What one rendering has used up, in bytes. */
interface Spent {
  filtered: number;
  given: number;
}

const encoder = new TextEncoder();

/**
 * Renders all templates of a bundle; gives bytes by key. Throws RenderInvalid naming the template's field and the place in it:
 * a name that data has too, an unknown key, filter or format, an open bracket, a binary value without base64, a value that the
 * format cannot hold. Throws TooLarge when all results are more than a Secret holds, or filters are given too much.
 */
export function renderTemplates(given: RenderCase): Map<string, Uint8Array> {
  const rendered = new Map<string, Uint8Array>();
  const spent: Spent = { filtered: 0, given: 0 };
  for (const [key, template] of Object.entries(given.templates)) {
    const field = fieldOf(given.what, key);
    if (Object.hasOwn(given.entries, key)) {
      throw new ZoppError("RenderInvalid", `${field} has the name of a key in spec.data`);
    }
    rendered.set(key, renderOne(template, field, given, spent));
  }
  return rendered;
}

/** What templates are made of: data that the Secret gets, and what the keyring makes. */
export function renderedFrom(secret: Pick<ZoppSecret, "spec">): RenderCase["entries"] {
  const entries = Object.entries(secret.spec.data ?? {}).filter(([key]) => !isOnlyForJob(secret, key));
  return Object.fromEntries([...entries, ...valueKeys(secret).map((key) => [key, {}] as const)]);
}

/** What is wrong with a bundle's templates as far as it shows without values: one error for each that cannot be rendered. */
export function templateProblems(secret: ZoppSecret): readonly ZoppError[] {
  const entries = renderedFrom(secret);
  return Object.entries(secret.spec.render ?? {}).flatMap(([key, template]) => {
    const field = fieldOf(placeOf(secret), key);
    try {
      for (const piece of parseTemplate(template, field)) {
        if (typeof piece !== "string") neededKeys(piece, entries);
      }
      return [];
    } catch (error) {
      return [asZoppError(error, `reading ${field}`)];
    }
  });
}

function fieldOf(what: string, key: string): string {
  return `bundle ${what}: spec.render.${key}`;
}

function renderOne(template: string, field: string, given: RenderCase, spent: Spent): Uint8Array {
  const pieces: string[] = [];
  let length = 0;
  for (const piece of parseTemplate(template, field)) {
    const text = typeof piece === "string" ? piece : evaluate(piece, given, field, spent);
    length += text.length;
    refuseTooMuch(spent.given + length, field);
    pieces.push(text);
  }
  const bytes = encoder.encode(pieces.join(""));
  spent.given += bytes.length;
  refuseTooMuch(spent.given, field);
  return bytes;
}

function evaluate(placeholder: Placeholder, given: RenderCase, field: string, spent: Spent): string {
  const failFor = (key: string, problem: string): never => placeholder.fail(`${key} ${problem}`);
  const through = (start: Uint8Array, filters: readonly Filter[], subject: string): string => {
    let bytes = start;
    const fail = (problem: string) => failFor(subject, problem);
    for (const filter of filters) {
      spent.filtered += bytes.length;
      if (bytes.length > MAX_SECRET_BYTES || spent.filtered > MAX_FILTERED_BYTES) {
        throw new ZoppError("TooLarge", `${field}: its filters are given too much`);
      }
      bytes = encoder.encode(filter(bytes, fail));
    }
    return textOf(bytes, fail);
  };
  const texts = new Map<string, string>();
  for (const key of neededKeys(placeholder, given.entries)) {
    const value = given.values.get(key) ?? failFor(key, "has no value here");
    texts.set(key, through(value, placeholder.each, key));
  }
  if ("key" in placeholder) return texts.get(placeholder.key) ?? "";
  return through(encoder.encode(placeholder.all.write(texts, failFor)), placeholder.after, "*");
}

/** The keys whose values a placeholder is made of, in order; those that are not there, or that a format cannot hold, are refused. */
function neededKeys(placeholder: Placeholder, entries: RenderCase["entries"]): readonly string[] {
  const isLive = (key: string) => Object.hasOwn(entries, key) && entries[key]?.retired !== true;
  if ("key" in placeholder) {
    const { key, fail } = placeholder;
    return isLive(key) ? [key] : fail(`the bundle has no value for ${key}`);
  }
  const { all, name, fail } = placeholder;
  const live = Object.keys(entries).filter(isLive).sort();
  const unfit = live.find((key) => !all.takes(key));
  return unfit === undefined ? live : fail(`${unfit} is no name that ${name} can hold`);
}

function refuseTooMuch(bytes: number, field: string): void {
  if (bytes <= MAX_SECRET_BYTES) return;
  throw new ZoppError("TooLarge", `${field}: with it, what is rendered is over ${MAX_SECRET_BYTES} bytes`);
}
