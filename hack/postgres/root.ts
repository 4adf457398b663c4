// Owns the files of a container with a PostgreSQL server, psql and a shell, of Debian's packages: for tests and the example.
// Does not own running them, nor the image of them.
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { inCache } from "../cache.js";
import { ensureDebian } from "../debian.js";
import { output } from "../images/buildah.js";
import { oneAtATime } from "../one-at-a-time.js";
import { packageRoot } from "../package-root.js";

/** Told what is made and how long it takes. */
type Tell = (line: string) => void;

const SUITE = "bookworm";
const VERSION = "15";
const PACKAGES = [`postgresql-${VERSION}`, `postgresql-client-${VERSION}`, "dash", "coreutils", "sed"];
const TOOLS = { mmdebstrap: "mmdebstrap" } as const;

const BIN = `/usr/lib/postgresql/${VERSION}/bin`;
/** Who runs there: no rights, and the owner of nothing but its data. */
export const NOBODY = 65532;
/** What a program has in its environment there. */
export const PATH = `${BIN}:/bin`;

const PROGRAMS = [
  ...["postgres", "initdb", "pg_ctl", "psql"].map((name) => `${BIN}/${name}`),
  ...["dash", "cat", "mkdir", "rm", "sed", "sleep"].map((name) => `/bin/${name}`),
];
/** What the programs load by name, besides the libraries that they are linked with. */
const KEPT = [
  `usr/lib/postgresql/${VERSION}/lib/{plpgsql,dict_snowball}.so`,
  `usr/share/postgresql/${VERSION}/**`,
  "usr/share/zoneinfo/UTC",
  "usr/share/doc/*/copyright",
];
const SCRIPTS = {
  "bin/start": "hack/postgres/start.sh",
  "bin/rotate": "examples/postgres/rotate.sh",
  "setup.sql": "examples/postgres/setup.sql",
};
const FILES = {
  "etc/passwd": `root:x:0:0:root:/root:/sbin/nologin\npostgres:x:${NOBODY}:${NOBODY}:postgres:/tmp:/sbin/nologin\n`,
  "etc/group": `root:x:0:\npostgres:x:${NOBODY}:\n`,
  "etc/nsswitch.conf": "hosts: files dns\n",
};

/** Lays out a container's root in a folder: the packages' files, with the example's and the entry point's. */
export async function layOutPostgres(root: string, log?: Tell): Promise<void> {
  await output("cp", ["--archive", await debianFiles(log), root]);
  for (const [file, source] of Object.entries(SCRIPTS)) copyFileSync(join(packageRoot(), source), join(root, file));
  chmodSync(join(root, "bin/start"), 0o755);
  chmodSync(join(root, "bin/rotate"), 0o755);
}

async function debianFiles(log: Tell = console.error): Promise<string> {
  const recipe = createHash("sha256")
    .update(readFileSync(import.meta.filename))
    .digest("hex")
    .slice(0, 12);
  const folder = inCache(process.env, "postgres", `${VERSION}-${recipe}`);
  const root = join(folder, "root");
  const wait = (pid: number) => log(`process ${pid} gets PostgreSQL: waiting for it`);
  await oneAtATime(join(folder, ".lock"), wait, async () => {
    if (existsSync(root)) return;
    await ensureDebian(TOOLS, { log });
    log("getting PostgreSQL of Debian's packages with mmdebstrap: about 20 s, once");
    const made = mkdtempSync(join(folder, "made-"));
    try {
      await unpack(made);
      renameSync(join(made, "root"), root);
    } finally {
      rmSync(made, { recursive: true });
    }
  });
  return root;
}

/** Takes out of the packages what a server and a shell need: a tenth of them. */
async function unpack(folder: string): Promise<void> {
  const [all, root] = [join(folder, "all"), join(folder, "root")];
  // nothing of them is run: they are unpacked, with all that they depend on
  const how = ["--quiet", "--variant=extract", `--include=${PACKAGES}`];
  await output("mmdebstrap", [...how, "--format=directory", SUITE, all]);
  const keep = (file: string) => {
    if (statSync(join(all, file)).isDirectory()) return;
    mkdirSync(dirname(join(root, file)), { recursive: true });
    copyFileSync(join(all, file), join(root, file));
  };
  for (const pattern of KEPT) globSync(pattern, { cwd: all }).forEach(keep);
  const [loader = ""] = globSync("lib*/ld-linux-*", { cwd: all });
  keep(loader);
  for (const program of PROGRAMS) {
    keep(program);
    const linked = await output("chroot", [all, `/${loader}`, "--list", program]);
    for (const [, library = ""] of linked.matchAll(/ => (\/\S+)/g)) keep(library);
  }
  renameSync(join(root, "bin/dash"), join(root, "bin/sh"));
  // all of it is read-only where it runs: mounts come over these
  for (const mount of ["admin", "data", "dev", "proc", "tmp", "zopp"]) mkdirSync(join(root, mount));
  mkdirSync(join(root, "etc"));
  for (const [file, text] of Object.entries(FILES)) writeFileSync(join(root, file), text);
}
