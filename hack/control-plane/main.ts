// Owns the command line of the control plane: up, down, exec.
// Does not own the control plane itself, nor what is known of those that were left running.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter } from "node:path";
import { parseArgs } from "node:util";
import { eventually } from "../eventually.js";
import { cacheFolder, findBinaries } from "./binaries.js";
import { type ControlPlane, startControlPlane } from "./control-plane.js";
import { clear, end, find, forget, isKept, type LeftRunning, leave, logFile } from "./left-running.js";

const MAIN = "node dist/hack/control-plane/main.js";
const USAGE = `Usage: ${MAIN} COMMAND

A real etcd, kube-apiserver and kube-controller-manager on 127.0.0.1, with RBAC and without nodes. What is in it is
thrown away when it ends.

  up [--name NAME] [--crds] [--foreground]
      Starts one, leaves it running and prints how to reach it:
        eval "$(${MAIN} up --crds)"
        kubectl get zoppsecrets --all-namespaces
  down [--name NAME]
      Ends it and removes what it wrote, also what a crashed one left. Nothing to end is no error.
  exec [--crds] -- CMD [ARG...]
      Starts one for CMD alone, with KUBECONFIG and a kubectl in PATH, and ends it. Its exit code is CMD's:
        ${MAIN} exec -- kubectl get ns

  --name NAME    which one: several can be up at once ("default" unless said otherwise)
  --crds         applies zopp's CustomResourceDefinitions first
  --foreground   stays, and ends it on Ctrl-C

The programs come from KUBEBUILDER_ASSETS, else from ${cacheFolder()},
else they are built with Go and kept there: once, about nine minutes on two cores.`;

const OPTIONS = {
  name: { type: "string", default: "default" },
  crds: { type: "boolean", default: false },
  foreground: { type: "boolean", default: false },
} as const;
const NAME = /^[a-z0-9][a-z0-9-]{0,40}$/;
const START_MS = 300_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Thrown for a command line that says nothing to do. */
class Misuse extends Error {}

function read(args: readonly string[], allowed: readonly (keyof typeof OPTIONS)[]) {
  try {
    const options = Object.fromEntries(allowed.map((option) => [option, OPTIONS[option]]));
    const { values } = parseArgs({ args: [...args], options });
    const { name = "default", crds = false, foreground = false } = values as Partial<Flags>;
    if (!NAME.test(name)) throw new Misuse(`--name ${name}: a name is lower-case letters, digits and hyphens`);
    return { name, crds, foreground };
  } catch (error) {
    throw new Misuse((error as Error).message);
  }
}

interface Flags {
  readonly name: string;
  readonly crds: boolean;
  readonly foreground: boolean;
}

async function start({ crds }: Pick<Flags, "crds">): Promise<ControlPlane> {
  const cp = await startControlPlane();
  if (crds) await cp.applyCrds();
  return cp;
}

async function up(args: readonly string[]): Promise<number> {
  const flags = read(args, ["name", "crds", "foreground"]);
  const before = find(flags.name);
  if (before !== undefined) {
    if (isKept(before))
      throw new Error(`${flags.name} is already up, with ${before.kubeconfig}: ${ending(flags)} ends it`);
    await clear(flags.name, before);
  }
  return flags.foreground ? stay(flags) : await leaveRunning(flags);
}

const ending = ({ name }: Flags) => `${MAIN} down${name === OPTIONS.name.default ? "" : ` --name ${name}`}`;

/** Keeps a control plane until a signal. */
async function stay(flags: Flags): Promise<number> {
  const { name } = flags;
  const cp = await start(flags);
  const signal = anySignal();
  const { url, kubeconfig, bin, folder } = cp;
  const left: LeftRunning = { pid: process.pid, pids: cp.pids(), folder, url, kubeconfig, bin };
  try {
    leave(name, left);
  } catch (error) {
    await cp.stop();
    throw new Error(`another \`up\` of the name ${name} was faster`, { cause: error });
  }
  tell(left, `Ctrl-C here, or ${ending(flags)} elsewhere, ends it`);
  await signal;
  await cp.stop();
  forget(name);
  return 0;
}

function anySignal(): Promise<void> {
  return new Promise((resolve) => {
    // A pending signal handler alone does not keep the process; a timer does.
    const timer = setInterval(() => undefined, 1_000_000);
    for (const signal of SIGNALS) process.once(signal, () => resolve(clearInterval(timer)));
  });
}

/** Starts a process of its own session that stays, and returns once that one is up. */
async function leaveRunning(flags: Flags): Promise<number> {
  const { name, crds } = flags;
  // Here, where a person sees what is built or lacking.
  await findBinaries({ log: (line) => console.error(line) });
  const log = openSync(logFile(name), "w", 0o600);
  const args = [process.argv[1] ?? "", "up", "--foreground", "--name", name, ...(crds ? ["--crds"] : [])];
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  let interrupted = 0;
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      interrupted = constants.signals[signal];
      child.kill("SIGTERM");
    });
  }
  const found = () => [find(name)].find((left) => left?.pid === child.pid);
  const isDecided = () => hasEnded() || (interrupted === 0 && found() !== undefined);
  await eventually(isDecided, { timeoutMs: START_MS, message: `${name} is up` }).finally(() => child.unref());
  const left = found();
  if (interrupted !== 0) return 128 + interrupted;
  if (left === undefined) throw new Error(readFileSync(logFile(name), "utf8").trimEnd());
  tell(left, `${ending(flags)} ends it`);
  return 0;
}

/** On stdout what a shell evaluates, on stderr what a person reads. */
function tell({ url, kubeconfig, bin }: LeftRunning, howToEnd: string): void {
  console.error(`Kubernetes is up at ${url}; ${howToEnd}. In a shell:`);
  console.log(`export KUBECONFIG='${kubeconfig}'\nexport PATH='${bin}':"$PATH"`);
}

async function down(args: readonly string[]): Promise<number> {
  const { name } = read(args, ["name"]);
  const left = find(name);
  if (left === undefined) console.error(`${name} is not up`);
  else if (isKept(left)) await end(name, left);
  else {
    await clear(name, left);
    console.error(`${name} had crashed: what it left is removed`);
  }
  return 0;
}

async function exec(args: readonly string[]): Promise<number> {
  const at = args.indexOf("--");
  const [command, ...rest] = at < 0 ? [] : args.slice(at + 1);
  if (command === undefined) throw new Misuse("exec needs `-- CMD`");
  const cp = await start(read(args.slice(0, at), ["crds"]));
  try {
    const path = [cp.bin, process.env["PATH"] ?? ""].join(delimiter);
    const pids = cp.pids().join(" ");
    return await run(command, rest, {
      ...process.env,
      KUBECONFIG: cp.kubeconfig,
      PATH: path,
      ZOPP_CONTROL_PLANE_PIDS: pids,
    });
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
    child.once("error", (cause) => reject(new Error(`${command} cannot be run: ${cause.message}`, { cause })));
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = { up, down, exec };

async function main([name = "", ...args]: readonly string[]): Promise<number> {
  const own = args.slice(0, args.includes("--") ? args.indexOf("--") : args.length);
  if ([name, ...own].some((arg) => arg === "--help" || arg === "-h")) {
    console.log(USAGE);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (command === undefined) throw new Misuse(name === "" ? "no command is given" : `${name} is no command`);
    return await command(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof Misuse) console.error(`\n${USAGE}`);
    return error instanceof Misuse ? 2 : 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
