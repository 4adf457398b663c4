// Owns the step from the .proto files to the TypeScript of crds/proto/gen: buf with the plugin of this checkout, offline.
// Does not own what buf.yaml and buf.gen.yaml say.
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "./package-root.js";

const FOLDER = "crds/proto/gen";

/**
 * The generated files of `crds/proto` by path from the root, as they should be; undefined for one that should be gone.
 *
 * @param present the folder that may hold files which should be gone, below the same paths.
 * @throws Error with buf's own text when it refuses.
 */
export function generateProto(present: string = packageRoot()): ReadonlyMap<string, string | undefined> {
  const root = packageRoot();
  const folder = mkdtempSync(join(tmpdir(), "zopp-buf-"));
  try {
    const buf = join(root, "node_modules", "@bufbuild", "buf", "bin", "buf");
    // A cache of its own: nothing of the person's decides what is generated.
    const env = { ...process.env, BUF_CACHE_DIR: join(folder, "cache") };
    const ran = spawnSync(process.execPath, [buf, "generate", "--output", join(folder, "out")], { cwd: root, env });
    if (ran.status !== 0) throw new Error(`buf generate failed (exit code ${ran.status}): ${ran.stderr}`);
    const wanted = globSync(`${FOLDER}/**/*.ts`, { cwd: join(folder, "out") }).toSorted();
    if (wanted.length === 0) throw new Error(`buf generate wrote nothing below ${FOLDER}`);
    const stale = globSync(`${FOLDER}/**/*.ts`, { cwd: present }).filter((path) => !wanted.includes(path));
    return new Map<string, string | undefined>([
      ...wanted.map((path) => [path, readFileSync(join(folder, "out", path), "utf8")] as const),
      ...stale.map((path) => [path, undefined] as const),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
