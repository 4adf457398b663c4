// Writes values as YAML in which every string stays one, whatever version of YAML reads it.
// Changing what a file already holds is yaml.edit.ts' business.
import { Document, visit } from "yaml";

/** Words and numbers of YAML 1.1, 1.2 or Go's parser that are not strings when written bare. */
const NOT_A_STRING =
  /^(?:y|n|yes|no|on|off|true|false|null|nan|inf|~|=|<<|[-+]?\.(?:inf|nan)|[-+.]?[0-9][-+0-9._:a-fA-FxXoOpPTtZz \t]*)?$/i;
/** What may stand bare inside flow collections as well. */
const SAFE_IN_FLOW = /^[A-Za-z0-9_/+=.@*-]+$/;

const OPTIONS = { version: "1.1", lineWidth: 0, indentSeq: false, aliasDuplicateObjects: false } as const;

/**
 * A value as block YAML, ending in a newline: long strings on one line, everything that is a string quoted where needed,
 * and strings with a match of `quoted` in double quotes, where they can be escaped.
 */
export function renderManifest(value: unknown, quoted?: RegExp): string {
  const document = new Document(value, OPTIONS);
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value !== "string") return;
      const escapes = quoted !== undefined && node.value.search(quoted) >= 0;
      if (escapes || NOT_A_STRING.test(node.value)) node.type = "QUOTE_DOUBLE";
    },
  });
  return document.toString(OPTIONS);
}

/** `key: value` in block YAML: the first line as it is, the others indented by `indent`; no newline at its end. */
export function renderPair(key: string, value: unknown, indent: number, eol: string): string {
  return indented(renderManifest({ [key]: value }), indent, eol);
}

/** A value in block YAML, as renderPair does it. */
export function renderBlock(value: unknown, indent: number, eol: string): string {
  return indented(renderManifest(value), indent, eol);
}

function indented(text: string, indent: number, eol: string): string {
  const [first = "", ...rest] = text.replace(/\n$/, "").split("\n");
  return [first, ...rest.map((line) => (line === "" ? line : " ".repeat(indent) + line))].join(eol);
}

/** A number, string or boolean on one line, in the quotes that stood around the old one. */
export function renderScalar(
  value: unknown,
  like: { readonly quote?: string | undefined; readonly flow: boolean },
): string {
  if (typeof value !== "string") return String(value);
  if (like.quote === "'" && /^[\x20-\x7e]*$/.test(value)) return `'${value.replaceAll("'", "''")}'`;
  const bare =
    like.quote === undefined && SAFE_IN_FLOW.test(value) && !/^[*=-]/.test(value) && !NOT_A_STRING.test(value);
  if (bare) return value;
  if (like.flow || like.quote !== undefined || /[\n\r]/.test(value)) return JSON.stringify(value);
  return renderManifest(value).replace(/\n$/, "");
}

/** A collection on one line: `{name: eu-1, clusters: [a, b]}`. */
export function renderFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(renderFlow).join(", ")}]`;
  if (typeof value !== "object" || value === null) return renderScalar(value, { flow: true });
  const pairs = Object.entries(value).map(
    ([key, member]) => `${renderScalar(key, { flow: true })}: ${renderFlow(member)}`,
  );
  return `{${pairs.join(", ")}}`;
}
