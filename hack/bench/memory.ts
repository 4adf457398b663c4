// Resident memory of both processes after a forced collection.
// The collection is asked for by a signal that gc.ts, preloaded for the benchmark only, listens to.
import { setTimeout as sleep } from "node:timers/promises";
import { quiet } from "../testbed.look.js";
import { gcOptions } from "./gc.options.js";
import { residentMiB } from "./process.js";
import type { World } from "./world.js";

/** Time for the collector to give pages back to the kernel. */
const SETTLE_MS = 3_000;

/** What a process keeps that preloaded gc.ts, in MiB. */
export async function residentAfterGc(pid: number): Promise<number> {
  process.kill(pid, "SIGUSR2");
  await sleep(SETTLE_MS);
  return residentMiB(pid);
}

/** Starts the operator with these flags, waits until it is quiet, and gives what both processes keep. */
export async function memory(
  { testbed }: World,
  flags: readonly string[],
): Promise<{ operatorMiB: number; keyringMiB: number }> {
  await testbed.startOperator(flags, { NODE_OPTIONS: gcOptions() });
  await quiet(testbed);
  for (const { pid } of [testbed.operator, testbed.keyring]) process.kill(pid, "SIGUSR2");
  await sleep(SETTLE_MS);
  return { operatorMiB: await residentMiB(testbed.operator.pid), keyringMiB: await residentMiB(testbed.keyring.pid) };
}
