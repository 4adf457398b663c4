// Owns the command line of the cluster: up, down, exec, load.
// Does not own the cluster itself, nor what is known of those that were left running.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { inCache } from "../cache.js";
import { checkName, Misuse, readFlags, runCommand, runCommands, splitCommand } from "../command-line.js";
import { DEFAULT_NAME, Keeper } from "../keeper.js";
import type { LeftRunning } from "../left-running.js";
import { removeGroups } from "./cgroups.js";
import { ingredients, startCluster } from "./cluster.js";
import { environment, inside, load as loadImages, type Place } from "./inside.js";
import { refusal } from "./refusal.js";
import { auditLog } from "./site.js";

const MAIN = "node dist/hack/cluster/main.js";
const USAGE = `Usage: ${MAIN} COMMAND

A real Kubernetes of one node (kubelet, containerd, runc) in Linux namespaces of its own. It takes root and cgroup v1;
nothing of the machine changes, no port of it is open there, and there is no way out of it: images come from archives.

  up [--name NAME] [--image FILE]... [--foreground]
      Starts one and leaves it running, with the images of those archives (OCI or docker).
  load [--name NAME] FILE...
      Imports the images of more archives.
  exec [--name NAME] -- CMD [ARG...]
      Runs CMD inside, with KUBECONFIG set, and kubectl, helm, ctr, node and this checkout's zopp in PATH. Input, output
      and exit code are CMD's:
        ${MAIN} exec -- kubectl get pods --all-namespaces
  check
      Says in a sentence why none can run on this machine; exit code 1 then.
  down [--name NAME]
      Ends it and removes what it wrote, also what a crashed one left. Nothing to end is no error.

  --name NAME    which one: several can be up at once ("${DEFAULT_NAME}" unless said otherwise)
  --foreground   stays, and ends it on Ctrl-C

The programs are built with Go and kept in ${inCache(process.env)}, or installed with apt-get: once, about
15 minutes on two cores.`;

const NAME = { name: { type: "string", default: DEFAULT_NAME } } as const;
const UP = {
  ...NAME,
  image: { type: "string", multiple: true, default: [] as string[] },
  foreground: { type: "boolean", default: false },
} as const;

/** A cluster that somebody else can use. */
type LeftCluster = LeftRunning & Place;

const keeper = new Keeper<LeftCluster>({
  kind: "cluster",
  main: MAIN,
  tell({ folder }, howToEnd) {
    console.error(`A node is ready, its logs in ${folder}, what was asked of its API server in ${auditLog(folder)}.`);
    console.error(`${MAIN} exec -- kubectl get pods --all-namespaces asks it; ${howToEnd}.`);
  },
  clear: ({ groups }) => removeGroups(groups),
});

async function up(args: readonly string[]): Promise<number> {
  const { values } = readFlags({ args: [...args], options: UP });
  const name = checkName(values.name);
  await keeper.makeRoom(name);
  // Here, where a person sees what is built or lacking, and a signal ends the build.
  await ingredients();
  const images = values.image.map((file) => resolve(file));
  if (!values.foreground)
    return keeper.leaveRunning(
      name,
      images.flatMap((file) => ["--image", file]),
    );
  return keeper.stay(name, async () => {
    const { place, stop } = await startCluster({ images });
    return { left: { ...place, pids: [place.init] }, stop };
  });
}

async function down(args: readonly string[]): Promise<number> {
  return keeper.down(checkName(readFlags({ args: [...args], options: NAME }).values.name));
}

/** The one of that name, which must run. */
function running(name: string): LeftCluster {
  const left = keeper.shelf.find(checkName(name));
  if (left !== undefined && keeper.shelf.isKept(left)) return left;
  throw new Error(`${name} is not up: ${MAIN} up${name === DEFAULT_NAME ? "" : ` --name ${name}`} starts it`);
}

/** Ctrl-C is the command's to answer: a nsenter that it ends would end without the command's exit code. */
const DEAF_TO_INTERRUPTS = ["/bin/sh", "-c", `trap "" INT; exec "$@"`, "zopp-exec"];

async function exec(args: readonly string[]): Promise<number> {
  const { own, command, rest } = splitCommand(args);
  const place = running(readFlags({ args: own, options: NAME }).values.name);
  // nsenter waits for the command and passes no signal on.
  const children = (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  const entered = inside(place, ["env", "--default-signal=INT", command, ...rest], process.cwd());
  return runCommand([...DEAF_TO_INTERRUPTS, ...entered], environment(place), children);
}

async function load(args: readonly string[]): Promise<number> {
  const { values, positionals } = readFlags({ args: [...args], options: NAME, allowPositionals: true });
  if (positionals.length === 0) throw new Misuse("load needs the file of an archive");
  const place = running(values.name);
  for (const file of positionals) process.stdout.write(await loadImages(place, file));
  return 0;
}

async function check(args: readonly string[]): Promise<number> {
  readFlags({ args: [...args], options: {} });
  const why = refusal();
  if (why !== undefined) console.error(why);
  return why === undefined ? 0 : 1;
}

process.exitCode = await runCommands({ up, down, exec, load, check }, USAGE, process.argv.slice(2));
