// Workloads in the policy: pods of a ServiceAccount in one cluster, without devices of their own.
import { readFileSync } from "node:fs";
import t from "tap";
import { cluster } from "../../hack/fixtures.js";
import { Workbench } from "../run.case.js";

async function withCluster(bench: Workbench): Promise<void> {
  await bench.init();
  await bench.amend((content) => ({ ...content, clusters: [cluster("eu-1")] }));
}

const ADD = ["principal", "add", "api", "--workload", "shop-dev/api"];

t.test("a workload is named by its account and cluster, granted like anybody, listed and removed", async (t) => {
  const bench = new Workbench(t);
  await withCluster(bench);
  const added = JSON.parse((await bench.must([...ADD, "--cluster", "eu-1", "--expires", "90d", "-o", "json"])).out);
  t.match(added.principal, { name: "api", kind: "workload", cluster: "eu-1", serviceAccount: "shop-dev/api" });
  await bench.must(["grant", "api", "read", "--scope", "shop/dev"]);
  const { out } = await bench.must(["principal", "list"]);
  t.match(out, /api +workload +shop-dev\/api in eu-1 +\S+ +read on shop\/dev/);
  await bench.must(["set", "api", "TOKEN"], { stdin: "x" });
  await bench.must(["verify"]);
  await bench.must(["principal", "remove", "api"]);
  t.notMatch((await bench.must(["principal", "list"])).out, "workload");
});

const REFUSED: readonly (readonly [what: string, words: readonly string[], code: string])[] = [
  ["without a cluster", ADD, "Usage"],
  ["in a cluster that the policy does not have", [...ADD, "--cluster", "us-1"], "NotFound"],
  ["that has a device too", [...ADD, "--cluster", "eu-1", "--device", "laptop"], "Usage"],
  ["that is a service too", [...ADD, "--cluster", "eu-1", "--kind", "service"], "Usage"],
  ["without a namespace", ["principal", "add", "api", "--workload", "api", "--cluster", "eu-1"], "Usage"],
  ["of too many parts", ["principal", "add", "api", "--workload", "a/b/c", "--cluster", "eu-1"], "Usage"],
  ["that is a person in a cluster", ["principal", "add", "api", "--cluster", "eu-1"], "Usage"],
];

t.test("what is no workload is refused, and nothing is written", async (t) => {
  const bench = new Workbench(t);
  await withCluster(bench);
  const file = bench.files().find((each) => each.endsWith("acme.yaml")) ?? "";
  const before = readFileSync(file, "utf8");
  for (const [what, words, code] of REFUSED) t.match((await bench.run(words)).err, `error: ${code}: `, `one ${what}`);
  t.equal(readFileSync(file, "utf8"), before);
});
