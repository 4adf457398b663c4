// Owns finding what the chart is rendered and checked with: Helm, kubeconform and promtool, built from Go modules into the cache.
// Does not own what they are asked.
import { join } from "node:path";
import { HELM } from "../cluster/programs.js";
import { findProgram } from "../executables.js";
import { type GoPrograms, goPrograms } from "../go-programs.js";
import { packageRoot } from "../package-root.js";

const KUBECONFORM: GoPrograms = {
  title: "kubeconform",
  name: "kubeconform",
  version: "0.8.0",
  module: join(packageRoot(), "hack", "chart", "kubeconform"),
  ldflags: "",
  programs: [
    { name: "kubeconform", goPackage: "github.com/yannh/kubeconform/cmd/kubeconform", minutes: 0.3, megabytes: 9 },
  ],
};

const PROMTOOL: GoPrograms = {
  title: "Prometheus",
  name: "promtool",
  version: "3.16.0",
  module: join(packageRoot(), "hack", "chart", "promtool"),
  ldflags: "",
  // whom to scrape is no question of rules: two thirds of the program would be clients of clouds
  tags: ["remove_all_sd"],
  programs: [
    { name: "promtool", goPackage: "github.com/prometheus/prometheus/cmd/promtool", minutes: 1.5, megabytes: 54 },
  ],
};

/** The path of a program, or why there is none. */
export type Found = { readonly program: string } | { readonly skip: string };

/** Helm of our version, else the one in PATH. */
export function findHelm(): Promise<Found> {
  return find(HELM);
}

/** kubeconform of our version, else the one in PATH. */
export function findKubeconform(): Promise<Found> {
  return find(KUBECONFORM);
}

/** promtool of our version, else the one in PATH. */
export function findPromtool(): Promise<Found> {
  return find(PROMTOOL);
}

async function find(wanted: GoPrograms): Promise<Found> {
  const { env } = process;
  try {
    return { program: join(await goPrograms(wanted, { env, log: (line) => console.error(line) }), wanted.name) };
  } catch (error) {
    const program = findProgram(wanted.name, env["PATH"]);
    return program === undefined ? { skip: String(error) } : { program };
  }
}
