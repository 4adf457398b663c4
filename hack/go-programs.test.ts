import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type GoPrograms, goFolder, goPrograms } from "./go-programs.js";

const go = spawnSync("go", ["env", "GOCACHE"], { encoding: "utf8" });
const skip = go.status === 0 ? false : "there is no Go here";

/** A module of one small program, and an environment whose cache is empty. */
function smallModule(t: Test): { readonly wanted: GoPrograms; readonly env: NodeJS.ProcessEnv } {
  const folder = mkdtempSync(join(tmpdir(), "zopp-go-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const module = join(folder, "module");
  mkdirSync(module);
  writeFileSync(join(module, "go.mod"), "module small\n\ngo 1.24\n");
  writeFileSync(
    join(module, "main.go"),
    'package main\n\nvar version string\n\nfunc main() { print("small ", version) }\n',
  );
  const programs = [{ name: "small", goPackage: "small", minutes: 0.1, megabytes: 2 }];
  const wanted = { title: "Small", name: "small", version: "1.0", module, ldflags: "-X main.version=1.0", programs };
  return { wanted, env: { ...process.env, GOCACHE: go.stdout.trim(), XDG_CACHE_HOME: join(folder, "cache") } };
}

t.test("a program is built once, also when two ask at the same time, and then found", { skip }, async (t) => {
  const { wanted, env } = smallModule(t);
  const lines: string[] = [];
  const ask = () => goPrograms(wanted, { env, log: (line) => lines.push(line) });
  const [one, two] = await Promise.all([ask(), ask()]);
  t.equal(one, goFolder(wanted, env));
  t.equal(two, one);
  t.equal(spawnSync(join(one, "small")).stderr.toString(), "small 1.0", "with the settings of the linker");
  t.equal(lines.filter((line) => line.startsWith("built small")).length, 1);
  t.match(lines, [/building small of Small 1\.0 .*about 1 min/]);
  t.match(lines.join("\n"), new RegExp(`process ${process.pid} builds programs of Small: waiting for it`));
  lines.length = 0;
  await ask();
  t.strictSame(lines, [], "nothing is said where nothing is done");
  t.strictSame(readdirSync(one), ["small"], "no lock and no half-built program is left");
});

t.test("the lock of a builder that was killed hinders nobody", { skip }, async (t) => {
  const { wanted, env } = smallModule(t);
  const folder = goFolder(wanted, env);
  mkdirSync(folder, { recursive: true });
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  writeFileSync(join(folder, ".lock"), String(pid));
  t.equal(await goPrograms(wanted, { env, log: () => undefined }), folder);
  t.strictSame(readdirSync(folder), ["small"]);
});
