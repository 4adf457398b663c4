// Changes one document of a manifest file by the smallest edits of its text: every other byte stays as it is.
// Where a layout is too unusual for that, the document alone is written anew; what results is always read back.
import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { ZoppError } from "../../crds/errors.js";
import { parseDocuments } from "./yaml.read.js";
import { renderBlock, renderFlow, renderPair, renderScalar } from "./yaml.render.js";
import { applyPatches, GaveUp, type Patch, SourceText } from "./yaml.source.js";

type Fields = Readonly<Record<string, unknown>>;

/**
 * The text of a file in which document `index` holds `next` instead. Comments, order, quotes and line ends of all that
 * does not change are kept. Throws Malformed when the document cannot be edited without loss.
 */
export function editDocument(text: string, index: number, next: Fields, file: string): string {
  const documents = parseDocuments(text);
  const document = documents[index];
  if (document === undefined) throw new TypeError("no such document");
  const plain = JSON.parse(JSON.stringify(next)) as Fields;
  const edited = [patched, rewritten].map((way) => way(text, documents, index, plain));
  const good = edited.find((result) => result !== undefined && holds(result, documents, index, plain));
  if (good !== undefined) return good;
  throw new ZoppError("Malformed", `${file}: this layout cannot be edited: write the object in plain block style`);
}

/** True when the text reads as before, with `next` in the one place. */
function holds(text: string, before: readonly Document.Parsed[], index: number, next: Fields): boolean {
  const after = parseDocuments(text);
  if (after.length !== before.length || after.some(({ errors }) => errors.length > 0)) return false;
  return after.every((document, at) => isDeepStrictEqual(document.toJS(), at === index ? next : before[at]?.toJS()));
}

function patched(text: string, documents: readonly Document.Parsed[], index: number, next: Fields): string | undefined {
  const document = documents[index];
  if (!isMap(document?.contents)) return undefined;
  try {
    const edit: Edit = { source: new SourceText(text), document, patches: [] };
    diffMap(edit, document.contents, next, undefined);
    return applyPatches(text, edit.patches);
  } catch (error) {
    if (error instanceof GaveUp) return undefined;
    throw error;
  }
}

/** The last resort: the document API writes this document anew, comments included; the other documents stay. */
function rewritten(
  text: string,
  documents: readonly Document.Parsed[],
  index: number,
  next: Fields,
): string | undefined {
  const document = documents[index];
  if (document === undefined) return undefined;
  const start = index === 0 ? 0 : document.range[0];
  const end = documents[index + 1]?.range[0] ?? text.length;
  const copy = parseDocuments(text)[index];
  if (copy === undefined) return undefined;
  setChanged(copy, [], copy.toJS() as unknown, next);
  const written = copy.toString({ lineWidth: 0 });
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  return text.slice(0, start) + written.replaceAll("\n", eol) + text.slice(end);
}

function setChanged(document: Document.Parsed, path: readonly string[], before: unknown, next: unknown): void {
  if (isDeepStrictEqual(before, next)) return;
  if (!isFields(before) || !isFields(next)) return document.setIn(path, document.createNode(next));
  for (const key of Object.keys(before)) if (!Object.hasOwn(next, key)) document.deleteIn([...path, key]);
  for (const [key, value] of Object.entries(next)) setChanged(document, [...path, key], before[key], value);
}

interface Edit {
  readonly source: SourceText;
  readonly document: Document.Parsed;
  readonly patches: Patch[];
}

type KeyedPair = Pair<Scalar<string>, Node | null>;

/** `opening` is where the line of the parent's key ends; undefined where the map stands at the top or in a list. */
function diffMap(edit: Edit, map: YAMLMap, next: Fields, opening: number | undefined): void {
  const pairs = new Map((map.items as KeyedPair[]).map((pair) => [pair.key.value, pair]));
  if (map.flow) return diffFlowMap(edit, map, pairs, next);
  const keys = Object.keys(next);
  const column = edit.source.columnOf([...pairs.values()][0]?.key);
  let previous: KeyedPair | undefined;
  for (const key of keys) {
    const pair = pairs.get(key);
    if (pair === undefined) {
      const at = previous === undefined ? opening : edit.source.lineEnd(edit.source.endOfPair(previous));
      if (at === undefined) throw new GaveUp();
      edit.patches.push({
        start: at,
        end: at,
        text: newLine(edit, column) + renderPair(key, next[key], column, edit.source.eol),
      });
    } else {
      diffPair(edit, pair, next[key], column);
      previous = pair;
    }
  }
  for (const [key, pair] of pairs) if (!Object.hasOwn(next, key)) edit.patches.push(edit.source.linesOf(pair));
}

function diffPair(edit: Edit, pair: KeyedPair, next: unknown, column: number): void {
  const { source } = edit;
  const value = pair.value;
  if (value !== null && isDeepStrictEqual(value.toJS(edit.document), next)) return;
  refuseAnchors(value);
  const opening = source.lineEnd(pair.key.range?.[1] ?? source.fail());
  if (isMap(value) && isFields(next) && keepsSome(value, next)) return diffMap(edit, value, next, opening);
  if (isSeq(value) && Array.isArray(next) && next.length > 0 && value.items.length > 0)
    return diffSeq(edit, value, next, opening);
  if (isScalar(value) && !isObject(next) && source.isInline(value)) return replaceScalar(edit, value, next, false);
  const start = source.startOf(pair.key);
  edit.patches.push({ start, end: source.endOfPair(pair), text: renderPair(pair.key.value, next, column, source.eol) });
}

function diffFlowMap(edit: Edit, map: YAMLMap, pairs: ReadonlyMap<string, KeyedPair>, next: Fields): void {
  const sameKeys = pairs.size === Object.keys(next).length && Object.keys(next).every((key) => pairs.has(key));
  const scalars = [...pairs.values()].every(({ value }) => isScalar(value) && edit.source.isInline(value));
  if (!sameKeys || !scalars || Object.values(next).some(isObject)) {
    edit.patches.push({ ...edit.source.rangeOf(map), text: renderFlow(next) });
    return;
  }
  for (const [key, { value }] of pairs) {
    if (isScalar(value) && !isDeepStrictEqual(value.toJS(edit.document), next[key]))
      replaceScalar(edit, value, next[key], true);
  }
}

function replaceScalar(edit: Edit, node: Scalar, next: unknown, flow: boolean): void {
  const range = edit.source.rangeOf(node);
  const first = edit.source.text[range.start];
  const quote = first === '"' || first === "'" ? first : undefined;
  edit.patches.push({ ...range, text: renderScalar(next, { quote, flow }) });
}

/** Lists: what only gained or only lost items keeps the others as they are; else item by item. */
function diffSeq(edit: Edit, seq: YAMLSeq, next: readonly unknown[], opening: number): void {
  if (seq.flow) {
    edit.patches.push({ ...edit.source.rangeOf(seq), text: renderFlow(next) });
    return;
  }
  const items = seq.items as Node[];
  const values = items.map((item): unknown => item.toJS(edit.document));
  const column = edit.source.dashColumn(items[0]);
  let at = 0;
  let previous: Node | undefined;
  for (const [position, value] of next.entries()) {
    const gained = isSubsequence(values.slice(at), next.slice(position + 1)) && !isDeepStrictEqual(values[at], value);
    while (
      !gained &&
      at < values.length &&
      values.length - at > next.length - position &&
      !isDeepStrictEqual(values[at], value)
    ) {
      edit.patches.push(edit.source.linesOfItem(items[at++] ?? edit.source.fail()));
    }
    const item = gained ? undefined : items[at];
    if (item === undefined) {
      const end = previous === undefined ? opening : edit.source.lineEnd(edit.source.endOf(previous));
      const text = `${newLine(edit, column)}- ${renderBlock(value, column + 2, edit.source.eol)}`;
      edit.patches.push({ start: end, end, text });
      continue;
    }
    diffItem(edit, item, value, column);
    previous = item;
    at += 1;
  }
  for (const item of items.slice(at)) edit.patches.push(edit.source.linesOfItem(item));
}

function diffItem(edit: Edit, item: Node, next: unknown, column: number): void {
  if (isDeepStrictEqual(item.toJS(edit.document), next)) return;
  refuseAnchors(item);
  if (isMap(item) && isFields(next) && keepsSome(item, next)) return diffMap(edit, item, next, undefined);
  if (isScalar(item) && !isObject(next) && edit.source.isInline(item)) return replaceScalar(edit, item, next, false);
  const text = renderBlock(next, column + 2, edit.source.eol);
  edit.patches.push({ start: edit.source.startOf(item), end: edit.source.endOf(item), text });
}

function newLine(edit: Edit, column: number): string {
  return edit.source.eol + " ".repeat(column);
}

/** A map that keeps none of its keys is replaced as a whole. */
function keepsSome(map: YAMLMap, next: Fields): boolean {
  return (map.items as KeyedPair[]).some(({ key }) => Object.hasOwn(next, key.value));
}

function refuseAnchors(node: Node | null): void {
  const { anchor, tag, srcToken } = (node ?? {}) as { anchor?: string; tag?: string; srcToken?: { type: string } };
  if (anchor !== undefined || srcToken?.type === "alias") throw new GaveUp();
  if (isScalar(node) && tag?.startsWith("!")) throw new GaveUp();
}

function isSubsequence(short: readonly unknown[], long: readonly unknown[]): boolean {
  let at = 0;
  for (const value of long) if (at < short.length && isDeepStrictEqual(short[at], value)) at += 1;
  return at === short.length;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function isFields(value: unknown): value is Fields {
  return isObject(value) && !Array.isArray(value);
}
