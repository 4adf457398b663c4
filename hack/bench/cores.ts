// Gives the control plane cores of its own, as it has in a cluster, where its machines run nothing of ours: the limit is then
// what the API server can take, and not what it can take of the cores that it shares with whoever asks it.
// Linux with util-linux's `taskset` and two cores at least; elsewhere everything shares all cores.
import { execFile } from "node:child_process";
import { cpus } from "node:os";
import { promisify } from "node:util";
import type { ControlPlane } from "../control-plane/control-plane.js";

const run = promisify(execFile);

/**
 * Moves the control plane's processes to the first half of the cores, and this process, with all that it starts from now
 * on, to the other half. Tells what it did.
 */
export async function parted(controlPlane: Pick<ControlPlane, "pids">): Promise<string> {
  const all = cpus().length;
  const half = Math.floor(all / 2);
  if (half === 0) return "one core for everything";
  try {
    for (const pid of controlPlane.pids()) await pin(pid, [0, half - 1]);
    await pin(process.pid, [half, all - 1]);
  } catch (error) {
    return `${all} cores for everything, since they cannot be parted: ${String(error)}`;
  }
  return `the control plane has ${half} of ${all} cores, everything else the others`;
}

/** All threads that a process has, and so all that it makes later. */
async function pin(pid: number, [first, last]: readonly [number, number]): Promise<void> {
  await run("taskset", ["--all-tasks", "--cpu-list", "--pid", `${first}-${last}`, String(pid)]);
}
