// What a release is made of, used as its users do: npm and krew install it, Helm shows it, sums are checked.
// The images are images/images.test.ts'.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import t from "tap";
import { parse } from "yaml";
import { VERSION } from "../../crds/version.js";
import { findBinaries } from "../control-plane/binaries.js";
import { findProgram } from "../executables.js";
import { goPrograms } from "../go-programs.js";
import { packageRoot } from "../package-root.js";
import { helmProgram, packChart } from "./chart.js";
import { krewManifest } from "./krew.js";
import { notesOf } from "./notes.js";
import { packNpm } from "./npm.js";
import { writeSums } from "./sums.js";

const ROOT = packageRoot();
const ours = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const log = (line: string): void => console.error(line);
const noGo = findProgram("go", process.env["PATH"]) === undefined && "no Go: krew and Helm are not tried";

// not in the checkout: npm installs into the nearest folder above that has a package.json
const folder = mkdtempSync(join(tmpdir(), "zopp-release-"));
t.teardown(() => rmSync(folder, { recursive: true }));
const at = (...parts: string[]): string => join(folder, ...parts);
for (const name of ["one", "two", "empty", "home"]) mkdirSync(at(name));
const archive = await packNpm(ROOT, at("one"));
const { kubectl } = await findBinaries({ log });

/** Runs a command of a person who has Node 24, kubectl and what is first in PATH, and nothing of this checkout. */
function run(command: string, args: readonly string[], first = "", more: NodeJS.ProcessEnv = {}): string {
  const path = [first, dirname(process.execPath), dirname(kubectl), "/usr/bin", "/bin"].filter((part) => part !== "");
  const env = { PATH: path.join(delimiter), HOME: at("home"), ...more };
  return execFileSync(command, args, { cwd: at("empty"), env, encoding: "utf8" });
}

t.test("the npm package installs from its tarball alone, and is zopp, npx zopp and kubectl zopp", async (t) => {
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", archive]);
  const bin = at("empty", "node_modules", ".bin");
  t.equal(run("npx", ["--offline", "zopp", "--version"]), `${VERSION}\n`);
  t.equal(run("zopp", ["--version"], bin), `${VERSION}\n`);
  t.equal(run("kubectl", ["zopp", "--version"], bin), `${VERSION}\n`);
  writeFileSync(at("passphrase"), "correct horse\n", { mode: 0o600 });
  const more = { ZOPP_PASSPHRASE_FILE: at("passphrase"), USER: "alice" };
  run("zopp", ["init", "acme/shop/dev", "--recovery-file", at("recovery.txt")], bin, more);
  writeFileSync(at("empty", "value"), "hunter2");
  run("zopp", ["set", "api", "K", "--from-file", "value"], bin, more);
  t.equal(run("zopp", ["get", "api", "K"], bin, more), "hunter2");
  t.match(run("zopp", ["verify"], bin, more), "verified 1 bundle");
});

t.test(
  "the npm package holds the program and its licenses, needs no other package, and runs nothing when installed",
  async (t) => {
    const files = run("tar", ["-tzf", archive]).trim().split("\n");
    const named = files.filter((file) => !file.startsWith("package/parts/"));
    t.strictSame(named.toSorted(), [
      "package/LICENSE",
      "package/README.md",
      "package/cli.mjs",
      "package/licenses.txt",
      "package/package.json",
    ]);
    t.ok(files.every((file) => /^package\/(parts\/)?[-.\w]+$/.test(file)));
    t.strictSame(JSON.parse(run("tar", ["-xzOf", archive, "package/package.json"])), {
      name: "zopp",
      version: VERSION,
      description: ours.description,
      license: "Apache-2.0",
      type: "module",
      engines: { node: ">=24.7" },
      bin: { zopp: "cli.mjs", "kubectl-zopp": "cli.mjs" },
    });
    t.match(run("tar", ["-xzOf", archive, "package/cli.mjs"]), /^#!\/usr\/bin\/env node\n/);
    t.equal(ours.private, true, "the checkout itself cannot be published by mistake");
  },
);

t.test("the same sources give the same npm package", async (t) => {
  t.ok(readFileSync(await packNpm(ROOT, at("two"))).equals(readFileSync(archive)));
});

t.test("krew takes the manifest, and installs the archive as kubectl zopp", { skip: noGo }, async (t) => {
  const programs = await goPrograms(
    {
      title: "krew",
      name: "krew",
      version: "0.4.3",
      module: join(ROOT, "hack", "release", "krew"),
      ldflags: "",
      programs: [
        { name: "krew", goPackage: "sigs.k8s.io/krew/cmd/krew", minutes: 0.5, megabytes: 13 },
        {
          name: "validate-krew-manifest",
          goPackage: "sigs.k8s.io/krew/cmd/validate-krew-manifest",
          minutes: 0.1,
          megabytes: 8,
        },
      ],
    },
    { env: process.env, log },
  );
  const manifest = at("zopp.yaml");
  const url = "https://zopp.dev/releases/v0";
  writeFileSync(manifest, krewManifest({ version: VERSION, archive, url, node: ours.engines.node }));
  run(join(programs, "validate-krew-manifest"), ["-manifest", manifest, "-skip-install"]);
  t.match(parse(readFileSync(manifest, "utf8")).spec.platforms, [{ uri: `${url}/zopp-cli-${VERSION}.tgz` }]);
  const more = { KREW_ROOT: at("krew") };
  run(join(programs, "krew"), ["install", "--manifest", manifest, "--archive", archive], "", more);
  t.equal(run("kubectl", ["zopp", "--version"], at("krew", "bin")), `${VERSION}\n`);
});

t.test("the chart's archive is the chart of this version", { skip: noGo }, async (t) => {
  const helm = await helmProgram(log);
  const chart = packChart(helm, { root: ROOT, out: at("one"), version: VERSION });
  t.match(parse(run(helm, ["show", "chart", chart])), { name: "zopp", version: VERSION, appVersion: VERSION });
});

t.test("every place that says the version says package.json's", async (t) => {
  const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
  const places = {
    "package-lock.json": JSON.parse(read("package-lock.json")).version,
    "crds/version.ts": VERSION,
    "helm/Chart.yaml version": parse(read("helm/Chart.yaml")).version,
    "helm/Chart.yaml appVersion": parse(read("helm/Chart.yaml")).appVersion,
    Dockerfile: /^ARG VERSION=(.*)$/m.exec(read("Dockerfile"))?.[1],
  };
  for (const [place, version] of Object.entries(places)) t.equal(version, ours.version, place);
});

t.test("the notes of a release are its section of the changelog; a tag takes no other", async (t) => {
  const changelog =
    "# Changelog\n\n## Unreleased\n\n- new\n\n## 0.2.0 (2026-12-01)\n\n- two\n\n## 0.2.0-rc.1\n\n- rc\n";
  t.equal(notesOf(changelog, "0.2.0", true), "- two\n");
  t.equal(notesOf(changelog, "0.2.0-rc.1", true), "- rc\n");
  t.equal(notesOf(changelog, "0.3.0", false), "- new\n");
  t.throws(() => notesOf(changelog, "0.3.0", true), { message: /has no section "## 0.3.0"/ });
});

t.test("a tag of another version is refused before anything is made", async (t) => {
  const main = join(ROOT, "dist", "hack", "release", "main.js");
  const { status, stderr } = spawnSync(process.execPath, [main], { env: { TAG: "v9.9.9" }, encoding: "utf8" });
  t.equal(status, 1);
  t.match(stderr, `the tag is v9.9.9, and package.json says ${VERSION}`);
});

t.test("the checksums are those of every file, as sha256sum checks them", async (t) => {
  mkdirSync(at("sums"));
  for (const name of ["b", "a"]) writeFileSync(at("sums", name), name);
  const check = () => run("sh", ["-c", `cd '${at("sums")}' && sha256sum --check --strict SHA256SUMS`]);
  writeSums(at("sums"));
  t.strictSame(writeSums(at("sums")), ["a", "b"], "and not its own");
  t.equal(check(), "a: OK\nb: OK\n");
  writeFileSync(at("sums", "a"), "other");
  t.throws(check);
});

t.test("the workflows run targets of make, and nothing else of ours", async (t) => {
  const makefile = readFileSync(join(ROOT, "Makefile"), "utf8");
  const makes = new Set([...makefile.matchAll(/^([a-z-]+):.*## /gm)].map(([, target = ""]) => target));
  for (const name of ["ci", "release"]) {
    const text = readFileSync(join(ROOT, ".github", "workflows", `${name}.yml`), "utf8");
    const jobs: Record<string, { steps: { run?: string; uses?: string }[] }> = parse(text).jobs;
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    for (const { run: line, uses } of steps) {
      if (uses !== undefined) t.match(uses, /^[\w-]+\/[\w-]+@(v\d+|[0-9a-f]{40})$/, `${name}: ${uses}`);
      if (line === undefined) continue;
      const [make, ...targets] = line.trim().split(/\s+/);
      t.ok(make === "make" && targets.length > 0 && targets.every((target) => makes.has(target)), `${name}: ${line}`);
    }
  }
});
