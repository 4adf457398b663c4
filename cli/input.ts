// Values that people and pipes hand over: hidden prompts, stdin, files. Never the command line, which others can see.
// What becomes of a value is the commands' business.
import { closeSync, openSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ReadStream, WriteStream } from "node:tty";
import { ZoppError } from "../crds/errors.js";
import type { Context, Terminal } from "./context.js";

const TERMINAL = "/dev/tty";
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const LINE_END: ReadonlySet<string> = new Set(["\r", "\n"]);
const BACKSPACE: ReadonlySet<string> = new Set(["\u007f", "\b"]);

/** All bytes of stdin. */
export async function readStdin(context: Context): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of context.stdin) parts.push(typeof part === "string" ? Buffer.from(part, "utf8") : part);
  return Buffer.concat(parts);
}

/** All bytes of a file named on the command line; `-` is stdin. Throws NotFound. */
export async function readInput(context: Context, file: string): Promise<Uint8Array> {
  if (file === "-") return readStdin(context);
  try {
    return readFileSync(resolve(context.cwd, file));
  } catch (cause) {
    throw new ZoppError("NotFound", `cannot read ${file}`, { cause });
  }
}

/** The terminal, or Usage saying what to use instead where there is none. */
export function terminalOf(context: Context, otherwise: string): Terminal {
  const terminal = context.terminal();
  if (terminal === undefined) throw new ZoppError("Usage", `nobody is there to ask: ${otherwise}`);
  return terminal;
}

/** The process' controlling terminal, also where stdin is a pipe; undefined where there is none. */
export function controllingTerminal(): Terminal | undefined {
  try {
    closeSync(openSync(TERMINAL, "r+"));
  } catch {
    return undefined;
  }
  return { ask: (question) => answer(question, true), askHidden: (question) => answer(question, false) };
}

/** Reads one line in raw mode, so that nothing is echoed that should not be. */
function answer(question: string, echo: boolean): Promise<string> {
  // opened for one question: a stream that is only paused would go on taking what is typed for the next
  const input = new ReadStream(openSync(TERMINAL, "r"));
  const output = new WriteStream(openSync(TERMINAL, "w"));
  // raw before the question: whoever answers at once must not be echoed by the terminal itself
  input.setRawMode(true);
  input.setEncoding("utf8");
  output.write(question);
  return new Promise<string>((done, fail) => {
    const line = new TypedLine(echo ? (text) => void output.write(text) : () => {});
    input.on("error", fail);
    input.on("data", (chunk: string) => {
      const characters = [...chunk];
      for (const [at, char] of characters.entries()) {
        const end = line.take(char);
        // what follows the end of a line in one piece was pasted, and would be lost without a word
        const isCut = characters.slice(at + 1).some((rest) => !LINE_END.has(rest));
        if (end === "done") isCut ? fail(severalLines()) : done(line.text);
        if (end === "given up") fail(new ZoppError("Interrupted", "no answer was given"));
        if (end !== undefined) return;
      }
    });
  }).finally(() => {
    input.setRawMode(false);
    output.write("\n");
    input.destroy();
    output.destroy();
  });
}

function severalLines(): ZoppError {
  return new ZoppError("Usage", "the answer has more than one line: give such a value by stdin or --from-file");
}

/** A line as it is typed, with backspace. */
class TypedLine {
  text = "";
  readonly #echo: (text: string) => void;

  constructor(echo: (text: string) => void) {
    this.#echo = echo;
  }

  take(char: string): "done" | "given up" | undefined {
    if (char === CTRL_C || (char === CTRL_D && this.text === "")) return "given up";
    if (LINE_END.has(char) || char === CTRL_D) return "done";
    const back = BACKSPACE.has(char);
    this.text = back ? [...this.text].slice(0, -1).join("") : this.text + char;
    this.#echo(back ? "\b \b" : char);
    return undefined;
  }
}
