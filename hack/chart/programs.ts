// Owns finding what the chart is rendered and checked with: Helm and kubeconform, built from Go modules into the cache.
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

async function find(wanted: GoPrograms): Promise<Found> {
  const { env } = process;
  try {
    return { program: join(await goPrograms(wanted, { env, log: (line) => console.error(line) }), wanted.name) };
  } catch (error) {
    const program = findProgram(wanted.name, env["PATH"]);
    return program === undefined ? { skip: String(error) } : { program };
  }
}
