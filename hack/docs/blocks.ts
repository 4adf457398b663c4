// Owns running the blocks of one page, in their order, in the world that the page asks for.
// Does not own the pages, nor the processes (demo/stage.ts).
import { mkdirSync } from "node:fs";
import { ALICE, Stage } from "../demo/stage.js";
import { firstNotPlayed, masked } from "../demo/transcript.js";
import { type Block, commandBlocksOf, type Page, worldOf } from "./pages.js";
import { IN_ITS_PLACE } from "./stand-ins.js";
import { Terminal } from "./terminal.js";

/** The reason of blocks that need the chart on a real node. */
export const ON_A_NODE = "run by make e2e";

/** Whether the blocks of a page are run in the world that it asks for. */
export function isPlayed(page: Page): boolean {
  const world = worldOf(page);
  return world === "files" || world === "control-plane";
}

/** Runs every block that is to be run; throws for the first that fails or shows what was not printed. `before`: told the reader's folder. */
export async function runBlocks(page: Page, before: (folder: string) => void = () => {}): Promise<number> {
  const stage = new Stage();
  try {
    if (worldOf(page) === "control-plane") await stage.startControlPlane(() => undefined);
    mkdirSync(stage.path(ALICE), { recursive: true });
    before(stage.path(ALICE));
    const terminal = new Terminal({ folder: stage.path(ALICE), env: stage.environment(ALICE.person) });
    try {
      return await runAll(page, { stage, terminal });
    } finally {
      await terminal.close();
    }
  } finally {
    await stage.stop();
  }
}

/**
 * Runs a page's blocks on a real node, also those that are left to `make e2e`: what stands in their place elsewhere is not
 * done. Of a page about the demo, those alone.
 */
export async function runOnNode(page: Page, terminal: Terminal): Promise<number> {
  const here = worldOf(page) === "demo" ? [ON_A_NODE] : [ON_A_NODE, undefined];
  const blocks = commandBlocksOf(page).filter(({ notRun }) => here.includes(notRun));
  for (const block of blocks) await runBlock(block, terminal);
  return blocks.length;
}

async function runAll(page: Page, on: { readonly stage: Stage; readonly terminal: Terminal }): Promise<number> {
  let ran = 0;
  for (const block of commandBlocksOf(page)) {
    if (block.inItsPlace !== undefined) await IN_ITS_PLACE[block.inItsPlace]?.(on);
    if (block.notRun !== undefined) continue;
    await runBlock(block, on.terminal);
    ran += 1;
  }
  return ran;
}

async function runBlock({ language, text }: Block, terminal: Terminal): Promise<void> {
  if (language !== "console") {
    await terminal.type(text);
    return;
  }
  let played = "";
  for (const command of commandsOf(text)) played += `$ ${command}\n${await terminal.type(command)}\n`;
  const missing = firstNotPlayed(masked(text), masked(played));
  if (missing !== undefined) throw new Error(`this was not printed: ${missing}\nbut this:\n${played}`);
}

/** The command lines of a transcript, with the lines that go on after a backslash. */
export function commandsOf(transcript: string): readonly string[] {
  return [...transcript.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm)].map(([, command = ""]) => command);
}
