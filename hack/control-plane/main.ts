// Owns the command line of the control plane: up, down, exec.
// Does not own the control plane itself, nor what is known of those that were left running.
import { delimiter } from "node:path";
import { checkName, readFlags, runCommand, runCommands, splitCommand } from "../command-line.js";
import { DEFAULT_NAME, Keeper } from "../keeper.js";
import type { LeftRunning } from "../left-running.js";
import { cacheFolder, findBinaries } from "./binaries.js";
import { type ControlPlane, startControlPlane } from "./control-plane.js";

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

const NAME = { name: { type: "string", default: DEFAULT_NAME } } as const;
const CRDS = { crds: { type: "boolean", default: false } } as const;
const FOREGROUND = { foreground: { type: "boolean", default: false } } as const;

/** A control plane that somebody else can use. */
interface LeftControlPlane extends LeftRunning {
  readonly url: string;
  readonly kubeconfig: string;
  /** A folder with kubectl. */
  readonly bin: string;
}

const keeper = new Keeper<LeftControlPlane>({ kind: "control-plane", main: MAIN, tell });

/** On stdout what a shell evaluates, on stderr what a person reads. */
function tell({ url, kubeconfig, bin }: LeftControlPlane, howToEnd: string): void {
  console.error(`Kubernetes is up at ${url}; ${howToEnd}. In a shell:`);
  console.log(`export KUBECONFIG='${kubeconfig}'\nexport PATH='${bin}':"$PATH"`);
}

async function start(crds: boolean): Promise<ControlPlane> {
  const cp = await startControlPlane();
  if (crds) await cp.applyCrds();
  return cp;
}

async function up(args: readonly string[]): Promise<number> {
  const { values } = readFlags({ args: [...args], options: { ...NAME, ...CRDS, ...FOREGROUND } });
  const name = checkName(values.name);
  await keeper.makeRoom(name);
  // Here, where a person sees what is built or lacking, and a signal ends the build.
  await findBinaries({ log: (line) => console.error(line) });
  if (!values.foreground) return keeper.leaveRunning(name, values.crds ? ["--crds"] : []);
  return keeper.stay(name, async () => {
    const cp = await start(values.crds);
    const { folder, url, kubeconfig, bin } = cp;
    return { left: { pids: cp.pids(), folder, url, kubeconfig, bin }, stop: () => cp.stop() };
  });
}

async function down(args: readonly string[]): Promise<number> {
  return keeper.down(checkName(readFlags({ args: [...args], options: NAME }).values.name));
}

async function exec(args: readonly string[]): Promise<number> {
  const { own, command, rest } = splitCommand(args);
  const cp = await start(readFlags({ args: own, options: CRDS }).values.crds);
  try {
    return await runCommand([command, ...rest], {
      ...process.env,
      KUBECONFIG: cp.kubeconfig,
      PATH: [cp.bin, process.env["PATH"] ?? ""].join(delimiter),
      ZOPP_CONTROL_PLANE_PIDS: cp.pids().join(" "),
    });
  } finally {
    await cp.stop();
  }
}

process.exitCode = await runCommands({ up, down, exec }, USAGE, process.argv.slice(2));
