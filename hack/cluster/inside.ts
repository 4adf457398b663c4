// Owns running commands inside a cluster's namespaces and control groups.
// Does not own making either.
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { type KubectlOptions, type KubectlResult, must, runKubectl } from "../control-plane/kubectl.js";
import { packageRoot } from "../package-root.js";
import type { ClusterPrograms } from "./programs.js";
import { NAMESPACES } from "./refusal.js";
import { CONTAINERD_SOCKET } from "./site.js";

/** Where a running cluster is: what anybody needs to get inside. */
export interface Place {
  readonly folder: string;
  /** The id of the first process of its namespaces. */
  readonly init: number;
  /** Its control groups. */
  readonly groups: readonly string[];
}

/** A shell goes into the groups before it becomes the command. A person's PATH may lack the administrator's programs. */
const JOIN = `PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done
shift; exec "$@"`;

/** A command line that runs another in control groups. */
export function inGroups(groups: readonly string[], command: readonly string[]): readonly string[] {
  return ["/bin/sh", "-ec", JOIN, "zopp-join", ...groups, "--", ...command];
}

/** A command line that runs another inside a cluster, in that working directory. */
export function inside(
  { init, groups }: Omit<Place, "folder">,
  command: readonly string[],
  cwd = "/",
): readonly string[] {
  const enter = ["nsenter", `--target=${init}`, ...NAMESPACES, `--wdns=${cwd}`];
  return inGroups(groups, [...enter, "--", ...command]);
}

const binFolder = ({ folder }: Pick<Place, "folder">) => join(folder, "bin");

/** The administrator's kubeconfig. */
export const adminKubeconfig = ({ folder }: Pick<Place, "folder">) => join(folder, "admin.kubeconfig");

/** Fills the folder that is put first in PATH: kubectl, helm, ctr, node 24 and zopp of this checkout. */
export function writeBin(folder: string, programs: ClusterPrograms): void {
  const bin = binFolder({ folder });
  mkdirSync(bin);
  symlinkSync(join(programs.kubernetes, "kubectl"), join(bin, "kubectl"));
  symlinkSync(join(programs.containerd, "ctr"), join(bin, "ctr"));
  symlinkSync(join(programs.helm, "helm"), join(bin, "helm"));
  symlinkSync(process.execPath, join(bin, "node"));
  const zopp = join(packageRoot(), "dist", "cli", "main.js");
  writeFileSync(join(bin, "zopp"), `#!/bin/sh\nexec '${process.execPath}' '${zopp}' "$@"\n`);
  chmodSync(join(bin, "zopp"), 0o755);
}

/** What a command inside has in its environment: KUBECONFIG, and the programs first in PATH. */
export function environment(place: Place, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const path = [binFolder(place), env["PATH"] ?? ""].join(delimiter);
  return { ...env, KUBECONFIG: adminKubeconfig(place), PATH: path };
}

/** Runs kubectl inside as the administrator, or with the kubeconfig that is given; a failure is a code, not an exception. */
export function kubectlInside(
  place: Place,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<KubectlResult> {
  const program = join(binFolder(place), "kubectl");
  return runKubectl(
    { by: inside(place, []), program, folder: place.folder, kubeconfig: adminKubeconfig(place) },
    args,
    options,
  );
}

/** Imports the images of an OCI archive (or one of docker), and gives their names. Throws with containerd's text. */
export async function load(place: Place, archive: string): Promise<string> {
  const file = resolve(archive);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) throw new Error(`there is no image archive ${file}`);
  const args = ["--namespace", "k8s.io", "images", "import", "--local=false", file];
  return must(runCtr(place, args));
}

/** Asks containerd. */
export function runCtr(place: Place, args: readonly string[]): Promise<KubectlResult> {
  const program = join(binFolder(place), "ctr");
  const by = inside(place, []);
  const paths = { by, program, folder: place.folder, kubeconfig: "" };
  return runKubectl(paths, ["--address", CONTAINERD_SOCKET, ...args]);
}
