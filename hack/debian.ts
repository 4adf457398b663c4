// Owns that programs which Debian packages are there: what is missing is installed with apt-get, or named.
// Does not own which programs are needed, nor running them.
import { spawn } from "node:child_process";
import { inCache } from "./cache.js";
import { findProgram, isExecutable } from "./executables.js";
import { oneAtATime } from "./one-at-a-time.js";

/** Packages of Debian, each with a program in it that tells whether it is there: its name, or where it lies. */
export type DebianPackages = Readonly<Record<string, string>>;

/** What `ensureDebian` depends on; the process's own environment by default. */
export interface DebianOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Told what is installed. Default: standard error. */
  readonly log?: (line: string) => void;
}

/** The packages whose program is not there. */
export function missingDebian(packages: DebianPackages, env: NodeJS.ProcessEnv = process.env): readonly string[] {
  // A person's PATH may lack the folders of the administrator's programs.
  const path = `${env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  const isThere = (program: string) =>
    program.startsWith("/") ? isExecutable(program) : findProgram(program, path) !== undefined;
  return Object.keys(packages).filter((name) => !isThere(packages[name] ?? ""));
}

/**
 * Installs the packages whose program is not there; does nothing when all are.
 *
 * @throws Error naming what to install, where there is no apt-get or we are not root; with apt-get's text where it failed.
 */
export async function ensureDebian(packages: DebianPackages, options: DebianOptions = {}): Promise<void> {
  const { env = process.env, log = (line: string) => console.error(line) } = options;
  if (missingDebian(packages, env).length === 0) return;
  const apt = findProgram("apt-get", env["PATH"]);
  if (apt === undefined || process.getuid?.() !== 0) {
    const why = apt === undefined ? "there is no apt-get here" : "only root can install them";
    const programs = missingDebian(packages, env).map((name) => `${packages[name]} (Debian's package ${name})`);
    throw new Error(`these programs are missing, and ${why}; install them: ${programs.join(", ")}`);
  }
  const wait = (pid: number) => log(`process ${pid} installs packages of Debian: waiting for it`);
  await oneAtATime(inCache(env, "debian.lock"), wait, async () => {
    const missing = missingDebian(packages, env);
    if (missing.length > 0) await install(apt, missing, { env, log });
  });
  const still = missingDebian(packages, env);
  if (still.length > 0) throw new Error(`apt-get installed ${still.join(", ")}, without the programs looked for`);
}

const LOCK_SECONDS = 300;

async function install(apt: string, packages: readonly string[], { env, log }: Required<DebianOptions>): Promise<void> {
  log(`installing ${packages.join(", ")} of Debian with apt-get: under a minute, once`);
  const run = (args: readonly string[]) =>
    runApt(apt, ["--quiet", "--yes", "--option", `DPkg::Lock::Timeout=${LOCK_SECONDS}`, ...args], env);
  const args = ["install", "--no-install-recommends", ...packages];
  if ((await run(args)).code === 0) return;
  // The lists may be absent or older than the archive.
  await run(["update"]);
  const { code, text } = await run(args);
  if (code !== 0)
    throw new Error(`apt-get install ${packages.join(" ")} failed (exit code ${code}):\n${text.trimEnd()}`);
}

async function runApt(
  apt: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; text: string }> {
  const child = spawn(apt, args, {
    env: { ...env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  return { code, text };
}
