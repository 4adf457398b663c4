// The Kustomizations of examples/gitops/flux beside each other, without Flux: what each applies, and what it waits for.
import t from "tap";
import { exampleKustomization } from "./flux.js";

/** What lies in git, and which Kustomization applies it. */
const APPLIES = {
  policy: "ZoppWorkspace",
  environments: "ZoppEnvironment",
  baselines: "ZoppBaseline",
  bundles: "ZoppSecret",
} as const;
const FILES = Object.keys(APPLIES) as (keyof typeof APPLIES)[];

interface Spec {
  readonly patches: readonly { readonly target: { readonly kind: string } }[];
  readonly dependsOn?: readonly { readonly name: string }[];
  readonly wait: boolean;
}
const specOf = (file: keyof typeof APPLIES) => exampleKustomization(file).spec as unknown as Spec;

t.test("each kind is applied by one of them", async (t) => {
  for (const file of FILES) {
    const left = specOf(file).patches.flatMap(({ target }) => target.kind.split("|"));
    const others = Object.values(APPLIES).filter((kind) => kind !== APPLIES[file]);
    t.strictSame(left.toSorted(), others.toSorted(), file);
  }
});

t.test("a baseline waits for no environment, and nothing for a baseline to be good", async (t) => {
  const dependencies = Object.fromEntries(
    FILES.map((file) => [file, (specOf(file).dependsOn ?? []).map(({ name }) => name)]),
  );
  t.strictSame(dependencies, {
    policy: [],
    environments: ["zopp-policy"],
    baselines: ["zopp-policy"],
    bundles: ["zopp-environments", "zopp-baselines"],
  });
  t.strictSame(
    FILES.filter((file) => !specOf(file).wait),
    ["baselines"],
  );
});
