// How results and errors are shown: for people, as JSON, YAML or names; and which exit code they give.
// What is shown is decided by the commands.
import { asZoppError, type ZoppError } from "../crds/errors.js";
import type { Context, Output } from "./context.js";

/** The forms of `--output`. */
export const FORMATS = ["human", "json", "yaml", "name"] as const;

/** How results are printed. */
export type Format = (typeof FORMATS)[number];

/** What a command gives back to be printed. */
export interface Result {
  /** For `-o json` and `-o yaml`. */
  readonly data: unknown;
  /** Lines for people. */
  readonly human: readonly string[];
  /** For `-o name`: kind/name, one a line. */
  readonly names?: readonly string[];
  /** Said on stderr beside the result, in every format. */
  readonly notes?: readonly string[];
  /** Printed instead of `human`, byte for byte. */
  readonly raw?: Uint8Array;
  /** Exit code when the result itself is bad news; 0 when absent. */
  readonly exit?: number;
}

/** Control characters could rewrite what a terminal shows, and marks of direction its order; manifests are written by others. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The text without characters that could steer a terminal. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, "\ufffd");
}

/** The text with `\uXXXX` for what could steer a terminal, which JSON and quoted YAML read as what it was. */
function escaped(text: string): string {
  return text.replaceAll(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A value as JSON that can be shown on any terminal. */
export function jsonText(value: unknown, indent?: number): string {
  return escaped(JSON.stringify(value, undefined, indent));
}

/** Prints a result in a format; gives the exit code. */
export async function printResult(context: Context, result: Result, format: Format): Promise<number> {
  for (const note of result.notes ?? []) context.stderr.write(`note: ${printable(note)}\n`);
  // a program that was run has said what there is to say
  if (result.data === undefined) return result.exit ?? 0;
  if (format === "json") context.stdout.write(`${jsonText(result.data, 2)}\n`);
  else if (format === "yaml") context.stdout.write(await yamlOf(result.data));
  else if (format === "name") context.stdout.write((result.names ?? []).map((name) => `${printable(name)}\n`).join(""));
  else if (result.raw !== undefined) context.stdout.write(result.raw);
  else context.stdout.write(result.human.map((line) => `${printable(line)}\n`).join(""));
  return result.exit ?? 0;
}

async function yamlOf(data: unknown): Promise<string> {
  const { renderManifest } = await import("./store/yaml.render.js");
  return escaped(renderManifest(JSON.parse(JSON.stringify(data)), CONTROL));
}

/** Prints an error with its code and next step; gives the exit code of its class. */
export function printError(context: Context, thrown: unknown, format: Format): number {
  const error = asZoppError(thrown, "zopp");
  if (format === "json") {
    const { code, message, fields } = error;
    const body = { code, message, next: error.kind.next, ...(fields.length === 0 ? {} : { fields }) };
    context.stderr.write(`${jsonText({ error: body }, 2)}\n`);
    return error.kind.exit;
  }
  context.stderr.write(`${colour(context, "error:")} ${problemLine(error)}\n`);
  for (const { path, problem } of error.fields) context.stderr.write(`  ${printable(`${path} ${problem}`)}\n`);
  context.stderr.write(`next: ${error.kind.next}\n`);
  if (error.code === "Internal") context.stderr.write(internals(context, error));
  return error.kind.exit;
}

/** `CODE: message` of a problem, safe to print. */
export function problemLine(error: ZoppError): string {
  return printable(`${error.code}: ${error.message}`);
}

/** Where an unexpected error came from; never its message, which can quote what it failed on. */
function internals(context: Context, error: ZoppError): string {
  const { cause } = error;
  if (!(cause instanceof Error)) return "";
  if (!context.env["ZOPP_DEBUG"]) return `  (${cause.name}; ZOPP_DEBUG=1 shows where)\n`;
  const frames = (cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return `${[`  ${cause.name}`, ...frames].join("\n")}\n`;
}

function colour(context: Context, text: string): string {
  const { NO_COLOR, TERM } = context.env;
  // an empty NO_COLOR says nothing (no-color.org)
  const plain = context.stderr.isTTY !== true || Boolean(NO_COLOR) || TERM === "dumb";
  return plain ? text : `\u001b[31m${text}\u001b[0m`;
}

/** Columns as wide as their widest cell; headings in the first row. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [headings, ...rows].map((row) => row.map(printable));
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Says what takes long, once it takes longer than a second, to people only. */
export async function withProgress<T>(context: Context, doing: string, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => progress(context.stderr, doing), 1000);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** Counts what is done, and says how far it is once a second, to people only. */
export function counted(context: Context, what: string): () => void {
  let [done, said] = [0, Date.now()];
  return () => {
    done += 1;
    if (Date.now() - said < 1000) return;
    said = Date.now();
    progress(context.stderr, `${done} ${what}`);
  };
}

/** Says at once what is being done, to people only. */
export function progress(stderr: Output, doing: string): void {
  if (stderr.isTTY === true) stderr.write(`${printable(doing)} …\n`);
}
