// Reads a template strictly into its pieces: text, and placeholders with their filters and format.
// Knows names only. What filters do is render.filters.ts', values are render.ts'.
import { ZoppError } from "../errors.js";
import { isKey } from "../validate.checks.js";
import { type Fail, FILTERS, type Filter, FORMATS, type Format } from "./render.filters.js";

/** The most placeholders of one template. */
export const MAX_PLACEHOLDERS = 512;
/** The most filters that one placeholder may name, a format among them. */
export const MAX_FILTERS = 8;

/** Stands for one value, or for all: each goes through `each`; all become one text of a format, which goes through `after`. */
export type Placeholder = Where &
  (
    | { readonly key: string; readonly each: readonly Filter[] }
    | {
        readonly all: Format;
        readonly name: string;
        readonly each: readonly Filter[];
        readonly after: readonly Filter[];
      }
  );

interface Where {
  /** Ends with RenderInvalid that says bundle, field, line and character. */
  readonly fail: Fail;
}

const OPEN = "[[";
const CLOSE = "]]";
/** `[[ "[[" ]]` writes two brackets, which TOML and shell scripts need. */
const LITERAL = '"[["';
/** `[[ * | FORMAT ]]` is all values of the bundle. */
const ALL = "*";

/**
 * The pieces of a template. `field` names bundle and field in messages. Throws RenderInvalid for what is no template, TooLarge
 * for one with too many placeholders.
 */
export function parseTemplate(template: string, field: string): readonly (string | Placeholder)[] {
  const pieces: (string | Placeholder)[] = [];
  let at = 0;
  let count = 0;
  for (let open = template.indexOf(OPEN); open >= 0; open = template.indexOf(OPEN, at)) {
    const fail: Fail = (problem) => {
      throw new ZoppError("RenderInvalid", `${field}, ${placeIn(template, open)}: ${problem}`);
    };
    pieces.push(template.slice(at, open));
    const close = template.indexOf(CLOSE, open + OPEN.length);
    if (close < 0) fail('this "[[" is never closed');
    count += 1;
    if (count > MAX_PLACEHOLDERS) {
      throw new ZoppError("TooLarge", `${field} has more than ${MAX_PLACEHOLDERS} placeholders`);
    }
    pieces.push(parsePlaceholder(template.slice(open + OPEN.length, close), fail));
    at = close + CLOSE.length;
  }
  pieces.push(template.slice(at));
  return pieces;
}

function placeIn(template: string, at: number): string {
  const before = template.slice(0, at);
  return `line ${before.split("\n").length}, character ${at - before.lastIndexOf("\n")}`;
}

function parsePlaceholder(expression: string, fail: Fail): string | Placeholder {
  const [head = "", ...names] = expression.split("|").map((part) => part.trim());
  if (head === LITERAL && names.length === 0) return OPEN;
  if (head !== ALL && !isKey(head)) fail('between "[[" and "]]" stands no key name');
  if (names.length > MAX_FILTERS) fail(`${head} goes through more than ${MAX_FILTERS} filters`);
  const filters = (some: readonly string[]) => some.map((name) => filterOf(head, name, fail));
  if (head !== ALL) return { fail, key: head, each: filters(names) };
  const name = names.find((some) => Object.hasOwn(FORMATS, some)) ?? "";
  const all = FORMATS[name];
  if (all === undefined) {
    return fail(`* stands for all values, and needs a format (there are ${Object.keys(FORMATS).join(", ")})`);
  }
  const at = names.indexOf(name);
  return { fail, all, name, each: filters(names.slice(0, at)), after: filters(names.slice(at + 1)) };
}

function filterOf(head: string, name: string, fail: Fail): Filter {
  const filter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
  if (filter !== undefined) return filter;
  if (Object.hasOwn(FORMATS, name) && head !== ALL) {
    return fail(`${name} is a format of all values, as in [[ * | ${name} ]]; ${head} is one`);
  }
  return fail(`${head} has an unknown filter (there are ${Object.keys(FILTERS).join(", ")})`);
}
