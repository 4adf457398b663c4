// The same sources give the same images: two stores that have nothing in common but Debian's packages.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { missingDebian } from "../debian.js";
import { packageRoot } from "../package-root.js";
import { withImage } from "./archive.js";
import { archivesIn, buildImages, PROGRAMS, saveImages } from "./build.js";
import { BUILDERS, Store } from "./buildah.js";

const built = archivesIn(join(packageRoot(), "build", "images"));
const reasons = [
  process.getuid?.() === 0 ? [] : "only root can build images",
  missingDebian(BUILDERS).length === 0 ? [] : `missing: ${missingDebian(BUILDERS)}`,
  existsSync(built.cli) ? [] : "`make images` was not run",
].flat();
const skip = reasons[0] ?? false;

t.test("images built twice from nothing are the same, byte for byte", { skip }, async (t) => {
  const digests: string[][] = [];
  for (const _ of ["once", "again"]) {
    const folder = mkdtempSync(join(tmpdir(), "zopp-images-"));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const store = new Store(join(folder, "store"));
    await buildImages(store, (line) => t.comment(line));
    await saveImages(store, folder);
    const archives = Object.values(archivesIn(folder));
    digests.push(await Promise.all(archives.map((archive) => withImage(archive, async ({ digest }) => digest))));
  }
  t.strictSame(digests[0], digests[1]);
  t.equal(new Set(digests[0]).size, PROGRAMS.length, "three images");
});
