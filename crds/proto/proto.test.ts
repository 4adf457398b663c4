// Generated messages are those of the proto files, and the proto files keep to buf's rules.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { packageRoot } from "../../hack/package-root.js";

const ROOT = packageRoot();
const BUF = join(ROOT, "node_modules", ".bin", "buf");

function buf(...args: string[]): string {
  const { status, stderr, stdout } = spawnSync(BUF, args, { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? "ok" : `${stdout}${stderr}`;
}

function filesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

t.test("what is committed is what buf generates", async (t) => {
  const out = t.testdir();
  t.equal(buf("generate", "--output", out), "ok");
  const made = filesIn(join(out, "crds", "proto", "gen"));
  t.equal(Object.keys(made).length, 4);
  t.same(filesIn(join(ROOT, "crds", "proto", "gen")), made, "run `npx buf generate`");
});

t.test("the proto files pass buf's lint", async (t) => {
  t.equal(buf("lint"), "ok");
});
