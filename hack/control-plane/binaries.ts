// Owns finding the programs of a control plane: an assets folder, a cache, or a build from Go modules.
// Does not own starting them.
import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { packageRoot } from "../package-root.js";

/** The Kubernetes version built; it names the cache folder. */
export const KUBERNETES_VERSION = "1.37.2";

/** Paths of the programs. */
export interface Binaries {
  readonly etcd: string;
  readonly apiserver: string;
  readonly kubectl: string;
  /** Absent where an assets folder lacks it: then nothing collects garbage, and namespaces are never finalized. */
  readonly controllerManager?: string;
}

/** What the search depends on; the process's own environment by default. */
export interface FindOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Told what is built, how long it takes and where it goes. */
  readonly log?: (line: string) => void;
}

interface Program {
  readonly name: string;
  readonly goPackage: string;
  readonly minutes: number;
}

const PROGRAMS: readonly Program[] = [
  { name: "etcd", goPackage: "go.etcd.io/etcd/server/v3", minutes: 0.5 },
  { name: "kube-apiserver", goPackage: "k8s.io/kubernetes/cmd/kube-apiserver", minutes: 5 },
  { name: "kube-controller-manager", goPackage: "k8s.io/kubernetes/cmd/kube-controller-manager", minutes: 2 },
  { name: "kubectl", goPackage: "k8s.io/kubernetes/cmd/kubectl", minutes: 1 },
];

/** The folder that built programs are kept in: `$XDG_CACHE_HOME` (or `~/.cache`)`/zopp/control-plane/<version>`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(
    env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache"),
    "zopp",
    "control-plane",
    KUBERNETES_VERSION,
  );
}

/**
 * Finds the programs, in this order: `KUBEBUILDER_ASSETS`, the cache, a build into the cache.
 *
 * @throws Error naming the missing programs and what to install, when none of the three gives them.
 */
export async function findBinaries(options: FindOptions = {}): Promise<Binaries> {
  const { env = process.env, log = () => undefined } = options;
  const assets = env["KUBEBUILDER_ASSETS"];
  if (assets) return fromAssets(assets, log);
  const folder = cacheFolder(env);
  const missing = PROGRAMS.filter((program) => !isExecutable(join(folder, program.name)));
  if (missing.length > 0) await buildAll({ missing, folder, env, log });
  return inFolder(folder);
}

function fromAssets(folder: string, log: (line: string) => void): Binaries {
  const found = inFolder(folder);
  const missing = PROGRAMS.map((program) => program.name).filter((name) => !isExecutable(join(folder, name)));
  const needed = missing.filter((name) => name !== "kube-controller-manager");
  if (needed.length > 0) {
    throw new Error(
      `KUBEBUILDER_ASSETS is ${folder}, which lacks ${needed.join(", ")}: unset it, or fill it with \`setup-envtest use\``,
    );
  }
  if (missing.length === 0) return found;
  log(`${folder} has no kube-controller-manager: starting without garbage collection and namespace deletion`);
  const { controllerManager: _absent, ...rest } = found;
  return rest;
}

function inFolder(folder: string): Binaries {
  return {
    etcd: join(folder, "etcd"),
    apiserver: join(folder, "kube-apiserver"),
    kubectl: join(folder, "kubectl"),
    controllerManager: join(folder, "kube-controller-manager"),
  };
}

interface Build {
  readonly missing: readonly Program[];
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

async function buildAll(build: Build): Promise<void> {
  const names = build.missing.map((program) => program.name).join(", ");
  const go = findGo(build.env);
  if (go === undefined) throw new Error(refusal(names, build.folder));
  const minutes = build.missing.reduce((sum, program) => sum + program.minutes, 0);
  build.log(
    `building ${names} of Kubernetes ${KUBERNETES_VERSION} with ${go}: about ${Math.ceil(minutes)} min on two cores, once`,
  );
  build.log(`they are kept in ${build.folder} (300 MB); remove that folder to be rid of them`);
  mkdirSync(build.folder, { recursive: true });
  for (const program of build.missing) await buildOne(go, program, build);
}

function refusal(names: string, folder: string): string {
  return [
    `no Kubernetes API server to test against: ${names} not found in ${folder}, and no \`go\` in PATH to build them.`,
    "Do one of these:",
    "  - install Go 1.26 or later (https://go.dev/dl): the programs are then built once, in about nine minutes;",
    "  - set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl (`setup-envtest use -p path`).",
  ].join("\n");
}

/**
 * What the build depends on besides go.mod and go.sum, whatever a person's environment or `go env -w` says. Never empty:
 * Go takes an empty variable for none. No other toolchain is downloaded, for go.sum does not pin it.
 */
const GO_SETTINGS = {
  CGO_ENABLED: "0",
  GOFLAGS: "-mod=readonly",
  GOTOOLCHAIN: "local",
  GOWORK: "off",
  GOOS: process.platform,
  GOARCH: process.arch === "x64" ? "amd64" : process.arch,
} as const;

/** Builds under a temporary name and renames, so that a broken build is never taken for a program. */
async function buildOne(go: string, program: Program, { folder, env, log }: Build): Promise<void> {
  const startMs = performance.now();
  const target = join(folder, program.name);
  const partial = `${target}.${process.pid}.partial`;
  const ldflags = `-s -w -X k8s.io/component-base/version.gitVersion=v${KUBERNETES_VERSION}`;
  const flags = ["-trimpath", "-buildvcs=false", "-ldflags", ldflags];
  const child = spawn(go, ["build", ...flags, "-o", partial, program.goPackage], {
    cwd: join(packageRoot(), "hack", "control-plane", "binaries"),
    env: { ...env, ...GO_SETTINGS },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  process.removeListener("exit", end);
  if (code !== 0) {
    rmSync(partial, { force: true });
    throw new Error(
      `go build ${program.goPackage} failed (exit code ${code}); its messages are above. It takes Go 1.26 or later.`,
    );
  }
  renameSync(partial, target);
  log(`built ${program.name} in ${Math.round((performance.now() - startMs) / 1000)} s`);
}

function findGo(env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, "go")).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
