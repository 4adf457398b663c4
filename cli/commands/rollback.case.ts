// For tests only: a bundle in git that was in two states. Going back is the tests' business.
import type { Test } from "tap";
import type { Entry, ZoppSecret } from "../../crds/types.gen.js";
import { git, Workbench } from "../run.case.js";
import { readManifests } from "../store/yaml.read.js";

/** The bundle. */
export const FILE = "zopp/shop-dev/api.yaml";

/** Commits all of the checkout. */
export function commit(bench: Workbench): void {
  git(bench, "add", ".");
  git(bench, "commit", "-q", "-m", "change");
}

/** The bundle as it lies there. */
export function bundleOf(bench: Workbench): ZoppSecret {
  return readManifests(bench.read(FILE), FILE)[0]?.value as unknown as ZoppSecret;
}

/** Its entries. */
export function entriesOf(bench: Workbench): Readonly<Record<string, Entry>> {
  return bundleOf(bench).spec.data ?? {};
}

/** Its values, by key. */
export async function values(bench: Workbench): Promise<unknown> {
  const { entries } = JSON.parse((await bench.must(["get", "shop-dev/api", "-o", "json"])).out);
  return Object.fromEntries(
    Object.entries(entries as Record<string, { value: string }>).map(([key, { value }]) => [key, value]),
  );
}

/** Two commits: A=old and B=same, then A=new, C added, D (with an end) taken out. */
export async function twoStates(t: Test) {
  const bench = new Workbench(t);
  const pin = await bench.init();
  for (const [key, stdin] of Object.entries({ A: "old", B: "same" }))
    await bench.must(["set", "shop-dev/api", key], { stdin });
  await bench.must(["set", "shop-dev/api", "D", "--expires", "2090-01-01"], { stdin: "gone" });
  git(bench, "init", "-q");
  commit(bench);
  await bench.must(["set", "shop-dev/api", "A"], { stdin: "new" });
  await bench.must(["set", "shop-dev/api", "C"], { stdin: "later" });
  await bench.must(["unset", "shop-dev/api", "D"]);
  commit(bench);
  return { bench, pin };
}
