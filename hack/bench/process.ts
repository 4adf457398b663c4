// Reads what a process has used: CPU time and resident memory, from the kernel.
// Linux only, as are the figures.
import { readFile } from "node:fs/promises";

/** The kernel counts CPU time in hundredths of a second (USER_HZ). */
const MS_PER_TICK = 10;

/** CPU time, user and system, that a process has used so far, in milliseconds. */
export async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** Resident memory of a process in MiB. */
export function residentMiB(pid: number): Promise<number> {
  return statusMiB(pid, "VmRSS");
}

/** The most resident memory that a process ever had, in MiB. */
export function peakMiB(pid: number): Promise<number> {
  return statusMiB(pid, "VmHWM");
}

async function statusMiB(pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  return Number(kib) / 1024;
}
