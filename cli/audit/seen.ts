// The newest checkpoint of each log that this person has verified, in the identity directory: a log that is cut or changed
// later shows against it.
import { ZoppError } from "../../crds/errors.js";
import type { Context } from "../context.js";
import { readHomeFile, writeHomeFile } from "../home.js";

const FILE = "known-logs";

/** The kept checkpoint of a log. Throws Malformed for a file that cannot be read. */
export function keptCheckpoint(context: Context, log: string): string | undefined {
  return readAll(context)[log];
}

/** Keeps a checkpoint that was verified, in the place of the one before. */
export function keepCheckpoint(context: Context, log: string, text: string): void {
  const before = readHomeFile(context, FILE);
  const after = `${JSON.stringify({ ...readAll(context), [log]: text }, undefined, 2)}\n`;
  if (after !== before) writeHomeFile(context, FILE, after, before);
}

function readAll(context: Context): Readonly<Record<string, string>> {
  const text = readHomeFile(context, FILE);
  if (text === undefined) return {};
  try {
    const all = JSON.parse(text) as Record<string, unknown>;
    if (Object.values(all).every((each) => typeof each === "string")) return all as Record<string, string>;
  } catch {
    // said below
  }
  throw new ZoppError("Malformed", `${FILE} in the identity directory is damaged: take it from a backup, or remove it`);
}
