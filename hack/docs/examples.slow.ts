// The commands of the examples that need no more than a control plane, typed as a reader types them in a checkout.
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { packageRoot } from "../package-root.js";
import { runBlocks } from "./blocks.js";
import { commandBlocksOf, readPage } from "./pages.js";

const PAGES = ["examples/certificates/README.md"];

for (const path of PAGES) {
  t.test(`the commands of ${path} do what it says`, async (t) => {
    const page = readPage(path, readFileSync(join(packageRoot(), path), "utf8"));
    const wanted = commandBlocksOf(page).filter(({ notRun }) => notRun === undefined).length;
    const link = (folder: string) => symlinkSync(join(packageRoot(), "examples"), join(folder, "examples"));
    t.equal(await runBlocks(page, link), wanted);
  });
}
