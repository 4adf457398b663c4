// Owns the list of checksums of a folder's files, as `sha256sum --check` reads it.
// Does not own the files.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE = "SHA256SUMS";

/** Writes SHA256SUMS of every other file in the folder; gives their names. */
export function writeSums(folder: string): readonly string[] {
  const names = readdirSync(folder)
    .filter((name) => name !== FILE)
    .toSorted();
  const lines = names.map((name) => {
    const digest = createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
    return `${digest}  ${name}\n`;
  });
  writeFileSync(join(folder, FILE), lines.join(""));
  return names;
}
