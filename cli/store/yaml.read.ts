// Reads the documents of a manifest file as Kubernetes would: YAML 1.1 booleans and numbers, times as strings.
// Whether an object is well-formed is validate.ts' business.
import { type Document, isMap, isScalar, LineCounter, parseAllDocuments, visit } from "yaml";
import { ZoppError } from "../../crds/errors.js";

/** Kinds of value that Kubernetes does not read from YAML. */
const FOREIGN = new Set(
  ["timestamp", "intTime", "floatTime", "binary", "omap", "pairs", "set"].map((name) => name.toLowerCase()),
);
const FOREIGN_TAGS = new Set(
  ["timestamp", "binary", "omap", "pairs", "set"].map((name) => `tag:yaml.org,2002:${name}`),
);

/** One document of a file. */
export interface Manifest {
  /** Its number within the file, from 0. */
  readonly index: number;
  readonly document: Document.Parsed;
  /** Plain data. */
  readonly value: unknown;
}

/** Reads every document of a file; empty ones are left out. Throws Malformed with the line, never with its content. */
export function readManifests(text: string, file: string): readonly Manifest[] {
  const lines = new LineCounter();
  const documents = parseDocuments(text, lines);
  return documents.flatMap((document, index) => {
    refuseErrors(document, file, lines);
    const value: unknown = plainData(document, file);
    return value === null || value === undefined ? [] : [{ index, document, value }];
  });
}

/** All documents of a text, with their source positions, errors and all. */
export function parseDocuments(text: string, lineCounter = new LineCounter()): readonly Document.Parsed[] {
  const documents = parseAllDocuments(text, {
    version: "1.1",
    merge: true,
    lineCounter,
    keepSourceTokens: true,
    customTags: (tags) => tags.filter((tag) => !isForeign(tag)),
  });
  return "empty" in documents ? [] : documents;
}

function isForeign(tag: unknown): boolean {
  if (typeof tag === "string") return FOREIGN.has(tag.toLowerCase());
  const { tag: name, format } = tag as { tag?: string; format?: string };
  return FOREIGN_TAGS.has(name ?? "") || format === "TIME";
}

function refuseErrors(document: Document.Parsed, file: string, lines: LineCounter): void {
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    throw new ZoppError(
      "Malformed",
      `${file}:${line}: not valid YAML (${error.code.toLowerCase().replaceAll("_", " ")})`,
    );
  }
  visit(document, {
    Pair: (_, { key }) => {
      if (isScalar(key) && typeof key.value === "string") return undefined;
      const at = isScalar(key) || isMap(key) ? key.range?.[0] : undefined;
      const where = at === undefined ? file : `${file}:${lines.linePos(at).line}`;
      throw new ZoppError("Malformed", `${where}: a key is not a string: put it in quotes`);
    },
  });
}

function plainData(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new ZoppError("Malformed", `${file}: has aliases that cannot be resolved`, { cause });
  }
}
