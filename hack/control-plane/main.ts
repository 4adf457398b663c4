// Owns the command line of the control plane: up, down, exec.
// Does not own the control plane itself.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { eventually } from "../eventually.js";
import { packageRoot } from "../package-root.js";
import { type ControlPlane, startControlPlane } from "./control-plane.js";

const USAGE = `Usage: node dist/hack/control-plane/main.js COMMAND

  up [--crds]            start a control plane and stay until Ctrl-C or \`down\`
  down                   end the one that \`up\` started
  exec [--crds] -- CMD   start one, run CMD with its KUBECONFIG, end it

--crds applies zopp's CustomResourceDefinitions first.`;

/** What `up` leaves for `down`: whom to ask to end, and the folder that is gone once it has. */
interface State {
  readonly pid: number;
  readonly folder: string;
}

const stateFile = () => join(packageRoot(), "build", "control-plane.json");

async function start(args: readonly string[]): Promise<ControlPlane> {
  const cp = await startControlPlane();
  if (args.includes("--crds")) await cp.applyCrds();
  return cp;
}

async function up(args: readonly string[]): Promise<number> {
  if (runningState() !== undefined) throw new Error("a control plane is already up: `down` ends it");
  const cp = await start(args);
  const state: State = { pid: process.pid, folder: cp.folder };
  mkdirSync(join(packageRoot(), "build"), { recursive: true });
  writeFileSync(stateFile(), JSON.stringify(state));
  console.log(`export KUBECONFIG=${cp.kubeconfig}`);
  await new Promise((resolve) => {
    // A pending signal handler alone does not keep the process; a timer does.
    const timer = setInterval(() => undefined, 1_000_000);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => resolve(clearInterval(timer)));
  });
  await cp.stop();
  rmSync(stateFile(), { force: true });
  return 0;
}

/** The folder goes with its process, so where it is, the pid is still that process. */
function runningState(): State | undefined {
  if (!existsSync(stateFile())) return undefined;
  const state = JSON.parse(readFileSync(stateFile(), "utf8")) as State;
  return existsSync(state.folder) ? state : undefined;
}

async function down(): Promise<number> {
  const state = runningState();
  if (state === undefined) {
    console.log("no control plane is up");
    return 0;
  }
  process.kill(state.pid, "SIGTERM");
  await eventually(() => !existsSync(state.folder), { message: "the control plane has ended" });
  return 0;
}

async function exec(args: readonly string[]): Promise<number> {
  const at = args.indexOf("--");
  const [command, ...rest] = at < 0 ? [] : args.slice(at + 1);
  if (command === undefined) return usage();
  const cp = await start(args.slice(0, at));
  try {
    const env = { ...process.env, KUBECONFIG: cp.kubeconfig, ZOPP_CONTROL_PLANE_PIDS: cp.pids().join(" ") };
    return await run(command, rest, env);
  } finally {
    await cp.stop();
  }
}

/** Signals are the command's to answer: a terminal sends it Ctrl-C itself, SIGTERM is passed on. */
async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(command, args, { env, stdio: "inherit" });
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

function usage(): number {
  console.error(USAGE);
  return 2;
}

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number> | number>> = { up, down, exec };

try {
  const [name = "", ...args] = process.argv.slice(2);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  process.exitCode = await (command ?? usage)(args);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
