// A workbench for tests: temporary folders, people with identities of their own, and command lines run in process.
// Real cryptography, stores and files; only clock, terminal and the cost of passphrases are given.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import type { Identity } from "../crds/crypto/identity.js";
import { amendWorkspace, type Signing, type WorkspaceContent, workspaceContent } from "../crds/policy/edit.js";
import type { Principal, ZoppWorkspace } from "../crds/types.gen.js";
import type { Context } from "./context.js";
import { loadIdentity, makeIdentity } from "./identity.js";
import { runCli } from "./run.js";
import { openDirectory } from "./store/directory.js";
import { change } from "./store/store.js";

/** What one run gave. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** stdout, byte for byte. */
  readonly bytes: Buffer;
}

/** How one run differs from the usual. */
export interface RunOptions {
  /** Whose identity directory; alice's unless said otherwise. */
  readonly as?: string;
  readonly stdin?: string | Uint8Array;
  /** Answers of a person at a terminal, in order; absent = nobody is there. */
  readonly answers?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A folder with people and a checkout. Removed with the test. */
export class Workbench {
  readonly folder: string;
  /** The checkout in which commands run. */
  readonly checkout: string;
  #now = new Date(Math.floor(Date.now() / 1000) * 1000);

  constructor(t: Pick<Test, "teardown">) {
    this.folder = mkdtempSync(join(tmpdir(), "zopp-cli-"));
    this.checkout = join(this.folder, "checkout");
    mkdirSync(this.checkout);
    writeFileSync(join(this.folder, "passphrase"), "correct horse\n");
    t.teardown(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** The clock of this workbench; each run sees a later second. */
  get now(): Date {
    return this.#now;
  }

  tick(seconds = 1): void {
    this.#now = new Date(this.#now.getTime() + seconds * 1000);
  }

  /** Runs `zopp` with these words. */
  async run(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const out: Buffer[] = [];
    let err = "";
    this.tick();
    const code = await runCli({
      ...this.context(options),
      argv: words,
      stdout: { write: (chunk) => void out.push(Buffer.from(chunk)) },
      stderr: {
        write: (chunk) => {
          err += Buffer.from(chunk).toString("utf8");
        },
      },
    });
    const bytes = Buffer.concat(out);
    return { code, out: bytes.toString("utf8"), err, bytes };
  }

  /** Runs `zopp` and throws its error text unless it succeeds. */
  async must(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await this.run(words, options);
    if (ran.code !== 0) throw new Error(`zopp ${words.join(" ")} ended with ${ran.code}: ${ran.err}${ran.out}`);
    return ran;
  }

  /** The world that a run sees. */
  context({ as = "alice", stdin = "", answers, env = {}, cwd = this.checkout }: RunOptions = {}): Context {
    const left = [...(answers ?? [])];
    const answer = async (): Promise<string> => left.shift() ?? "";
    return {
      argv: [],
      env: { ...this.environmentOf(as), ...env },
      cwd,
      stdin: Object.assign(once(stdin), { isTTY: answers !== undefined }),
      stdout: { write: () => undefined },
      stderr: { write: () => undefined },
      terminal: () => (answers === undefined ? undefined : { ask: answer, askHidden: answer }),
      now: () => this.#now,
      workFactor: 4,
    };
  }

  /** The environment variables of a person: an identity directory and a passphrase, and nothing of this process. */
  environmentOf(person: string): Record<string, string> {
    const home = join(this.folder, "people", person);
    return {
      HOME: home,
      ZOPP_HOME: join(home, ".zopp"),
      USER: person,
      ZOPP_PASSPHRASE_FILE: join(this.folder, "passphrase"),
    };
  }

  /** `zopp init acme/shop/dev` by alice; gives the pin. */
  async init(...more: string[]): Promise<string> {
    const recovery = join(this.folder, "recovery.txt");
    const ran = await this.must([
      "init",
      "acme/shop/dev",
      "--device",
      "laptop",
      "--recovery-file",
      recovery,
      "-o",
      "json",
      ...more,
    ]);
    return (JSON.parse(ran.out) as { pin: string }).pin;
  }

  /** A person with an identity and the pin, whom the policy does not name yet. */
  async person(name: string, pin?: string): Promise<Identity> {
    const made = await makeIdentity(this.context({ as: name }));
    made.save();
    if (pin !== undefined) await this.must(["trust", pin], { as: name });
    return made.identity;
  }

  /** A person or service with an identity, whom alice admits by what `whoami` prints there; gives that file's name. */
  async admit(name: string, pin: string, ...more: readonly string[]): Promise<string> {
    await this.person(name, pin);
    const { out } = await this.must(["whoami", "-o", "json"], { as: name });
    const file = join(this.folder, `${name}.json`);
    writeFileSync(file, out);
    await this.must(["principal", "add", name, "--from", file, ...more]);
    return file;
  }

  identity(name = "alice"): Promise<Identity> {
    return loadIdentity(this.context({ as: name }));
  }

  /** acme/shop/production in a namespace, read directly, where one of these people approves; the first has approved it. */
  async production(namespace: string, approvers: readonly [string, ...string[]]): Promise<void> {
    const rules = ["--approvals", "1", ...approvers.flatMap((name) => ["--approver", name])];
    await this.must(["environment", "create", "shop/production", "-n", namespace, "--access", "direct", ...rules]);
    await this.must(["approve", "-e", "shop/production"], { as: approvers[0] });
  }

  /** Alice (or those who are named) signs a change of the workspace that no command makes yet. */
  async amend(make: (content: WorkspaceContent) => WorkspaceContent, signers?: Signing): Promise<ZoppWorkspace> {
    this.tick();
    const signing = signers ?? { signingKeys: [(await this.identity()).signing], now: this.#now };
    const store = openDirectory({ root: join(this.checkout, "zopp"), cwd: this.checkout });
    let next: ZoppWorkspace | undefined;
    const amended = (present: ZoppWorkspace | undefined): ZoppWorkspace => {
      if (present === undefined) throw new Error("no workspace");
      next = amendWorkspace(present, make(workspaceContent(present)), signing);
      return next;
    };
    await store.write([change("ZoppWorkspace", { name: "acme" }, amended)]);
    if (next === undefined) throw new Error("not amended");
    return next;
  }

  path(file: string): string {
    return join(this.checkout, file);
  }

  read(file: string): string {
    return readFileSync(this.path(file), "utf8");
  }

  write(file: string, text: string, mode = 0o644): void {
    writeFileSync(this.path(file), text);
    chmodSync(this.path(file), mode);
  }

  /** Every file below the workbench, for tests that look for what must not be there. */
  files(): string[] {
    return readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  }
}

async function* once(input: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.from(input);
}

/** A principal's line in policy for an identity. */
export function principalOf(
  name: string,
  { signing, encryption }: Identity,
  kind: "person" | "service" = "person",
): Principal {
  const keys = { signingKey: signing.verifyKey.text, encryptionKey: encryption.publicKey.text };
  return { name, kind, devices: [{ name: "laptop", ...keys }] };
}

/** Runs git in the workbench's checkout, as alice and whatever this machine's own settings are; gives what it prints. */
export function git(bench: Workbench, ...args: readonly string[]): string {
  const who = [
    "-c",
    "user.name=alice",
    "-c",
    "user.email=alice@example.com",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "init.defaultBranch=main",
  ];
  return execFileSync("git", [...who, ...args], {
    cwd: bench.checkout,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
}
