// Owns one shell that stays open, so that the commands of a document run one after the other as in a reader's terminal.
// Does not own which commands, nor what is around them.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { PLAIN_NODE } from "../child.js";

/** Stands after the output of each step; no program prints it. */
const MARK = "\u0001";
/** Ends what is typed; no document has such a line. */
const END = "END-OF-THIS-STEP";
const STEP_MS = 120_000;
const BEGIN = `${PLAIN_NODE}set -eo pipefail\nexec 2>&1\n`;

/** Where commands are typed. */
export interface TerminalOptions {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** A command that runs the one after it elsewhere, such as `node dist/hack/cluster/main.js exec --`. */
  readonly within?: readonly string[];
}

/** A shell: variables and the folder stay from step to step. It ends at the first command that fails. Live until `close()`. */
export class Terminal {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #ended: Promise<void>;
  #text = "";
  #told: () => void = () => undefined;

  constructor({ folder, env, within = [] }: TerminalOptions) {
    const [program = "bash", ...args] = [...within, "bash", "-s"];
    this.#process = spawn(program, args, { cwd: folder, env, stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdout.setEncoding("utf8").on("data", (part: string) => {
      this.#text += part;
      if (this.#text.includes(MARK)) this.#told();
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#process.once("error", reject).once("close", () => resolve());
    });
    // it may have ended before it is told to
    this.#process.stdin.on("error", () => undefined).write(BEGIN);
  }

  /** Types commands and gives what they print. Throws what was printed when one of them fails, or takes too long. */
  async type(text: string): Promise<string> {
    this.#text = "";
    const told = new Promise<void>((resolve) => {
      this.#told = resolve;
    });
    // read as a whole, so that an open quote is an error, and commands do not read what is typed after them
    this.#process.stdin.write(`eval "$(cat <<'${END}'\n${text}\n${END}\n)" </dev/null\nprintf '\\001'\n`);
    const late = setTimeout(() => this.#process.kill("SIGKILL"), STEP_MS);
    await Promise.race([told, this.#ended]);
    clearTimeout(late);
    const [printed = ""] = this.#text.split(MARK);
    if (!this.#text.includes(MARK)) throw new Error(`these commands failed:\n${text}\nthey printed:\n${printed}`);
    return printed;
  }

  /** Ends the shell. */
  async close(): Promise<void> {
    this.#process.stdin.end();
    await this.#ended;
  }
}
