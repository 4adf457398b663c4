// Owns the table of the chart's values in helm/README.md, made of values.yaml: a comment above a value says what it is.
// Does not own what the values mean, nor the text around the table.
import { isMap, isScalar, type Pair, parseDocument, stringify, type YAMLMap } from "yaml";

/** One value that people set. */
export interface Value {
  readonly path: string;
  /** As YAML on one line. */
  readonly preset: string;
  readonly text: string;
}

const BEGIN = "<!-- values: written by make gen -->";
const END = "<!-- /values -->";

/** The values of a values.yaml, in its order. Throws TypeError for one without a comment. */
export function readValues(yaml: string): readonly Value[] {
  const { contents } = parseDocument(yaml);
  if (!isMap(contents)) throw new TypeError("values.yaml is no map");
  return valuesOf(contents as YAMLMap, "");
}

/** A README with the table between its marks. Throws TypeError when it has none. */
export function withValues(readme: string, values: readonly Value[]): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new TypeError(`helm/README.md lacks the lines ${BEGIN} and ${END}`);
  const rows = values.map(({ path, preset, text }) => `| \`${path}\` | \`${preset}\` | ${text} |`);
  const table = ["| value | default | |", "| --- | --- | --- |", ...rows].join("\n");
  return `${readme.slice(0, begin)}${BEGIN}\n${table}\n${readme.slice(end)}`;
}

function valuesOf(map: YAMLMap, prefix: string): readonly Value[] {
  return map.items.flatMap((pair, at) => {
    const path = `${prefix}${keyOf(pair)}`;
    // the comment above a map's first key belongs to the map
    const comment = commentOf(pair) ?? (at === 0 && prefix !== "" ? map.commentBefore : undefined);
    const isGroup = isMap(pair.value) && pair.value.items.length > 0 && !pair.value.flow && comment === undefined;
    if (isGroup) return valuesOf(pair.value as YAMLMap, `${path}.`);
    if (!comment) throw new TypeError(`values.yaml: ${path} has no comment`);
    const preset = stringify(pair.value, { collectionStyle: "flow", lineWidth: 0 }).trim();
    return [{ path, preset, text: lastParagraph(comment) }];
  });
}

/** What stands above a blank line is about the file. */
function lastParagraph(comment: string): string {
  const [last = ""] = comment.split(/\n[ \t]*\n/).slice(-1);
  return last.replace(/\s+/g, " ").trim();
}

function keyOf({ key }: Pair): string {
  return String(isScalar(key) ? key.value : key);
}

function commentOf({ key }: Pair): string | undefined {
  return isScalar(key) ? (key.commentBefore ?? undefined) : undefined;
}
