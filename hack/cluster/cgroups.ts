// Owns the cluster's own control groups on the machine: which hierarchies there are, making a group in each, removing them.
// Does not own what runs in them. Knows cgroup v1 only.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../eventually.js";

/** One hierarchy of cgroup v1, and where this process stands in it. */
export interface Hierarchy {
  /** Its controllers, with commas between, or `name=…` where it has none. */
  readonly name: string;
  /** The folder of our own group. */
  readonly folder: string;
}

const ENDED_MS = 20_000;

/** The hierarchies of cgroup v1 on this machine, by what /proc says of this process. */
export function hierarchies(): readonly Hierarchy[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n").flatMap(readMount);
  const lines = readFileSync("/proc/self/cgroup", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, name = "", ...path] = line.split(":");
    const mount = mounts.find(({ options }) => name !== "" && name.split(",").every((one) => options.includes(one)));
    return mount === undefined ? [] : [{ name, folder: join(mount.at, path.join(":")) }];
  });
}

/** A mount of cgroup v1: `… root at options … - cgroup source options`. */
function readMount(line: string): { at: string; options: readonly string[] }[] {
  const [before = "", after = ""] = line.split(" - ");
  const [type, , options = ""] = after.split(" ");
  return type === "cgroup" ? [{ at: before.split(" ")[4] ?? "", options: options.split(",") }] : [];
}

/** Makes a group of that name below ours in each hierarchy, and gives their folders. Throws where one cannot be made. */
export function makeGroups(name: string): readonly string[] {
  return hierarchies().map(({ folder }) => {
    const group = join(folder, name);
    mkdirSync(group, { recursive: true });
    // A new group of cpuset has neither, and takes no process before it has both.
    for (const file of ["cpuset.cpus", "cpuset.mems"])
      if (existsSync(join(folder, file))) writeFileSync(join(group, file), readFileSync(join(folder, file)));
    return group;
  });
}

/** Removes groups with all below them, once the last process has left them. */
export async function removeGroups(groups: readonly string[]): Promise<void> {
  const message = `no process is left in ${groups.join(", ")}`;
  await eventually(() => groups.every(isRemoved), { timeoutMs: ENDED_MS, message });
}

function isRemoved(group: string): boolean {
  if (!existsSync(group)) return true;
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory() && !isRemoved(join(group, entry.name))) return false;
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}
