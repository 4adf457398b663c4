// What Argo CD's own interpreter makes of the health script, for each case that its upstream layout lists.
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { parse } from "yaml";
import { EXAMPLES } from "./argocd.js";
import { ARGOCD, gitOpsTool, whyNot } from "./programs.js";

interface HealthTests {
  readonly tests: readonly {
    readonly inputPath: string;
    readonly healthStatus: { readonly status: string; readonly message: string };
  }[];
}

const read = (...path: string[]) => readFileSync(join(EXAMPLES, ...path), "utf8");
const KINDS = ["ZoppEnvironment", "ZoppSecret", "ZoppWorkspace"];
const folderOf = (kind: string) => join("resource_customizations", "zopp.dev", kind);

t.test("every kind that lies in git has the script, in argocd-cm and as upstream keeps it", async (t) => {
  const { data } = parse(read("argocd-cm.yaml")) as { data: Record<string, string> };
  const scripts = globSync("resource_customizations/**/health.lua", { cwd: EXAMPLES }).sort();
  t.strictSame(
    scripts,
    KINDS.map((kind) => join(folderOf(kind), "health.lua")),
  );
  t.strictSame(
    Object.keys(data).sort(),
    KINDS.map((kind) => `resource.customizations.health.zopp.dev_${kind}`),
  );
  for (const script of [...scripts.map((path) => read(path)), ...Object.values(data)])
    t.equal(script, data[Object.keys(data)[0] ?? ""]);
});

const why = whyNot(ARGOCD);
if (why !== null) console.error(why);
for (const kind of KINDS) {
  t.test(`Argo CD judges a ${kind} as its cases say`, { skip: why ?? false }, async (t) => {
    const program = join(await gitOpsTool(ARGOCD), "argocd");
    const { tests } = parse(read(folderOf(kind), "health_test.yaml")) as HealthTests;
    for (const { inputPath, healthStatus } of tests) {
      const path = join(EXAMPLES, folderOf(kind), inputPath);
      const args = ["admin", "settings", "resource-overrides", "health", path];
      args.push("--argocd-cm-path", join(EXAMPLES, "argocd-cm.yaml"));
      const { stdout } = await promisify(execFile)(program, args, {
        env: { ...process.env, ARGOCD_BINARY_NAME: "argocd" },
      });
      t.equal(stdout, `STATUS: ${healthStatus.status}\nMESSAGE: ${healthStatus.message}\n`, inputPath);
    }
  });
}
