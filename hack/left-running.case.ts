// Owns a place of its own for tests of the commands that leave something running: up, down, exec.
// Does not own what those commands start.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { eventually } from "./eventually.js";
import type { Kind, LeftRunning } from "./left-running.js";

/** A command that was started. */
export interface Ran {
  readonly child: ChildProcess;
  out(): string;
  err(): string;
  /** The exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals | null>;
}

/** A machine of its own as far as names and temporary folders go; whatever runs there at the end is ended. */
export class Desk {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "zopp-desk-")));
  readonly temporary = join(this.folder, "tmp");
  readonly state = join(this.folder, "state");

  readonly #kind: Kind;

  constructor(t: Test, kind: Kind) {
    this.#kind = kind;
    mkdirSync(this.temporary);
    t.teardown(async () => {
      for (const name of this.names()) await this.run(["down", "--name", name]).exit;
      for (const { pid } of this.processes()) process.kill(pid, "SIGKILL");
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** Runs the command in a process group of its own, as a terminal does. */
  run(args: readonly string[], env: NodeJS.ProcessEnv = {}, input = ""): Ran {
    const child = spawn(process.execPath, [join(import.meta.dirname, this.#kind, "main.js"), ...args], {
      env: { ...process.env, TMPDIR: this.temporary, XDG_STATE_HOME: this.state, ...env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    child.stdin.end(input);
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
    const exit = new Promise<number | NodeJS.Signals | null>((resolve) =>
      child.once("close", (code, signal) => resolve(code ?? signal)),
    );
    return { child, out: () => out, err: () => err, exit };
  }

  /** The names that are written down. */
  names(): readonly string[] {
    try {
      const files = readdirSync(join(this.state, "zopp", this.#kind));
      return files.filter((file) => file.endsWith(".json")).map((file) => file.replace(/\.json$/, ""));
    } catch {
      return [];
    }
  }

  /** The processes whose command line names a folder of this desk. */
  processes(): readonly { readonly pid: number; readonly args: string }[] {
    const { stdout } = spawnSync("ps", ["-ww", "-A", "-o", "pid=,args="], { encoding: "utf8" });
    const lines = stdout.split("\n").filter((line) => line.includes(this.temporary));
    return lines.map((line) => ({ pid: Number.parseInt(line, 10), args: line }));
  }

  /** Waits until nothing runs, lies around or is written down. */
  async empty(t: Test): Promise<void> {
    const left = () => [...this.processes().map(({ args }) => args), ...readdirSync(this.temporary), ...this.names()];
    await eventually(() => left().length === 0, { message: "nothing is left" }).catch(() => undefined);
    t.strictSame(left(), [], "nothing is left");
  }

  /** What is written down of a name. */
  left(name: string): LeftRunning {
    const file = join(this.state, "zopp", this.#kind, `${name}.json`);
    return JSON.parse(readFileSync(file, "utf8")) as LeftRunning;
  }
}
