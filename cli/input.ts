// Values that people and pipes hand over: hidden prompts, stdin, files. Never the command line, which others can see.
// What becomes of a value is the commands' business.
import { openSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ReadStream, WriteStream } from "node:tty";
import { ZoppError } from "../crds/errors.js";
import type { Context, Terminal } from "./context.js";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
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
    const input = new ReadStream(openSync("/dev/tty", "r"));
    const output = new WriteStream(openSync("/dev/tty", "w"));
    return {
      ask: (question) => answer(input, output, question, true),
      askHidden: (question) => answer(input, output, question, false),
    };
  } catch {
    return undefined;
  }
}

/** Reads one line in raw mode, so that nothing is echoed that should not be. */
function answer(input: ReadStream, output: WriteStream, question: string, echo: boolean): Promise<string> {
  output.write(question);
  input.setRawMode(true);
  input.setEncoding("utf8");
  input.resume();
  return new Promise((done, fail) => {
    let line = "";
    const finish = (): void => {
      input.setRawMode(false);
      input.pause();
      input.off("data", onData);
      output.write("\n");
    };
    const onData = (chunk: string): void => {
      for (const char of chunk) {
        if (char === CTRL_C || (char === CTRL_D && line === "")) {
          finish();
          fail(new ZoppError("Interrupted", "no answer was given"));
          return;
        }
        if (char === "\r" || char === "\n" || char === CTRL_D) {
          finish();
          done(line);
          return;
        }
        if (BACKSPACE.has(char)) line = [...line].slice(0, -1).join("");
        else line += char;
        if (echo) output.write(BACKSPACE.has(char) ? "\b \b" : char);
      }
    };
    input.on("data", onData);
  });
}
