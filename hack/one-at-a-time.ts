// Owns that of several processes one at a time does a piece of work, also after one of them was killed in it.
// Does not own the work.
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PAUSE_MS = 250;

/**
 * Does some work while no other process does work under the same file, which holds the id of the process that does.
 *
 * @param onWait told once, when somebody else is at it.
 */
export async function oneAtATime<T>(file: string, onWait: (pid: number) => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  for (let isTold = false; !take(file); await sleep(PAUSE_MS)) {
    const pid = holder(file);
    // Two who see the same dead one may both go on: what is made is made under a name of its own and renamed.
    if (pid !== undefined && !isAlive(pid)) rmSync(file, { force: true });
    else if (pid !== undefined && !isTold) {
      isTold = true;
      onWait(pid);
    }
  }
  const give = () => rmSync(file, { force: true });
  process.once("exit", give);
  try {
    return await work();
  } finally {
    process.removeListener("exit", give);
    give();
  }
}

function take(file: string): boolean {
  // Whole or not at all: others read it while it is written.
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

function holder(file: string): number | undefined {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
