// Replaces files atomically: all of them or none, whole at every moment, with the mode they had.
// Everything happens in one synchronous stretch, so that an interrupt is handled before it or after it.
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { ZoppError } from "../../crds/errors.js";

/** The part of node:fs that writing needs; tests bring disks that fail. */
export type Disk = Pick<
  typeof fs,
  | "openSync"
  | "writeSync"
  | "fsyncSync"
  | "fchmodSync"
  | "closeSync"
  | "renameSync"
  | "unlinkSync"
  | "mkdirSync"
  | "readFileSync"
  | "statSync"
  | "linkSync"
>;

/** A file that shall have this text; `before` is what it had when the text was made (undefined = no such file). */
export interface FileChange {
  readonly file: string;
  readonly before: string | undefined;
  readonly after: string;
  /** Permission bits of a new file. */
  readonly mode?: number;
}

const NEW_FILE_MODE = 0o644;
const ANY_WRITE = 0o222;

/**
 * Writes each text to a temporary file beside its target, flushes all, and renames all. Throws FileUnwritable when a
 * disk is full or read-only, ApiConflict when a file changed since `before` was read; every file is then as it was.
 */
export function replaceFiles(changes: readonly FileChange[], disk: Disk = fs): void {
  const staged: string[] = [];
  const moved: FileChange[] = [];
  let file = "";
  try {
    for (const change of changes) {
      file = change.file;
      staged.push(stage(change, disk));
    }
    for (const change of changes) refuseChanged(change, disk);
    for (const [at, change] of changes.entries()) {
      file = change.file;
      move(staged[at] ?? "", change, disk);
      moved.push(change);
    }
    for (const folder of new Set(changes.map((change) => dirname(change.file)))) flushFolder(folder, disk);
  } catch (error) {
    for (const temporary of staged) quietly(() => disk.unlinkSync(temporary));
    for (const change of moved) quietly(() => putBack(change, disk));
    throw unwritable(file, error);
  }
}

function stage({ file, after, before, mode }: FileChange, disk: Disk): string {
  disk.mkdirSync(dirname(file), { recursive: true });
  const bits = before === undefined ? (mode ?? NEW_FILE_MODE) : disk.statSync(file).mode & 0o7777;
  // a rename would replace it all the same: whoever made it read-only meant its content
  if ((bits & ANY_WRITE) === 0) throw new ZoppError("FileUnwritable", `${file} is read-only`);
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}.tmp`);
  const handle = disk.openSync(temporary, "wx", bits);
  try {
    const bytes = Buffer.from(after, "utf8");
    for (let at = 0; at < bytes.length; ) at += disk.writeSync(handle, bytes, at);
    // the umask must not take away what the file had
    if (before !== undefined) disk.fchmodSync(handle, bits);
    disk.fsyncSync(handle);
  } catch (error) {
    quietly(() => disk.closeSync(handle));
    quietly(() => disk.unlinkSync(temporary));
    throw error;
  }
  disk.closeSync(handle);
  return temporary;
}

/** A new file is linked, not renamed, into its place: that fails where another one appeared meanwhile. */
function move(temporary: string, { file, before }: FileChange, disk: Disk): void {
  if (before !== undefined) {
    disk.renameSync(temporary, file);
    return;
  }
  try {
    disk.linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
    // a file system without links
    disk.renameSync(temporary, file);
    return;
  }
  disk.unlinkSync(temporary);
}

/** Undoes a move that was made before another one failed: objects that refer to each other change together. */
function putBack(change: FileChange, disk: Disk): void {
  const { file, before } = change;
  if (before === undefined) disk.unlinkSync(file);
  else disk.renameSync(stage({ ...change, after: before }, disk), file);
}

function refuseChanged({ file, before }: FileChange, disk: Disk): void {
  if (textOf(file, disk) === before) return;
  throw new ZoppError("ApiConflict", `${file} was changed by somebody else meanwhile`);
}

function textOf(file: string, disk: Disk): string | undefined {
  try {
    return disk.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** A rename lasts only once the folder is on the disk; not every file system can flush folders. */
function flushFolder(folder: string, disk: Disk): void {
  quietly(() => {
    const handle = disk.openSync(folder, "r");
    try {
      disk.fsyncSync(handle);
    } finally {
      disk.closeSync(handle);
    }
  });
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // what matters was done, or its failure is already being reported
  }
}

/** The error for a file that cannot be written: names it and the system's error code. */
export function unwritable(file: string, error: unknown): ZoppError {
  if (error instanceof ZoppError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return new ZoppError("AlreadyExists", `${file} is already there`);
  return new ZoppError("FileUnwritable", `cannot write ${file}${code === undefined ? "" : ` (${code})`}`, {
    cause: error,
  });
}
