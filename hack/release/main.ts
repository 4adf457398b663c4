// `make release`: everything of one version in build/release/, with checksums. Publishes nothing.
// TAG (as v0.1.0) makes sure that it is the version of that tag; RELEASE_URL says where the files will lie.
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../../crds/version.js";
import { archivesIn, IMAGES, PROGRAMS } from "../images/build.js";
import { packageRoot } from "../package-root.js";
import { helmProgram, packChart } from "./chart.js";
import { krewManifest } from "./krew.js";
import { notesOf } from "./notes.js";
import { packNpm } from "./npm.js";
import { writeSums } from "./sums.js";

const ROOT = packageRoot();
const OUT = join(ROOT, "build", "release");
const IMAGES_OUT = join(ROOT, "build", "images");
const PLATFORM = `linux-${process.arch === "x64" ? "amd64" : process.arch}`;

const say = (line: string): void => console.log(line);

async function main(): Promise<void> {
  const { TAG: tag, RELEASE_URL: url = "" } = process.env;
  const isTagged = tag !== undefined && tag !== "";
  if (isTagged && tag !== `v${VERSION}`) throw new Error(`the tag is ${tag}, and package.json says ${VERSION}`);
  const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
  const notes = notesOf(read("CHANGELOG.md"), VERSION, isTagged);
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const archive = await packNpm(ROOT, OUT);
  const node = JSON.parse(read("package.json")).engines.node as string;
  const home = url === "" ? `https://zopp.dev/releases/v${VERSION}` : url;
  writeFileSync(join(OUT, "zopp.yaml"), krewManifest({ version: VERSION, archive, url: home, node }));
  packChart(await helmProgram(say), { root: ROOT, out: OUT, version: VERSION });
  copyImages();
  writeFileSync(join(OUT, "CHANGES.md"), notes);
  for (const name of writeSums(OUT)) say(`${name}  ${Math.ceil(statSync(join(OUT, name)).size / 1000)} kB`);
  if (url === "") say(`zopp.yaml (krew) says ${home}: RELEASE_URL names another place`);
}

/** The images that `make images` wrote, and what is in each. */
function copyImages(): void {
  const archives = archivesIn(IMAGES_OUT);
  for (const program of PROGRAMS) {
    const name = IMAGES[program];
    copyFileSync(archives[program], join(OUT, `${name}-${VERSION}-${PLATFORM}.oci.tar`));
    copyFileSync(join(IMAGES_OUT, `${name}.cdx.json`), join(OUT, `${name}-${VERSION}-${PLATFORM}.cdx.json`));
  }
}

await main();
