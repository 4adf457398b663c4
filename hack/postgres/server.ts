// Owns a PostgreSQL server on this machine and programs beside it, as containers would have them: a root of their own that
// is read-only, a user without rights. Network and processes are the machine's.
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../child.js";
import { freePort } from "../control-plane/processes.js";
import { eventually } from "../eventually.js";
import { type ProgramResult, runProgram } from "../run-program.js";
import { layOutPostgres, NOBODY, PATH } from "./root.js";

/** Files that programs are shown, by their path below the mount. */
type Files = Readonly<Record<string, string>>;

/** The mounts end with the process, which has no terminal: `\password` of psql would ask there. */
const IN_ROOT = `root=$1 mounts=$2; shift 2
mount --bind "$root" "$root" && mount --rbind /dev "$root/dev" && mount --rbind /proc "$root/proc" &&
for mount in "$mounts"/*; do mount --bind "$mount" "$root/\${mount##*/}" || exit 1; done &&
mount -o remount,bind,ro "$root" &&
exec env -i PATH="${PATH}" PGHOST=/tmp "$(command -v setsid)" --wait "$(command -v chroot)" --userspec=${NOBODY}:${NOBODY} "$root" "$@"`;

const WHO = "SELECT session_user || ' as ' || current_user";

/** A server that `examples/postgres/setup.sql` has set up. Live until `stop()`. */
export class PostgresServer {
  readonly #folder = mkdtempSync(join(tmpdir(), "zopp-postgres-"));
  readonly #port: number;
  readonly #admin: string;
  #child: Child | undefined;

  private constructor(port: number, admin: string) {
    this.#port = port;
    this.#admin = admin;
  }

  /** Starts one whose role `rotator` has that password. */
  static async start(admin: string, log: (line: string) => void): Promise<PostgresServer> {
    const server = new PostgresServer(await freePort(), admin);
    try {
      await server.#begin(log);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async #begin(log: (line: string) => void): Promise<void> {
    await layOutPostgres(join(this.#folder, "root"), log);
    const mounts = this.#mounts("server", { "admin/password": this.#admin });
    const [unshare = "", ...args] = this.#inRoot(mounts);
    const server = ["/bin/start", `--port=${this.#port}`, "--listen_addresses=127.0.0.1", "--log_statement=all"];
    const child = new Child({ name: "postgres", main: "/bin/sh", args: server, node: [unshare, ...args] });
    this.#child = child;
    await eventually(
      async () => {
        child.refuseDead();
        return (await this.query("SELECT 1")) === "1";
      },
      { timeoutMs: 60_000, message: "the server answers" },
    );
  }

  /** Everything that the server has logged, which is each statement that it was asked. */
  get log(): string {
    return this.#child?.lines.join("\n") ?? "";
  }

  /** The URL by which the role `rotator` connects; with another password where one is given. */
  adminUrl(password = this.#admin): string {
    return `postgres://rotator:${encodeURIComponent(password)}@127.0.0.1:${this.#port}/shop`;
  }

  /** Runs a container's command with these files below `/zopp`. */
  run(command: readonly string[], files: Files = {}): Promise<ProgramResult> {
    const mounts = this.#mounts("job", Object.fromEntries(Object.entries(files).map(([k, v]) => [`zopp/${k}`, v])));
    return runProgram([...this.#inRoot(mounts), ...command], { env: process.env });
  }

  /** What a superuser is answered in the database, without a heading. */
  async query(sql: string): Promise<string> {
    // its socket is in the server's own /tmp
    const command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", `--port=${this.#port}`];
    const line = [...this.#inRoot(join(this.#folder, "server")), ...command, "-U", "postgres", "-c", sql, "shop"];
    const { code, stdout, stderr } = await runProgram(line, { env: process.env });
    if (code !== 0) throw new Error(`psql ended with ${code}: ${stderr}`);
    return stdout.trim();
  }

  /** Makes a connection as a client does that has this user and password; gives what psql said, by default who it is. */
  connect(user: string, password: string, sql = WHO): Promise<ProgramResult> {
    const service = `[shop]\nhost=127.0.0.1\nport=${this.#port}\ndbname=shop\nuser=${user}\npassword=${password}\n`;
    const psql = ["psql", "--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "-c", sql, "service=shop"];
    const command = ["sh", "-c", 'PGSERVICEFILE=/zopp/service exec "$@"', "sh", ...psql];
    return this.run(command, { service });
  }

  #inRoot(mounts: string): readonly string[] {
    return ["unshare", "--mount", "sh", "-c", IN_ROOT, "sh", join(this.#folder, "root"), mounts];
  }

  /** A folder whose folders are mounted: these files, and two that the program may write to. */
  #mounts(name: string, files: Files): string {
    const folder = join(this.#folder, name);
    for (const mount of ["zopp", "admin"]) rmSync(join(folder, mount), { recursive: true, force: true });
    for (const mount of ["zopp/new", "zopp/old", "admin", "tmp", "data"])
      mkdirSync(join(folder, mount), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    for (const mount of ["tmp", "data"]) chownSync(join(folder, mount), NOBODY, NOBODY);
    return folder;
  }

  /** Ends the server, and removes all of it. */
  async stop(): Promise<void> {
    // at once, whoever is connected
    await this.#child?.stop("SIGINT");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
