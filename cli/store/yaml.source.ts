// Positions in the text of a YAML file: lines, columns, ends of nodes; and edits that do not overlap.
// What is edited is yaml.edit.ts' business.
import { isMap, isScalar, isSeq, type Node, type Pair } from "yaml";

/** Thrown when a layout is too unusual for edits of the text; the caller then writes the document anew. */
export class GaveUp extends Error {
  override readonly name = "GaveUp";
}

/** Replaces the text from `start` to before `end`. */
export interface Patch {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The text with all patches made; undefined when two of them overlap. Those at one place keep their order. */
export function applyPatches(text: string, patches: readonly Patch[]): string | undefined {
  const sorted = [...patches].sort((a, b) => a.start - b.start || a.end - b.end);
  let result = "";
  let at = 0;
  for (const patch of sorted) {
    if (patch.start < at) return undefined;
    result += text.slice(at, patch.start) + patch.text;
    at = patch.end;
  }
  return result + text.slice(at);
}

/** A file's text, and where its nodes lie. Methods throw GaveUp for layouts they do not know. */
export class SourceText {
  readonly text: string;
  readonly eol: string;

  constructor(text: string) {
    this.text = text;
    this.eol = text.includes("\r\n") ? "\r\n" : "\n";
  }

  fail(): never {
    throw new GaveUp();
  }

  rangeOf(node: Node | null | undefined): { readonly start: number; readonly end: number } {
    const range = node?.range ?? this.fail();
    return { start: range[0], end: range[1] };
  }

  startOf(node: Node | null | undefined): number {
    return this.rangeOf(node).start;
  }

  /** Where a node's last visible character ends: comments and empty lines after it do not belong to it. */
  endOf(node: Node): number {
    if (isMap(node) && !node.flow && node.items.length > 0)
      return Math.max(...node.items.map((pair) => this.endOfPair(pair as Pair)));
    if (isSeq(node) && !node.flow && node.items.length > 0)
      return Math.max(...node.items.map((item) => this.endOf(item as Node)));
    const { start, end } = this.rangeOf(node);
    return start + this.text.slice(start, end).trimEnd().length;
  }

  endOfPair(pair: Pair): number {
    const value = pair.value as Node | null;
    const keyEnd = this.rangeOf(pair.key as Node).end;
    const colon = /[ \t]*:/y;
    colon.lastIndex = keyEnd;
    if (!colon.test(this.text)) this.fail();
    return value === null ? colon.lastIndex : Math.max(colon.lastIndex, this.endOf(value));
  }

  /** Where the line of an offset ends, before its line break. */
  lineEnd(offset: number): number {
    const found = this.text.indexOf("\n", offset);
    if (found < 0) return this.text.length;
    return found > offset && this.text[found - 1] === "\r" ? found - 1 : found;
  }

  lineStart(offset: number): number {
    return this.text.lastIndexOf("\n", offset - 1) + 1;
  }

  /** How far a map's first key is indented, after list dashes too. */
  columnOf(node: Node | undefined): number {
    const start = this.startOf(node);
    const before = this.text.slice(this.lineStart(start), start);
    return /^[ -]*$/.test(before) ? before.length : this.fail();
  }

  /** How far the dash of a list's item is indented. */
  dashColumn(item: Node | undefined): number {
    const start = this.startOf(item);
    const dashes = /^( *)- +$/.exec(this.text.slice(this.lineStart(start), start));
    return dashes?.[1]?.length ?? this.fail();
  }

  /** The whole lines of a pair that has them to itself. */
  linesOf(pair: Pair): Patch {
    const start = this.startOf(pair.key as Node);
    if (this.text.slice(this.lineStart(start), start).trim() !== "") this.fail();
    return this.#lines(start, this.endOfPair(pair));
  }

  linesOfItem(item: Node): Patch {
    this.dashColumn(item);
    return this.#lines(this.startOf(item), this.endOf(item));
  }

  /** True for a scalar that stands on one line, visibly. */
  isInline(node: Node): boolean {
    if (!isScalar(node) || node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED") return false;
    const { start, end } = this.rangeOf(node);
    return end > start && !this.text.slice(start, end).includes("\n");
  }

  #lines(start: number, end: number): Patch {
    const after = this.text.indexOf("\n", end);
    return { start: this.lineStart(start), end: after < 0 ? this.text.length : after + 1, text: "" };
  }
}
