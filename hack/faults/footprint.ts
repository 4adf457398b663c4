// What the processes of a run keep: memory after a collection, and open files.
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { residentMiB } from "../bench/process.js";
import { readMetrics } from "../testbed.look.js";
import type { World } from "./world.js";

/** Of one process. */
export interface Kept {
  readonly heapMiB: number;
  readonly residentMiB: number;
  readonly handles: number;
}

/** By the name of the process. */
export type Footprint = ReadonlyMap<string, Kept>;

/** Time for the collector: soon afterwards there is new garbage. */
const COLLECT_MS = 300;
/** Time for the allocator to give pages back. */
const SETTLE_MS = 3_000;
const MIB = 1024 * 1024;

/** Has one process collect its garbage, and looks. It must have been started with `underTest`. */
export async function kept(pid: number, metricsPort: number): Promise<Kept> {
  process.kill(pid, "SIGUSR2");
  await sleep(COLLECT_MS);
  const heapMiB = (await readMetrics(metricsPort)).sum("nodejs_heap_size_used_bytes") / MIB;
  await sleep(SETTLE_MS);
  return {
    heapMiB,
    residentMiB: await residentMiB(pid),
    handles: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** Of all processes of a world. */
export async function footprint({ bed, keyring, operators }: World): Promise<Footprint> {
  const all = [
    { process: keyring, port: bed.ports.keyringMetrics },
    ...operators.map(({ kept: process, ports }) => ({ process, port: ports.metrics })),
  ];
  const found = all.map(async ({ process, port }) => [process.name, await kept(process.child.pid, port)] as const);
  return new Map(await Promise.all(found));
}
