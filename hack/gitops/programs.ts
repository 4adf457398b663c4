// Owns which programs of Flux and Argo CD the tests of GitOps run, and getting them: from the cache, or built into it.
// Does not own running them.
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type DebianPackages, ensureDebian, missingDebian } from "../debian.js";
import { findProgram } from "../executables.js";
import { type GoPrograms, goFolder, goPrograms, missingOf } from "../go-programs.js";
import { packageRoot } from "../package-root.js";

/** Files that a module of a tool holds: kept beside its programs, so that a test needs no module. */
interface ModuleFiles {
  readonly module: string;
  readonly version: string;
  /** What `go mod download` says of it: the module need not stand in our go.sum. */
  readonly sum: string;
  readonly folder: string;
  readonly files: readonly string[];
}

/** A tool that applies what lies in git: its programs and its resource types. */
export interface GitOpsTool extends GoPrograms {
  /** Its resource types. */
  readonly manifests: readonly ModuleFiles[];
  /** What its programs run, found in PATH. */
  readonly scripts: readonly ModuleFiles[];
  /** What it needs besides. */
  readonly debian: DebianPackages;
}

const modules = join(packageRoot(), "hack", "gitops", "programs");

/** Of Flux only what applies manifests: its source-controller needs a module that no proxy serves. */
export const FLUX: GitOpsTool = {
  title: "Flux's kustomize-controller",
  name: "kustomize-controller",
  version: "1.9.6",
  module: join(modules, "kustomize-controller"),
  ldflags: "",
  programs: [
    {
      name: "kustomize-controller",
      goPackage: "github.com/fluxcd/kustomize-controller",
      minutes: 3,
      megabytes: 86,
    },
  ],
  manifests: [
    {
      module: "github.com/fluxcd/kustomize-controller",
      version: "v1.9.6",
      sum: "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
      folder: "config/crd/bases",
      files: ["kustomize.toolkit.fluxcd.io_kustomizations.yaml"],
    },
    {
      module: "github.com/fluxcd/source-controller",
      version: "v1.9.0",
      sum: "h1:5msg2yyjVYDULZos+2ve8MZzcSqTpusiXmrOeBhc9yY=",
      folder: "config/crd/bases",
      // All kinds of source: the controller does not start without one of them.
      files: ["externalartifacts", "gitrepositories", "ocirepositories", "buckets"].map(
        (kind) => `source.toolkit.fluxcd.io_${kind}.yaml`,
      ),
    },
  ],
  scripts: [],
  debian: {},
};

const ARGOCD_MODULE = {
  module: "github.com/argoproj/argo-cd/v3",
  version: "v3.5.7",
  sum: "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=",
};

/** Argo CD is one program, which is each of its parts by its name. */
export const ARGOCD: GitOpsTool = {
  title: "Argo CD",
  name: "argocd",
  version: "3.5.7",
  module: join(modules, "argocd"),
  ldflags: "-X github.com/argoproj/argo-cd/v3/common.version=3.5.7",
  programs: [{ name: "argocd", goPackage: "github.com/argoproj/argo-cd/v3/cmd", minutes: 6, megabytes: 155 }],
  manifests: [
    {
      ...ARGOCD_MODULE,
      folder: "manifests/crds",
      files: ["application-crd.yaml", "appproject-crd.yaml"],
    },
  ],
  scripts: [{ ...ARGOCD_MODULE, folder: "hack", files: ["git-verify-wrapper.sh"] }],
  debian: { "redis-server": "redis-server" },
};

/** Why a tool cannot be had here, or null: it lies in the cache, or Go and apt-get bring it. */
export function whyNot(tool: GitOpsTool, env: NodeJS.ProcessEnv = process.env): string | null {
  const missing = [...missingOf(tool, env), ...missingFiles(tool, env), ...missingDebian(tool.debian, env)];
  if (missing.length === 0 || findProgram("go", env["PATH"]) !== undefined) return null;
  return `${tool.title} ${tool.version} is not run: no Go to get what is missing (${missing.join(", ")})`;
}

/** The paths of a tool's resource types. */
export function manifestsOf(tool: GitOpsTool, env: NodeJS.ProcessEnv = process.env): readonly string[] {
  return tool.manifests.flatMap(({ files }) => files).map((file) => join(goFolder(tool, env), file));
}

/** Gives the folder with a tool's programs, after building and copying what is missing there. */
export async function gitOpsTool(tool: GitOpsTool, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const log = (line: string) => console.error(line);
  const folder = await goPrograms(tool, { env, log });
  await ensureDebian(tool.debian, { env, log });
  if (missingFiles(tool, env).length === 0) return folder;
  for (const wanted of [...tool.manifests, ...tool.scripts]) await copyFiles(tool, wanted, folder);
  return folder;
}

function missingFiles(tool: GitOpsTool, env: NodeJS.ProcessEnv): readonly string[] {
  const files = [...tool.manifests, ...tool.scripts].flatMap((wanted) => wanted.files);
  return files.filter((file) => !existsSync(join(goFolder(tool, env), file)));
}

async function copyFiles(tool: GitOpsTool, wanted: ModuleFiles, folder: string): Promise<void> {
  const args = ["mod", "download", "-json", `${wanted.module}@${wanted.version}`];
  const { stdout } = await promisify(execFile)("go", args, { cwd: tool.module });
  const { Dir, Sum } = JSON.parse(stdout) as { Dir: string; Sum: string };
  if (Sum !== wanted.sum) throw new Error(`${wanted.module}@${wanted.version} is ${Sum}, not ${wanted.sum}`);
  for (const file of wanted.files) {
    copyFileSync(join(Dir, wanted.folder, file), join(folder, file));
    // Files of a module are not executable.
    chmodSync(join(folder, file), 0o755);
  }
}
