// What the images hold, before there is an image: the bundles are whole, always the same, and play the whole story.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { bundle, type Program } from "./bundle.js";
import { playAttacks } from "./demo/attacks.js";
import { newNarrator } from "./demo/narrate.js";
import { Scene } from "./demo/scene.js";
import { Stage } from "./demo/stage.js";
import { playStory } from "./demo/story.js";
import { packageRoot } from "./package-root.js";

const PROGRAMS: readonly Program[] = ["operator", "keyring", "cli"];
// away from node_modules: nothing is found there that is not in the bundle
const folder = t.testdir({ one: {}, two: {} });
const [one, two] = [join(folder, "one"), join(folder, "two")];
const root = packageRoot();

const contents = (out: string) =>
  globSync("**/*.{mjs,txt}", { cwd: out })
    .toSorted()
    .map((file) => [file, readFileSync(join(out, file), "utf8")] as const);

t.before(async () => {
  for (const out of [one, two]) for (const program of PROGRAMS) await bundle(root, program, out);
});

t.test("the same sources give the same bundles, byte for byte, without a path of this machine", async (t) => {
  t.strictSame(contents(one), contents(two));
  for (const [file, text] of contents(one)) t.notOk(text.includes(root), `${file} names no folder of the build`);
});

t.test("every package in a bundle is listed with the text of its license", async (t) => {
  for (const program of PROGRAMS) {
    const packages = await bundle(root, program, two);
    const licenses = readFileSync(join(two, program, "licenses.txt"), "utf8");
    const sections = new Map(licenses.split(/^==== /m).map((text) => [text.slice(0, text.indexOf(" (")), text]));
    t.match(sections.get("zopp 0.1.0"), /Apache License/, `${program} begins with zopp's own`);
    for (const { name, version, license } of packages) {
      const text = sections.get(`${name} ${version}`) ?? "";
      // some packages under Apache-2.0 come without its text, which is zopp's own
      t.ok(text.length > 500 || license.includes("Apache-2.0"), `${name} ${version} (${license})`);
    }
  }
});

t.test("the API's models that the operator's base class imports are in no part that every start loads", async (t) => {
  const holding = contents(join(one, "operator")).filter(([, text]) => text.includes("V1PodSpec"));
  t.strictSame(
    holding.map(([file]) => file.replace(/-\w+\./, ".")),
    ["parts/config.mjs"],
    "client-node's KubeConfig, loaded for a kubeconfig with a plugin or a proxy",
  );
});

t.test("what traces is in parts that are loaded only where traces are asked for, and in no command line", async (t) => {
  for (const program of ["operator", "keyring"]) {
    const holding = contents(join(one, program)).filter(([, text]) => text.includes("OTLPTraceExporter"));
    t.ok(holding.length > 0, program);
    for (const [file] of holding) t.match(file, /^parts\/tracing\.otel-\w+\.mjs$/, program);
    const main = readFileSync(join(one, program, `${program}.mjs`), "utf8");
    t.notMatch(main, /from"[^"]*tracing\.otel/, "nothing imports them at the start");
  }
  t.notOk(contents(join(one, "cli")).some(([, text]) => text.includes("OTLPTraceExporter")));
});

t.test("the bundled operator, keyring and CLI play the whole story and refuse every attack", async (t) => {
  const main = (program: Program) => join(one, program, `${program}.mjs`);
  const stage = new Stage({ zopp: main("cli"), "zopp-keyring": main("keyring"), "zopp-operator": main("operator") });
  t.teardown(() => stage.stop());
  const told: string[] = [];
  const scene = new Scene({ stage, narrator: newNarrator({ write: (line) => told.push(line), colour: false }) });
  await playStory(scene)
    .then(() => playAttacks(scene))
    .catch((error) => t.fail(`${error}\n${told.join("\n")}`));
  t.equal(told.filter((line) => line.includes("✓ refused")).length, 6);

  const token = stage.controlPlane.token;
  const credential = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } };
  const plugin = join(stage.folder, "plugin");
  writeFileSync(plugin, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`, { mode: 0o700 });
  const plugged = [
    'cp "$KUBECONFIG" ../plugged && export KUBECONFIG=../plugged',
    `kubectl config set-credentials plugged --exec-command='${plugin}' --exec-api-version=${credential.apiVersion} --exec-interactive-mode=Never`,
    "kubectl config set-context --current --user=plugged",
    "zopp status --store cluster",
  ];
  const { code, text } = await stage.shell(plugged.join(" && "));
  t.match(text, /shop-prod\/api .*True +Synced/, "a kubeconfig with an exec plugin loads client-node from its part");
  t.equal(code, 0);
});
