// Owns saying why a cluster cannot run on this machine.
// Does not own the programs it needs, which can be built or installed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { hierarchies } from "./cgroups.js";

const CONTROLLERS = ["cpu", "cpuacct", "cpuset", "devices", "freezer", "blkio", "pids", "memory"];

/** The namespaces of a cluster, as flags of unshare and of nsenter. */
export const NAMESPACES = ["--mount", "--net", "--pid", "--cgroup", "--uts", "--ipc"] as const;

/** One sentence that names what this machine lacks; nothing where a cluster can run. */
export function refusal(): string | undefined {
  if (process.platform !== "linux") return `a cluster needs Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "a cluster needs root: it makes namespaces, mounts and control groups";
  if (existsSync("/sys/fs/cgroup/cgroup.controllers"))
    return "a cluster needs cgroup v1 (or the hybrid of both): this machine has v2 alone, which has not been tried";
  return lackOfControllers() ?? lackOfGroups() ?? lackOfNamespaces();
}

function lackOfControllers(): string | undefined {
  const there = hierarchies().flatMap(({ name }) => name.split(","));
  const missing = CONTROLLERS.filter((controller) => !there.includes(controller));
  return missing.length === 0 ? undefined : `a cluster needs controllers of cgroup v1 not here: ${missing.join(", ")}`;
}

function lackOfGroups(): string | undefined {
  for (const { folder } of hierarchies()) {
    const group = join(folder, `zopp-probe-${process.pid}`);
    try {
      mkdirSync(group);
      rmdirSync(group);
    } catch (error) {
      return `a cluster needs control groups of its own, and none can be made: ${(error as Error).message}`;
    }
  }
  return undefined;
}

function lackOfNamespaces(): string | undefined {
  const probe = "mount -t proc proc /proc && mount -t tmpfs tmpfs /run && ip link add zopp0 type bridge";
  const args = [...NAMESPACES, "--propagation", "private", "--fork", "sh", "-c", probe];
  const { status, stderr, error } = spawnSync("unshare", args, { encoding: "utf8" });
  if (status === 0) return undefined;
  const text = (error?.message ?? stderr).trim().replaceAll("\n", "; ");
  return `a cluster needs namespaces of its own with mounts and a bridge in them, which are refused here: ${text}`;
}
