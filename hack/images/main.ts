// `make images`: the three images as OCI archives in build/images/, each with its SBOM, and a table of what they are.
// Building is build.ts'.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../crds/version.js";
import { bundle } from "../bundle.js";
import { inCache } from "../cache.js";
import { ensureDebian } from "../debian.js";
import { packageRoot } from "../package-root.js";
import { withImage } from "./archive.js";
import { archivesIn, buildImages, IMAGES, PROGRAMS } from "./build.js";
import { BUILDERS, output, Store } from "./buildah.js";
import { startTimes } from "./run.js";
import { sbomOf } from "./sbom.js";

const say = (line: string): void => console.log(line);

async function main(): Promise<void> {
  const root = packageRoot();
  const out = join(root, "build", "images");
  await ensureDebian(BUILDERS, { log: say });
  await buildImages(new Store(inCache(process.env, "images", "store")), out, say);
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  const archives = archivesIn(out);
  for (const program of PROGRAMS) {
    const packages = await bundle(root, program, join(root, "build", "bundle"));
    await withImage(archives[program], async (image) => {
      const name = IMAGES[program];
      // the image was bundled in a container: what is said of it holds if that gave the same
      await output("diff", ["-r", join(root, "build", "bundle", program), join(image.root, "app")]);
      const parts = { name, version: VERSION, digest: image.digest, root: image.root, packages, lock };
      writeFileSync(join(out, `${name}.cdx.json`), sbomOf(parts));
      say(`${image.tag}  ${(image.compressedBytes / 1e6).toFixed(1)} MB (< 60)  ${image.digest}`);
    });
  }
  const { operatorMs, keyringMs } = await startTimes(archives);
  say(`from start to ready: operator ${operatorMs.toFixed(0)} ms, keyring ${keyringMs.toFixed(0)} ms (< 1500)`);
}

await main();
