// The guides, typed into a real cluster from their first block to their last, with the chart in place of what stands in for it
// in hack/docs/blocks.slow.ts.
import { symlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { startCluster } from "../../cluster/cluster.js";
import { environment, inside } from "../../cluster/inside.js";
import { refusal } from "../../cluster/refusal.js";
import { ALICE, Stage } from "../../demo/stage.js";
import { ON_A_NODE, runOnNode } from "../../docs/blocks.js";
import { commandBlocksOf, type Page, readPages, worldOf } from "../../docs/pages.js";
import { Terminal } from "../../docs/terminal.js";
import { archivesIn } from "../../images/build.js";
import { packageRoot } from "../../package-root.js";

const pages = readPages().filter((page) => commandBlocksOf(page).some(({ notRun }) => notRun === ON_A_NODE));

/** Where README's reader sits, in a checkout; the guides' reader sits beside the chart. */
const TRY = join("build", "try");

/** Types a page where alice sits; gives how many blocks there were. */
async function typePage(page: Page): Promise<number> {
  const images = Object.values(archivesIn(join(packageRoot(), "build", "images")));
  const cluster = await startCluster({ images, log: () => undefined });
  const stage = new Stage();
  const checkout = stage.path(ALICE);
  const folder = worldOf(page) === "demo" ? join(checkout, TRY) : checkout;
  const env = { ...environment(cluster.place, stage.environment(ALICE.person)), REGISTRY: "localhost" };
  try {
    await mkdir(folder, { recursive: true });
    for (const part of ["helm", "examples"]) symlinkSync(join(packageRoot(), part), join(checkout, part));
    const terminal = new Terminal({ folder, env, within: inside(cluster.place, [], folder) });
    return await runOnNode(page, terminal).finally(() => terminal.close());
  } finally {
    await stage.stop();
    await cluster.stop();
  }
}

const why = refusal();
if (why !== undefined) t.plan(0, why);
else {
  // whoever types waits most of the time
  t.jobs = 2;
  t.ok(pages.length >= 3, "there are guides to type");
  for (const page of pages) {
    t.test(`${page.path}, typed as it stands`, { buffered: true }, async (t) => {
      t.comment(`${await typePage(page)} blocks`);
    });
  }
}
