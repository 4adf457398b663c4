import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { packageRoot } from "./package-root.js";

const root = packageRoot();
const BIOME = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");

/** What biome says of files, by their paths in the checkout: in a folder of their own, under the checkout's rules. */
async function lint(files: Readonly<Record<string, string>>): Promise<{ code: number; text: string }> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-lint-"));
  try {
    copyFileSync(join(root, "biome.json"), join(folder, "biome.json"));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return await runBiome(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runBiome(folder: string): Promise<{ code: number; text: string }> {
  const args = [BIOME, "lint", "--vcs-enabled=false", "--reporter=github", "--max-diagnostics=none", folder];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part) => (text += part));
  const code = await new Promise<number>((done) => child.once("close", (exitCode) => done(exitCode ?? 1)));
  return { code, text };
}

/** A snippet as if it were the file `path`. */
const lintAs = (path: string, snippet: string) => lint({ [path]: snippet });

const importing = (from: string) => `import { a } from "${from}";\nconsumeIt(a);\n`;

const REFUSED_IMPORTS: readonly (readonly [file: string, from: string])[] = [
  ["crds/a.ts", "../operator/kube/client.js"],
  ["crds/policy/a.ts", "../../operator/log.js"],
  ["crds/crypto/primitives.ts", "../../operator/log.js"],
  ["crds/policy/a.ts", "../../cli/main.js"],
  ["crds/policy/a.ts", "../../hack/fixtures.js"],
  ["operator/kube/a.ts", "../keyring/client.js"],
  ["operator/kube/a.ts", "../controllers/secret.js"],
  ["operator/kube/a.ts", "../log.js"],
  ["operator/kube/a.ts", "../metrics.js"],
  ["operator/kube/a.ts", "../../cli/main.js"],
  ["operator/kube/a.ts", "../../hack/eventually.js"],
  ["operator/keyring/a.ts", "../controllers/secret.js"],
  ["operator/keyring/a.ts", "../config.js"],
  ["operator/keyring/a.ts", "../../cli/main.js"],
  ["operator/keyring/a.ts", "../../hack/fixtures.js"],
  ["operator/controllers/a.ts", "../keyring/server.js"],
  ["operator/controllers/a.ts", "../main.js"],
  ["operator/controllers/a.ts", "../../cli/store/cluster.js"],
  ["operator/controllers/a.ts", "../../hack/fixtures.js"],
  ["operator/log.ts", "./kube/client.js"],
  ["operator/health.ts", "./config.js"],
  ["operator/metrics.ts", "../hack/fixtures.js"],
  ["operator/main.ts", "./keyring/server.js"],
  ["operator/main.ts", "../cli/main.js"],
  ["cli/a.ts", "../operator/controllers/secret.js"],
  ["cli/commands/a.ts", "../../operator/keyring/server.js"],
  ["cli/audit/a.ts", "../../operator/keyring/log.js"],
  ["cli/commands/a.ts", "../../operator/config.js"],
  ["cli/commands/a.ts", "../../hack/fixtures.js"],
  ["operator/kube/a.test.ts", "../../cli/main.js"],
];

for (const [file, from] of REFUSED_IMPORTS) {
  t.test(`${file} may not import ${from}`, async (t) => {
    const { code, text } = await lintAs(file, importing(from));
    t.match(text, /lint\/style\/noRestrictedImports/);
    t.equal(code, 1);
  });
}

const ALLOWED_IMPORTS: readonly (readonly [file: string, from: string])[] = [
  ["crds/policy/a.ts", "../crypto/keys.js"],
  ["operator/kube/a.ts", "../../crds/errors.js"],
  ["operator/kube/a.ts", "./client.js"],
  ["operator/keyring/a.ts", "../kube/client.js"],
  ["operator/keyring/a.ts", "./server.js"],
  ["operator/keyring/a.ts", "../log.js"],
  ["operator/controllers/a.ts", "../keyring/client.js"],
  ["operator/controllers/a.ts", "../keyring/client.types.js"],
  ["operator/main.ts", "./keyring/client.js"],
  ["operator/main.ts", "./controllers/secret.js"],
  ["cli/commands/a.ts", "../../operator/keyring/client.js"],
  ["cli/audit/a.ts", "../../operator/keyring/replay.js"],
  ["cli/commands/a.ts", "../../operator/kube/client.js"],
  ["cli/commands/a.ts", "../store/cluster.js"],
  ["crds/policy/a.test.ts", "../../hack/fixtures.js"],
  ["operator/kube/a.test.ts", "../../hack/control-plane/control-plane.js"],
];

for (const [file, from] of ALLOWED_IMPORTS) {
  t.test(`${file} may import ${from}`, async (t) => {
    const { code, text } = await lintAs(file, importing(from));
    t.equal(code, 0, text);
  });
}

const lines = (count: number) => "  consumeIt();\n".repeat(count);

const REFUSED: readonly (readonly [title: string, file: string, snippet: string, rule: string])[] = [
  ["crds takes nothing from Node", "crds/a.ts", importing("node:fs"), "noNodejsModules"],
  ["crds has no Buffer", "crds/a.ts", "export const a = Buffer.from([]);\n", "noRestrictedGlobals"],
  ["the operator does not write past its log", "operator/a.ts", "console.log(1);\n", "noConsole"],
  ["nothing is exported by default", "cli/a.ts", "export default 1;\n", "noDefaultExport"],
  [
    "a file that only passes on is a barrel",
    "operator/kube/index.ts",
    'export * from "./client.js";\n',
    "noBarrelFile",
  ],
  [
    "a function has at most 60 lines",
    "cli/a.ts",
    `export function a() {\n${lines(61)}}\n`,
    "noExcessiveLinesPerFunction",
  ],
  ["a file has at most 300 lines", "cli/a.ts", lines(301), "noExcessiveLinesPerFile"],
];

for (const [title, file, snippet, rule] of REFUSED) {
  t.test(`${title}: ${file}`, async (t) => {
    const { code, text } = await lintAs(file, snippet);
    t.match(text, new RegExp(`lint/\\w+/${rule}`));
    t.equal(code, 1);
  });
}

const ALLOWED: readonly (readonly [title: string, file: string, snippet: string, rule: string])[] = [
  ["one file of crds speaks to Node", "crds/crypto/primitives.ts", importing("node:crypto"), "noNodejsModules"],
  ["tests of crds may read files", "crds/a.test.ts", importing("node:fs"), "noNodejsModules"],
  ["crds has the one index", "crds/index.ts", 'export * from "./errors.js";\n', "noBarrelFile"],
  ["tests may be long", "cli/a.test.ts", `export function a() {\n${lines(61)}}\n`, "noExcessiveLinesPerFunction"],
];

for (const [title, file, snippet, rule] of ALLOWED) {
  t.test(`${title}: ${file}`, async (t) => {
    const { code, text } = await lintAs(file, snippet);
    t.notMatch(text, new RegExp(rule));
    t.equal(code, 0, text);
  });
}

const TOGETHER: readonly (readonly [title: string, files: Readonly<Record<string, string>>, rule: string])[] = [
  [
    "files may not import each other in a circle",
    {
      "a.ts": 'import { b } from "./b.js";\nexport const a = () => b();\n',
      "b.ts": 'import { a } from "./a.js";\nexport const b = () => a();\n',
    },
    "noImportCycles",
  ],
  [
    "nor do imports of types alone",
    {
      "a.ts": 'import type { B } from "./b.js";\nexport type A = B | null;\n',
      "b.ts": 'import type { A } from "./a.js";\nexport type B = { readonly a: A };\n',
    },
    "noImportCycles",
  ],
  [
    "a promise is awaited or given on",
    {
      "a.ts": "export async function a(): Promise<void> {}\n",
      "b.ts": 'import { a } from "./a.js";\nexport function b(): void {\n  a();\n}\n',
    },
    "noFloatingPromises",
  ],
];

for (const [title, files, rule] of TOGETHER) {
  t.test(title, async (t) => {
    const { code, text } = await lint(files);
    t.match(text, new RegExp(`lint/\\w+/${rule}`));
    t.equal(code, 1);
  });
}
