// Owns finding the root of the checkout, from sources and from compiled output alike.
// Does not own what is read from there.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The absolute path of the folder that holds this project's package.json, wherever the compiled output lies in it.
 *
 * @throws Error when neither the compiled file nor the working directory lies in the project.
 */
export function packageRoot(): string {
  for (const start of [import.meta.dirname, process.cwd()]) {
    const root = upward(start);
    if (root !== undefined) return root;
  }
  throw new Error("no package.json of zopp above this file nor above the working directory");
}

function upward(start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    if (isRoot(folder)) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

/** Compiled output may carry a copy of package.json, so a root must hold tsconfig.json too. */
function isRoot(folder: string): boolean {
  const file = join(folder, "package.json");
  if (!existsSync(file) || !existsSync(join(folder, "tsconfig.json"))) return false;
  return (JSON.parse(readFileSync(file, "utf8")) as { name?: string }).name === "zopp";
}
