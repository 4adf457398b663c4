// Owns how the demo looks: chapters, narration, commands as typed, their output trimmed to what can be read.
// Does not own what is told, nor whether it is true.
import { stripVTControlCharacters } from "node:util";

const WIDTH = 110;
const MAX_LINES = 14;
/** Longer runs of base64 tell a reader nothing. */
const LONG_RUN = /[A-Za-z0-9+/=]{65,}/g;
const HEAD = 20;
const TAIL = 6;
const DIGEST = /\b[0-9a-f]{64}\b/g;
const DIGEST_HEAD = 12;
/** A pin is there to be read and compared as a whole. */
const PIN = /@\d+:[0-9a-f]{64}/;

/** What a narrator can be told; every text is one paragraph. */
export interface Narrator {
  title(text: string): void;
  chapter(text: string): void;
  /** A heading below a chapter. */
  section(text: string): void;
  /** Why and what, in a sentence or two. */
  say(text: string): void;
  /** A command line, as somebody types it. `who` stands before the prompt. */
  command(line: string, who?: string): void;
  /** What a command printed. */
  output(text: string, maxLines?: number): void;
  /** Something that was checked and is so. */
  check(text: string): void;
  /** Something that is not as told. */
  fail(text: string): void;
  /** Lines shown as they are. */
  plain(lines: readonly string[]): void;
}

/** Makes a narrator that hands each line to `write`; with `colour`, in the terminal's own colours. */
export function newNarrator({ write, colour }: { write: (line: string) => void; colour: boolean }): Narrator {
  const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  let chapters = 0;
  return {
    title(text) {
      write(paint("1", text));
    },
    chapter(text) {
      chapters += 1;
      const head = `── ${chapters}. ${text} `;
      write("");
      write(paint("1;36", head.padEnd(WIDTH, "─")));
    },
    section(text) {
      write("");
      write(paint("1;33", text));
    },
    say(text) {
      for (const line of wrapped(text, WIDTH)) write(line);
    },
    command(line, who) {
      write("");
      const prompt = paint("2", who === undefined ? "$ " : `${who} $ `);
      const [first = "", ...rest] = brokenCommand(line);
      write(`  ${prompt}${paint("1", first)}`);
      for (const more of rest) write(`      ${paint("1", more)}`);
    },
    output(text, maxLines = MAX_LINES) {
      const isDiff = /^@@ /m.test(text);
      for (const line of trimmed(text, maxLines)) write(`  ${paint(colourOf(line, isDiff), line)}`);
    },
    check(text) {
      const [first = "", ...rest] = wrapped(text, WIDTH - 4);
      write(`  ${paint("32", "✓")} ${first}`);
      for (const line of rest) write(`    ${line}`);
    },
    fail(text) {
      const [first = "", ...rest] = text.split("\n");
      write(`\n  ${paint("31", "✗")} ${first}`);
      for (const line of rest) write(`    ${line}`);
    },
    plain(lines) {
      for (const line of lines) write(line);
    },
  };
}

/** A text in lines of at most so many characters, broken between words. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A long command in several lines, broken before a flag or a pipe as a shell would take them. */
function brokenCommand(line: string): readonly string[] {
  const lines: string[] = [];
  let present = "";
  for (const part of line.split(/ (?=--[a-z]|-o |\| )/)) {
    if (present !== "" && present.length + part.length + 3 > WIDTH - 8) {
      lines.push(`${present} \\`);
      present = part;
    } else present = present === "" ? part : `${present} ${part}`;
  }
  return [...lines, present];
}

/** What is readable of an output: no empty lines at its ends, long runs shortened, lines and their number limited. */
export function trimmed(text: string, maxLines: number): readonly string[] {
  const lines = stripVTControlCharacters(text)
    .replaceAll(/^\n+|\s+$/g, "")
    .split("\n");
  if (lines.length === 1 && lines[0] === "") return [];
  const shown = lines.length > maxLines ? lines.slice(0, maxLines) : lines;
  const left = lines.length - shown.length;
  return [...shown.map(shortened), ...(left === 0 ? [] : [`… ${left} more lines`])];
}

function shortened(line: string): string {
  if (PIN.test(line)) return line;
  const readable = line
    .replace(/DIGEST {20,}/, "DIGEST".padEnd(DIGEST_HEAD + 4))
    .replaceAll(DIGEST, (digest) => `${digest.slice(0, DIGEST_HEAD)}…`)
    .replaceAll(LONG_RUN, (run) => `${run.slice(0, HEAD)}…${run.slice(-TAIL)}`)
    .trimEnd();
  return readable.length > WIDTH + 8 ? `${readable.slice(0, WIDTH + 7)}…` : readable;
}

/** Lines of a diff in the colours that git gives them; anything else is dim. */
function colourOf(line: string, isDiff: boolean): string {
  if (isDiff && line.startsWith("+")) return "32";
  return isDiff && line.startsWith("-") ? "31" : "2";
}
