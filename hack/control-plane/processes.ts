// Owns the life of a control plane's processes: starting, ending, and ending with the parent, however that dies.
// Does not own which programs run, nor with what arguments.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** A process that was started in a group. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  /** True from the moment it was seen to have ended. */
  ended(): boolean;
  /** The end of what it wrote, for messages about a failed start. */
  lastLines(count?: number): string;
  /** Sends SIGKILL (the data is thrown away anyway) and resolves once it has ended; at once when it already had. */
  kill(): Promise<void>;
}

/** Processes that end together. */
export interface ProcessGroup {
  /** Starts a program in the group's folder, its output in `<name>.log` there. Throws when it cannot be executed. */
  start(name: string, path: string, args: readonly string[]): Promise<Running>;
  /** Ends every process, and the watchdog, which removes the folder. */
  end(): Promise<void>;
}

/**
 * Reads `add <pid>` and `del <pid>`; when its input ends, because the parent is done or dead by whatever signal, it kills
 * what remains and removes the folder. Its own session keeps it out of reach of Ctrl-C. A kill of a shell's pid list
 * rather than of a process group, because each process must be told apart for a restart.
 */
const WATCHDOG = `
pids=" "
while read -r what pid; do
  case "$what" in
    add) pids="$pids$pid " ;;
    del) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
shift
for group; do
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + || sleep 0.5
  done
done
`;

/**
 * Makes a group of processes that end with this process, even when it is killed with SIGKILL.
 *
 * @param folder the group's own folder: working directory, logs; removed when the group ends.
 * @param controlGroups folders of control groups that the processes are in: removed once they are empty.
 */
export function newProcessGroup(folder: string, controlGroups: readonly string[] = []): ProcessGroup {
  const watchdog = spawn("/bin/sh", ["-c", WATCHDOG, "zopp-watchdog", folder, ...controlGroups], {
    cwd: "/",
    // It needs `rm`, `find` and `sleep`, whatever PATH this process was given.
    env: { PATH: "/usr/bin:/bin" },
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const pipe = watchdog.stdin;
  pipe.on("error", () => undefined);
  letGo(watchdog);
  const running = new Set<Running>();
  return {
    async start(name, path, args) {
      const child = await startChild(folder, { name, path, args });
      pipe.write(`add ${child.pid}\n`);
      const entry = follow(child, { name, folder, onEnd: () => pipe.writable && pipe.write(`del ${child.pid}\n`) });
      running.add(entry);
      return entry;
    },
    async end() {
      await Promise.all([...running].map((entry) => entry.kill()));
      if (pipe.writableEnded) return;
      watchdog.ref();
      const ended = new Promise((resolve) => watchdog.once("exit", resolve));
      pipe.end();
      await ended;
    },
  };
}

interface Command {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
}

async function startChild(folder: string, { name, path, args }: Command): Promise<ChildProcess & { pid: number }> {
  const log = openSync(join(folder, `${name}.log`), "a", 0o600);
  try {
    const child = spawn(path, args, { cwd: folder, detached: true, stdio: ["ignore", log, log] });
    await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    letGo(child);
    return child as ChildProcess & { pid: number };
  } finally {
    closeSync(log);
  }
}

/** A parent that is otherwise done may exit: the watchdog ends the rest. */
function letGo(child: ChildProcess): void {
  child.unref();
  const input = child.stdin as { unref?: () => void } | null;
  input?.unref?.();
}

interface FollowOptions {
  readonly name: string;
  readonly folder: string;
  readonly onEnd: () => void;
}

function follow(child: ChildProcess & { pid: number }, { name, folder, onEnd }: FollowOptions): Running {
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.once("exit", onEnd);
  return {
    name,
    pid: child.pid,
    ended: hasEnded,
    lastLines: (count = 15) =>
      readFileSync(join(folder, `${name}.log`), "utf8")
        .trimEnd()
        .split("\n")
        .slice(-count)
        .join("\n"),
    async kill() {
      if (hasEnded()) return;
      child.ref();
      child.kill("SIGKILL");
      await ended;
    },
  };
}

const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
/** How many ports a process has to give away; the one before them says that they are its own. */
const SLICE = 200;

let slice: Promise<number> | undefined;
let given = 0;

/**
 * A free TCP port of 127.0.0.1, below the range from which the kernel takes ports for outgoing connections: there a
 * client that dials a stopped server again and again may be given the server's own port, and connects to itself. No other
 * process is given it as long as this one lives: what listens there may start late, or again.
 */
export async function freePort(): Promise<number> {
  slice ??= claimSlice();
  const first = await slice;
  for (let attempt = 1; attempt < SLICE; attempt++) {
    given += 1;
    const port = first + 1 + (given % (SLICE - 1));
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port of 127.0.0.1 between ${first} and ${first + SLICE}`);
}

async function claimSlice(): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const first = FIRST_PORT + SLICE * Math.floor(Math.random() * ((LAST_PORT - FIRST_PORT) / SLICE));
    if (await listens(first)) return first;
  }
  throw new Error(`no free ports of 127.0.0.1 between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** Listens for as long as the process lives, which it does not keep alive by that. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
    server.unref();
  });
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
