// Owns what the demo plays on: a folder with people's homes and a git repository, shells, and the processes.
// Does not own what is done there, nor what is said about it.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ApiClient, connect } from "../../operator/kube/client.js";
import { Child, PLAIN_NODE } from "../child.js";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.js";
import { createOperatorPod, type OperatorPod } from "../control-plane/operator-pod.js";
import { fivePorts, type Ports } from "../testbed.ports.js";

const SYSTEM = "zopp-system";
const ACCOUNT = "zopp";
const compiled = (main: string) => fileURLToPath(new URL(`../../${main}`, import.meta.url));
const COMPILED = {
  zopp: compiled("cli/main.js"),
  "zopp-keyring": compiled("operator/keyring/main.js"),
  "zopp-operator": compiled("operator/main.js"),
} as const;
/** A token is valid for an hour. */
const TOKEN_MS = 30 * 60_000;

/** The entry points that are run. */
export type Programs = Readonly<Record<keyof typeof COMPILED, string>>;

/** Who types: each has a home with an identity of their own. */
export type Person = "alice" | "mallory";

/** Where somebody types: a person, and a folder of theirs. */
export interface Seat {
  readonly person: Person;
  readonly folder: string;
}

/** Alice at her checkout, where most of the story happens. */
export const ALICE: Seat = { person: "alice", folder: "shop" };

/** How a command line ended. */
export interface Ran {
  readonly code: number;
  /** stdout and stderr, as a terminal shows them. */
  readonly text: string;
}

/** Everything that runs and lies around during a demo. Live until `stop()`. */
export class Stage {
  /** Removed with the stage. */
  readonly folder = mkdtempSync(join(tmpdir(), "zopp-demo-"));
  readonly bin = join(this.folder, "bin");
  readonly #removed = () => rmSync(this.folder, { recursive: true, force: true });
  #controlPlane: ControlPlane | undefined;
  #client: ApiClient | undefined;
  readonly #programs: Programs;
  #pod: OperatorPod | undefined;
  #ports: Ports | undefined;
  #keyring: Child | undefined;
  #operator: Child | undefined;
  #refresh: NodeJS.Timeout | undefined;

  constructor(programs: Programs = COMPILED) {
    this.#programs = programs;
    // also when the process ends without stop(), by a second Ctrl-C
    process.once("exit", this.#removed);
    mkdirSync(this.bin);
    for (const [name, main] of Object.entries(programs)) this.#wrap(name, main);
    for (const part of ["alice", "mallory", "keyring", "operator"]) mkdirSync(join(this.folder, part));
    writeFileSync(join(this.folder, "passphrase"), "correct horse battery staple\n", { mode: 0o600 });
  }

  get controlPlane(): ControlPlane {
    return there(this.#controlPlane, "control plane");
  }
  /** An administrator's client. */
  get client(): ApiClient {
    return there(this.#client, "client");
  }
  get ports(): Ports {
    return there(this.#ports, "ports");
  }
  get keyring(): Child {
    return there(this.#keyring, "keyring");
  }
  /** The processes that were started, with their logs. */
  get children(): readonly Child[] {
    return [this.#keyring, this.#operator].filter((child) => child !== undefined);
  }

  /** The absolute path of a file of somebody's. */
  path({ person, folder }: Seat, file = "."): string {
    return join(this.folder, person, folder, file);
  }

  /** What a person's shell has in its environment, and nothing of ours. */
  environment(person: Person): Readonly<Record<string, string>> {
    const { kubeconfig, bin } = this.#controlPlane ?? {};
    return {
      PATH: [this.bin, bin ?? [], process.env["PATH"] ?? ""].flat().join(delimiter),
      HOME: join(this.folder, person),
      USER: person,
      LC_ALL: "C.UTF-8",
      ZOPP_HOME: join(this.folder, person, ".config", "zopp"),
      ZOPP_PASSPHRASE_FILE: join(this.folder, "passphrase"),
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: person,
      GIT_AUTHOR_EMAIL: `${person}@shop.example`,
      GIT_COMMITTER_NAME: person,
      GIT_COMMITTER_EMAIL: `${person}@shop.example`,
      ...(kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig }),
    };
  }

  /** Writes a file that a shell sources to sit where somebody sits; gives its path. */
  writeProfile(seat: Seat): string {
    const file = this.path({ ...seat, folder: "" }, "shell");
    const { HOME: _home, ...variables } = this.environment(seat.person);
    const lines = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'`);
    writeFileSync(file, `${[...lines, `cd '${this.path(seat)}'`].join("\n")}\n`);
    return file;
  }

  /** Runs a command line where somebody sits; the folder is made when it is not there. */
  shell(line: string, seat: Seat = ALICE): Promise<Ran> {
    const cwd = this.path(seat);
    mkdirSync(cwd, { recursive: true });
    const env = this.environment(seat.person);
    const child = spawn("/bin/sh", ["-c", `${PLAIN_NODE}${line}`], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
    return new Promise((resolve, reject) => {
      child.once("error", reject).once("close", (code) => resolve({ code: code ?? 1, text }));
    });
  }

  /** Starts the control plane with zopp's resource types, and the Pod object that the operator's token is bound to. */
  async startControlPlane(log: (line: string) => void): Promise<void> {
    this.#controlPlane = await startControlPlane({ log });
    const [, client, pod, ports] = await Promise.all([
      this.controlPlane.applyCrds(),
      connect({ file: this.controlPlane.kubeconfig, userAgent: "demo" }),
      createOperatorPod(this.controlPlane, { namespace: SYSTEM, serviceAccount: ACCOUNT, name: "zopp-0" }),
      fivePorts(),
    ]);
    this.#client = client;
    this.#pod = pod;
    this.#ports = ports;
  }

  /** Starts the keyring with a pin, and waits until it is alive; gives the command line. */
  async startKeyring(pin: string): Promise<string> {
    const { keyring, keyringHealth, keyringMetrics } = this.ports;
    const args = ["serve", "--seed", join(this.folder, "keyring", "seed"), "--trust", pin];
    args.push("--operator-account", `${SYSTEM}/${ACCOUNT}`, "--pod-uid", there(this.#pod, "pod").podUid);
    args.push("--listen", `127.0.0.1:${keyring}`, "--health", `127.0.0.1:${keyringHealth}`);
    args.push("--metrics", `127.0.0.1:${keyringMetrics}`);
    this.#keyring = this.#start("zopp-keyring", args);
    await this.keyring.healthy(keyringHealth, "/healthz");
    return this.#typed("zopp-keyring", args);
  }

  /** Starts the operator, and waits until it has caught up; gives the command line. */
  async startOperator(): Promise<string> {
    await this.#writeToken();
    this.#refresh = setInterval(() => void this.#writeToken().catch(() => undefined), TOKEN_MS).unref();
    const { keyring, health, metrics } = this.ports;
    const args = ["--keyring", `127.0.0.1:${keyring}`, "--keyring-key", join(this.folder, "keyring", "keyring.pub")];
    args.push("--token-file", this.#token, "--bind-address", "127.0.0.1");
    args.push("--health-port", String(health), "--metrics-port", String(metrics));
    this.#operator = this.#start("zopp-operator", args);
    await this.#operator.healthy(health);
    return this.#typed("zopp-operator", args);
  }

  /** Ends every process and removes the folder. A second call does nothing. */
  async stop(): Promise<void> {
    clearInterval(this.#refresh);
    await this.#operator?.stop();
    await this.#keyring?.stop();
    await this.#client?.close();
    await this.#controlPlane?.stop();
    this.#removed();
    process.off("exit", this.#removed);
  }

  get #token(): string {
    return join(this.folder, "operator", "token");
  }

  async #writeToken(): Promise<void> {
    writeFileSync(this.#token, await there(this.#pod, "pod").token(), { mode: 0o600 });
  }

  #start(name: keyof Programs, args: readonly string[]): Child {
    return new Child({ name, main: this.#programs[name], args, env: { KUBECONFIG: this.controlPlane.kubeconfig } });
  }

  /** The command line as somebody in alice's checkout types it. */
  #typed(name: string, args: readonly string[]): string {
    return `${[name, ...args].join(" ").replaceAll(`${this.folder}/`, "../../")} &`;
  }

  #wrap(name: string, main: string): void {
    const file = join(this.bin, name);
    writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
    chmodSync(file, 0o755);
  }
}

function there<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new TypeError(`the stage has no ${name} yet`);
  return value;
}
