// Owns what happens in place of blocks that need a real node: the same processes are started and ended on the stage.
// Does not own the processes; the blocks themselves are run by `make e2e`.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Stage } from "../demo/stage.js";
import { eventually } from "../eventually.js";
import type { Terminal } from "./terminal.js";

interface On {
  readonly stage: Stage;
  readonly terminal: Terminal;
}

/** By the name that a page's mark gives. */
export const IN_ITS_PLACE: Readonly<Record<string, (on: On) => Promise<void>>> = {
  "keyring and operator start": start,
  "keyring and operator stop": stop,
  "the seed is lost": async (on) => {
    await stop(on);
    rmSync(join(on.stage.folder, "keyring"), { recursive: true });
    mkdirSync(join(on.stage.folder, "keyring"));
    await start(on);
  },
};

/** What an installation does: a seed where there is none, both processes with the pin of this machine, the keyring's fingerprint and address. */
async function start({ stage, terminal }: On): Promise<void> {
  const seed = join(stage.folder, "keyring", "seed");
  if (!existsSync(seed)) {
    const publicKey = join(stage.folder, "keyring", "keyring.pub");
    await terminal.type(`zopp-keyring keygen --seed '${seed}' --public '${publicKey}'`);
  }
  await stage.startKeyring((await terminal.type("zopp trust")).trim());
  const opened = await eventually(() => stage.keyring.lines.find((line) => line.includes('"log opened"')));
  const { fingerprint } = JSON.parse(opened) as { fingerprint: string };
  await terminal.type(`FINGERPRINT=${fingerprint}`);
  // there is no pod to forward a port to
  await terminal.type(`export ZOPP_KEYRING=127.0.0.1:${stage.ports.keyring}`);
  await stage.startOperator();
}

async function stop({ stage }: On): Promise<void> {
  for (const child of stage.children) await child.stop();
}
