// Owns building programs from Go modules into a cache, once: what is built, under whose settings, and saying so.
// Does not own which programs, nor running them.
import { spawn } from "node:child_process";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inCache } from "./cache.js";
import { findProgram, isExecutable } from "./executables.js";
import { oneAtATime } from "./one-at-a-time.js";
import { packageRoot } from "./package-root.js";

/** One program of a module. */
export interface GoProgram {
  /** The file's name in the cache. */
  readonly name: string;
  /** The path of its main package. */
  readonly goPackage: string;
  /** How long its build takes on two cores. */
  readonly minutes: number;
  /** The room it takes. */
  readonly megabytes: number;
}

/** Programs that one go.mod pins, of one version. */
export interface GoPrograms {
  /** What they are of, as a person reads it: "Kubernetes". */
  readonly title: string;
  /** Names the folder in the cache, with `version`. */
  readonly name: string;
  readonly version: string;
  /** The folder of a committed go.mod and go.sum. */
  readonly module: string;
  /** Besides `-s -w`. */
  readonly ldflags: string;
  /** Build tags, which leave out what is not needed. */
  readonly tags?: readonly string[];
  readonly programs: readonly GoProgram[];
  /** What else a person without Go can do: ends the list of a refusal. */
  readonly otherwise?: string;
}

/** Programs whose go.mod is in `hack/<part>/programs/<name>`. */
export function fromModule(part: string, of: Omit<GoPrograms, "module" | "ldflags">, ldflags = ""): GoPrograms {
  return { ...of, ldflags, module: join(packageRoot(), "hack", part, "programs", of.name) };
}

/** What the search depends on. */
export interface GoOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Told what is built, how long it takes and where it goes. */
  readonly log: (line: string) => void;
}

/** The folder that built programs are kept in. */
export function goFolder({ name, version }: Pick<GoPrograms, "name" | "version">, env: NodeJS.ProcessEnv): string {
  return inCache(env, name, version);
}

/** The names of the programs that are not in the cache. */
export function missingOf(wanted: GoPrograms, env: NodeJS.ProcessEnv): readonly string[] {
  return missing(wanted, env).map((program) => program.name);
}

function missing(wanted: GoPrograms, env: NodeJS.ProcessEnv): readonly GoProgram[] {
  const folder = goFolder(wanted, env);
  return wanted.programs.filter((program) => !isExecutable(join(folder, program.name)));
}

/**
 * Gives the folder that holds the programs, after building those that are missing there.
 *
 * @throws Error naming the missing programs and what to install where there is no Go, or the package whose build failed.
 */
export async function goPrograms(wanted: GoPrograms, options: GoOptions): Promise<string> {
  const { env, log } = options;
  const folder = goFolder(wanted, env);
  if (missing(wanted, env).length === 0) return folder;
  const go = findProgram("go", env["PATH"]);
  if (go === undefined) throw new Error(refusal(wanted, env));
  const wait = (pid: number) => log(`process ${pid} builds programs of ${wanted.title}: waiting for it`);
  await oneAtATime(join(folder, ".lock"), wait, () => buildAll(go, wanted, options));
  return folder;
}

function refusal(wanted: GoPrograms, env: NodeJS.ProcessEnv): string {
  const names = missingOf(wanted, env).join(", ");
  const minutes = sum(missing(wanted, env), "minutes");
  const { otherwise } = wanted;
  return [
    `${names} not found in ${goFolder(wanted, env)}, and no \`go\` in PATH to build them.`,
    otherwise === undefined ? "Do this:" : "Do one of these:",
    `  - install Go 1.26 or later (https://go.dev/dl): the programs are then built once, in about ${minutes} min on two cores`,
    ...(otherwise === undefined ? [] : [`  - ${otherwise}`]),
  ].join("\n");
}

const sum = (programs: readonly GoProgram[], what: "minutes" | "megabytes") =>
  Math.ceil(programs.reduce((total, program) => total + program[what], 0));

async function buildAll(go: string, wanted: GoPrograms, options: GoOptions): Promise<void> {
  const { env, log } = options;
  // Asked again: whoever was waited for has built some.
  const programs = missing(wanted, env);
  if (programs.length === 0) return;
  const folder = goFolder(wanted, env);
  const names = programs.map((program) => program.name).join(", ");
  log(
    `building ${names} of ${wanted.title} ${wanted.version} with ${go}: about ${sum(programs, "minutes")} min on two cores, once`,
  );
  log(`they are kept in ${folder} (${sum(programs, "megabytes")} MB); remove that folder to be rid of them`);
  mkdirSync(folder, { recursive: true });
  for (const program of programs) await buildOne(go, program, wanted, options);
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
async function buildOne(go: string, program: GoProgram, wanted: GoPrograms, { env, log }: GoOptions): Promise<void> {
  const startMs = performance.now();
  const target = join(goFolder(wanted, env), program.name);
  const partial = `${target}.${process.pid}.partial`;
  const tags = wanted.tags === undefined ? [] : ["-tags", wanted.tags.join(",")];
  const flags = ["-trimpath", "-buildvcs=false", "-ldflags", `-s -w ${wanted.ldflags}`.trimEnd(), ...tags];
  const nice = findProgram("nice", env["PATH"]);
  const [command = go, ...args] = [...(nice === undefined ? [] : [nice, "-n", "10"]), go, "build", ...flags];
  const child = spawn(command, [...args, "-o", partial, program.goPackage], {
    cwd: wanted.module,
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
