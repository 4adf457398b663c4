// docs/compatibility.md against what it speaks of: names that never change, and versions of the resource types.
// That old signatures verify for ever is what crds/vectors/ are for.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { parse } from "yaml";
import { GENERATED_MANAGER } from "../../operator/controllers/generate.js";
import { STATUS_MANAGER } from "../../operator/controllers/secret.js";
import {
  ADOPT_ANNOTATION,
  BUNDLE_ANNOTATION,
  MANAGED_BY_LABEL,
  MANAGED_LABEL,
  MERGE_ANNOTATION,
  RECONCILE_ANNOTATION,
} from "../../operator/controllers/target.js";
import { FIELD_MANAGER } from "../../operator/kube/resources.js";
import { packageRoot } from "../package-root.js";

const page = readFileSync(join(packageRoot(), "docs", "compatibility.md"), "utf8");

t.test("the names that never change are those that are used", async (t) => {
  const row = (name: string) => page.split("\n").find((line) => line.startsWith(`| ${name} |`)) ?? "";
  const names = {
    "field managers": [FIELD_MANAGER, STATUS_MANAGER, GENERATED_MANAGER],
    "on Secrets": [MANAGED_LABEL, MANAGED_BY_LABEL, BUNDLE_ANNOTATION, ADOPT_ANNOTATION, MERGE_ANNOTATION],
    "on bundles": [RECONCILE_ANNOTATION],
  };
  for (const [title, used] of Object.entries(names)) {
    for (const name of used) t.ok(row(title).includes(`\`${name}\``), `${title}: ${name}`);
  }
});

t.test("every resource type is stored in one version, which is served, and defaults nothing", async (t) => {
  const folder = join(packageRoot(), "crds", "manifests");
  const files = globSync("*.yaml", { cwd: folder });
  t.equal(files.length, 6);
  for (const file of files) {
    const text = readFileSync(join(folder, file), "utf8");
    const { versions, conversion } = parse(text).spec;
    const stored = versions.filter(({ storage }: { storage: boolean }) => storage);
    t.match(stored, [{ name: "v1alpha1", served: true }], file);
    t.equal(stored.length, 1, file);
    t.equal(conversion, undefined, `${file}: no webhook converts it`);
    t.notMatch(text, /\bdefault:/, file);
  }
});

t.test("the versions of Kubernetes are those that the chart takes", async (t) => {
  const { kubeVersion } = parse(readFileSync(join(packageRoot(), "helm", "Chart.yaml"), "utf8"));
  t.ok(page.includes(`\`${kubeVersion}\``), kubeVersion);
});
