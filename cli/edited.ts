// Text that a person edits: in a file that lies in memory only, may be read by nobody else, and is gone at the end.
// What the text means is the caller's business.
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ZoppError } from "../crds/errors.js";
import { environmentForOthers, runInForeground } from "./child.js";
import type { Context } from "./context.js";

const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;

/** Runs `edit` with a way to let the person edit a text; the file is removed whatever comes of it. Throws Usage where there is no memory-backed folder. */
export async function inMemory<T>(
  context: Context,
  name: string,
  edit: (ask: (text: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(memoryFolder(context), "zopp-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // a signal ends the process without unwinding
  process.once("exit", remove);
  const file = join(folder, name);
  try {
    return await edit(async (text) => {
      rmSync(file, { force: true });
      writeFileSync(file, text, { mode: 0o600, flag: "wx" });
      await askEditor(context, file);
      return readFileSync(file, "utf8");
    });
  } finally {
    remove();
    process.off("exit", remove);
  }
}

function memoryFolder({ env }: Context): string {
  const found = [env["XDG_RUNTIME_DIR"], "/dev/shm"].find((folder) => folder && isInMemory(folder));
  if (found) return found;
  throw new ZoppError(
    "Usage",
    "no folder here lies in memory (XDG_RUNTIME_DIR, /dev/shm), and values are not written to a disk: use `zopp set`",
  );
}

function isInMemory(folder: string): boolean {
  try {
    const { type } = statfsSync(folder);
    return type === TMPFS || type === RAMFS;
  } catch {
    return false;
  }
}

/** As git does it: the variable may hold flags (`code --wait`). */
async function askEditor({ env, cwd }: Context, file: string): Promise<void> {
  const editor = env["VISUAL"] || env["EDITOR"] || "vi";
  const code = await runInForeground(["sh", "-c", `${editor} "$1"`, "sh", file], {
    cwd,
    env: environmentForOthers(env),
  });
  if (code === 0) return;
  throw new ZoppError("Interrupted", `the editor (VISUAL, EDITOR) ended with ${code}`);
}
