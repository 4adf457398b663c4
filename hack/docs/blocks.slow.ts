// The documents' commands, typed page by page as a reader types them.
// That each block is run, or says why not, is blocks.test.ts'.
import t from "tap";
import { isPlayed, runBlocks } from "./blocks.js";
import { commandBlocksOf, readPages } from "./pages.js";

const pages = readPages().filter((page) => commandBlocksOf(page).length > 0 && isPlayed(page));
t.ok(pages.length >= 5, "there are pages to play");
for (const page of pages) {
  t.test(`the commands of ${page.path} do what it says`, async (t) => {
    const wanted = commandBlocksOf(page).filter(({ notRun }) => notRun === undefined).length;
    t.equal(await runBlocks(page), wanted);
  });
}
