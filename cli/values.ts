// The values of `zopp set`: by hidden prompt, from stdin, from a file, or many from a dotenv file.
// Bytes are kept as they come, but for the newline that a shell's `echo` adds.
import { parseEnv } from "node:util";
import { ZoppError } from "../crds/errors.js";
import { isKey } from "../crds/validate.checks.js";
import type { Context } from "./context.js";
import { readInput, readStdin, terminalOf } from "./input.js";

/** Where values come from. */
export interface ValueSource {
  readonly fromFile?: string | undefined;
  readonly dotenv?: string | undefined;
  /** Keep a final newline of stdin. */
  readonly exact?: boolean | undefined;
}

/** Values by key, and what a person should hear of them. */
export interface Values {
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly notes: readonly string[];
}

/**
 * Throws Usage for keys that cannot be, for `KEY=value` (which would stand in the process list), and where the source
 * does not fit the keys. What was typed is not repeated: it could be a value.
 */
export function refuseKeys(keys: readonly string[], source: ValueSource): void {
  if (keys.some((key) => key.includes("="))) {
    throw new ZoppError(
      "Usage",
      "a value on the command line is seen by others and kept in the shell's history: give the key alone",
    );
  }
  const wrong = keys.findIndex((key) => !isKey(key));
  if (wrong >= 0)
    throw new ZoppError("Usage", `key ${wrong + 1} cannot be a key of a Secret: use letters, digits, -, _ and .`);
  if (new Set(keys).size < keys.length) throw new ZoppError("Usage", "a key is named twice");
  if (source.dotenv !== undefined && source.fromFile !== undefined)
    throw new ZoppError("Usage", "--dotenv and --from-file exclude each other");
  if (keys.length === 0 && source.dotenv === undefined) throw new ZoppError("Usage", "no key is named");
  if (keys.length > 1 && source.fromFile !== undefined)
    throw new ZoppError("Usage", "--from-file gives one key; use --dotenv for several");
}

/** Gets the values; asks for each where a person sits at stdin. Throws Usage, NotFound, Malformed, Interrupted. */
export async function readValues(context: Context, keys: readonly string[], source: ValueSource): Promise<Values> {
  const [first = ""] = keys;
  if (source.dotenv !== undefined) return fromEnvFile(context, keys, source.dotenv);
  if (source.fromFile === "-") return { values: new Map([[first, await readStdin(context)]]), notes: [] };
  if (source.fromFile !== undefined)
    return { values: new Map([[first, await readInput(context, source.fromFile)]]), notes: [] };
  if (context.stdin.isTTY === true) return { values: await asked(context, keys), notes: [] };
  if (keys.length > 1) throw new ZoppError("Usage", "stdin gives one value; use --dotenv for several");
  return fromStdin(context, first, source.exact === true);
}

async function asked(context: Context, keys: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const terminal = terminalOf(context, "give the value on stdin or by --from-file");
  const values = new Map<string, Uint8Array>();
  for (const key of keys) {
    const text = await terminal.askHidden(`value of ${key}: `);
    if (text === "") throw new ZoppError("Usage", "the value is empty; `--exact </dev/null` gives an empty one");
    values.set(key, Buffer.from(text, "utf8"));
  }
  return values;
}

/** One line of text with one newline at its end is what `echo` and editors make of a value without one. */
async function fromStdin(context: Context, key: string, exact: boolean): Promise<Values> {
  const bytes = await readStdin(context);
  if (bytes.length === 0 && !exact) {
    throw new ZoppError("Usage", "stdin is empty, as after a command that failed; --exact takes an empty value");
  }
  const text = Buffer.from(bytes).toString("utf8");
  const echoed = !exact && /^[^\r\n]+\r?\n$/.test(text) && Buffer.from(text, "utf8").equals(bytes);
  if (!echoed) return { values: new Map([[key, bytes]]), notes: [] };
  const value = Buffer.from(text.replace(/\r?\n$/, ""), "utf8");
  return { values: new Map([[key, value]]), notes: [`the newline at the end of ${key} was dropped; --exact keeps it`] };
}

async function fromEnvFile(context: Context, keys: readonly string[], file: string): Promise<Values> {
  const all = new Map(Object.entries(parseEnv(Buffer.from(await readInput(context, file)).toString("utf8"))));
  const missing = keys.find((key) => !all.has(key));
  if (missing !== undefined) throw new ZoppError("NotFound", `${missing} is not in the dotenv file`);
  const chosen = keys.length === 0 ? [...all.keys()] : keys;
  if (chosen.length === 0) throw new ZoppError("Malformed", "the dotenv file holds no KEY=value line");
  if (!chosen.every(isKey)) throw new ZoppError("Malformed", "the dotenv file has a key that a Secret cannot have");
  return { values: new Map(chosen.map((key) => [key, Buffer.from(all.get(key) ?? "", "utf8")])), notes: [] };
}
