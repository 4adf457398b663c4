// Owns the chart's archive.
// Does not own the chart, nor Helm.
import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { HELM } from "../cluster/programs.js";
import { goPrograms } from "../go-programs.js";

/** The path of Helm, after building it when it is not in the cache. */
export async function helmProgram(log: (line: string) => void): Promise<string> {
  return join(await goPrograms(HELM, { env: process.env, log }), "helm");
}

/** Writes the chart as an archive into a folder, and gives its path. */
export function packChart(helm: string, { root, out, version }: Record<"root" | "out" | "version", string>): string {
  // Helm gives it the name that the npm package's would have
  const folder = mkdtempSync(join(out, "chart-"));
  try {
    execFileSync(helm, ["package", join(root, "helm"), "--destination", folder], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const archive = join(out, `zopp-chart-${version}.tgz`);
    renameSync(join(folder, `zopp-${version}.tgz`), archive);
    return archive;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
