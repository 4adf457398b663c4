// `make images`: the three images as OCI archives in build/images/, each with its SBOM, and a table of what they are.
// Building is build.ts'. When the images are those of the last time, that table is printed again.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { VERSION } from "../../crds/version.js";
import { bundle } from "../bundle.js";
import { inCache } from "../cache.js";
import { ensureDebian } from "../debian.js";
import { packageRoot } from "../package-root.js";
import { withImage } from "./archive.js";
import { archivesIn, buildImages, IMAGES, PROGRAMS, saveImages } from "./build.js";
import { BUILDERS, output, Store } from "./buildah.js";
import { startTimes } from "./run.js";
import { sbomOf } from "./sbom.js";

const ROOT = packageRoot();
const OUT = join(ROOT, "build", "images");
const LAST = join(OUT, "last.json");

const say = (line: string): void => console.log(line);

async function main(): Promise<void> {
  await ensureDebian(BUILDERS, { log: say });
  const store = new Store(inCache(process.env, "images", "store"));
  const ids = await buildImages(store, say);
  const last = existsSync(LAST) ? (JSON.parse(readFileSync(LAST, "utf8")) as { ids: object; table: string[] }) : null;
  if (last !== null && isDeepStrictEqual(last.ids, ids)) return last.table.forEach(say);
  rmSync(LAST, { force: true });
  await saveImages(store, OUT);
  const table = [...(await described()), await started()];
  writeFileSync(LAST, JSON.stringify({ ids, table }));
  table.forEach(say);
}

/** Writes the SBOMs; gives a line for each image. */
async function described(): Promise<readonly string[]> {
  const lock = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  const bundles = join(ROOT, "build", "bundle");
  const lines: string[] = [];
  for (const program of PROGRAMS) {
    const packages = await bundle(ROOT, program, bundles);
    await withImage(archivesIn(OUT)[program], async ({ root, digest, tag, compressedBytes }) => {
      // the image's was bundled in a container: what is said of ours holds if both are the same
      await output("diff", ["-r", join(bundles, program), join(root, "app")]);
      const name = IMAGES[program];
      const text = sbomOf({ name, version: VERSION, digest, root, packages, lock });
      writeFileSync(join(OUT, `${name}.cdx.json`), text);
      lines.push(`${tag}  ${(compressedBytes / 1e6).toFixed(1)} MB (< 60)  ${digest}`);
    });
  }
  return lines;
}

async function started(): Promise<string> {
  const { operatorMs, keyringMs } = await startTimes(archivesIn(OUT));
  return `from start to ready: operator ${operatorMs.toFixed(0)} ms, keyring ${keyringMs.toFixed(0)} ms (< 1500)`;
}

await main();
