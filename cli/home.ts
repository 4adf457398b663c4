// The identity directory: ~/.config/zopp, or where XDG_CONFIG_HOME or ZOPP_HOME say. Private to the person.
// What its files mean is the business of identity.ts and pins.ts.
import { chmodSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ZoppError } from "../crds/errors.js";
import type { Context } from "./context.js";
import { replaceFiles, unwritable } from "./store/files.js";

/** The permission bits of group and others. */
const OTHERS = 0o077;

/** The folder's path. Throws Usage where the environment says nothing. */
export function homeOf({ env }: Pick<Context, "env">): string {
  if (env["ZOPP_HOME"]) return env["ZOPP_HOME"];
  if (env["XDG_CONFIG_HOME"]) return join(env["XDG_CONFIG_HOME"], "zopp");
  if (env["HOME"]) return join(env["HOME"], ".config", "zopp");
  throw new ZoppError("Usage", "no folder for the identity: set ZOPP_HOME or HOME");
}

/** A file's text; undefined when it is not there, or when there is no folder at all. */
export function readHomeFile(context: Context, name: string): string | undefined {
  let file: string;
  try {
    file = join(homeOf(context), name);
  } catch {
    return undefined;
  }
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ZoppError("NotFound", `cannot read ${file}`, { cause });
  }
}

/**
 * Throws FileExposed for a file that group or others may read or write. As ssh does it for private keys: a link counts
 * as what it leads to, and a file of another account is that account's business.
 */
export function refuseExposed(context: Context, name: string): void {
  const file = join(homeOf(context), name);
  const { mode, uid } = statSync(file);
  if (uid !== process.getuid?.() || (mode & OTHERS) === 0) return;
  throw new ZoppError("FileExposed", `${file} has mode ${(mode & 0o777).toString(8)}`);
}

/** Writes a file that only its owner may read, in a folder that only its owner may enter. Throws FileUnwritable. */
export function writeHomeFile(context: Context, name: string, after: string, before: string | undefined): string {
  const home = homeOf(context);
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    chmodSync(home, 0o700);
  } catch (error) {
    throw unwritable(home, error);
  }
  const file = join(home, name);
  replaceFiles([{ file, before, after, mode: 0o600 }]);
  return file;
}
