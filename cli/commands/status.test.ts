// `zopp status` and `zopp list` on a directory: what is shown of sound, broken and missing bundles.
// What a cluster says of a bundle is tried in store/cluster.test.ts.
import t from "tap";
import { Workbench } from "../run.case.js";

const BUNDLE = "zopp/shop-dev/api.yaml";

t.test("status shows each bundle with what this machine makes of it", async (t) => {
  const bench = new Workbench(t);
  t.equal((await bench.run(["status"])).code, 2, "no store is named");
  await bench.init();
  t.match((await bench.must(["status"])).out, "no bundles");
  await bench.must(["set", "api", "A"], { stdin: "a" });
  await bench.must(["set", "api", "B"], { stdin: "b" });
  await bench.must(["unset", "api", "B"]);
  t.match((await bench.must(["status"])).out, /^shop-dev\/api +acme\/shop\/dev +1 +ok +- +-$/m);
  t.match((await bench.must(["status"], { as: "stranger" })).out, /shop-dev\/api .* 1 +NotPinned/);
  t.match((await bench.must(["status"], { as: "stranger" })).err, "NotPinned");
  bench.write(BUNDLE, bench.read(BUNDLE).replace("namespace: shop-dev", "namespace: elsewhere"));
  const moved = await bench.must(["status", "api"]);
  t.match(moved.out, "check        NamespaceNotAllowed");
  t.match(moved.out, "next: ", "each problem comes with its next step");
  t.match(JSON.parse((await bench.must(["status", "-o", "json"])).out), {
    bundles: [{ bundle: "elsewhere/api", keys: 1, problems: [{ code: "NamespaceNotAllowed" }] }],
  });
});

t.test("status narrows by bundle, namespace and environment, and refuses what is not there", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["environment", "create", "shop/test", "-n", "shop-test", "--access", "direct"]);
  await bench.must(["set", "api", "A"], { stdin: "a" });
  await bench.must(["set", "api", "A", "-n", "shop-test", "-e", "shop/test"], { stdin: "a" });
  const names = async (...words: string[]) =>
    (await bench.must([...words, "-o", "name"])).out.trim().split("\n").sort();
  for (const command of ["status", "list"]) {
    t.same(await names(command), ["zoppsecret/shop-dev/api", "zoppsecret/shop-test/api"]);
    t.same(await names(command, "-n", "shop-test"), ["zoppsecret/shop-test/api"]);
    t.same(await names(command, "-e", "shop/test"), ["zoppsecret/shop-test/api"]);
  }
  const good = bench.read(BUNDLE);
  bench.write(BUNDLE, good.replace("name: api", "name: other"));
  t.match((await bench.must(["status"])).out, /shop-dev\/other .* SignatureInvalid/);
  const narrow = await bench.must(["status", "-n", "shop-test"]);
  t.notMatch(narrow.err, "shop-dev", "what is wrong elsewhere is not told");
  t.strictSame(JSON.parse((await bench.must(["status", "-n", "shop-test", "-o", "json"])).out).problems, []);
  t.equal((await bench.run(["status", "nothing"])).code, 4);
  t.equal((await bench.run(["list", "nothing"])).code, 4);
  bench.write(BUNDLE, good);
  t.equal((await bench.run(["list", "api"])).code, 2, "two namespaces have one");
});

t.test("list shows keys with authors and ends, and never a value", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "A", "--expires", "90d"], { stdin: "canary-in-list" });
  await bench.must(["set", "api", "B"], { stdin: "b" });
  await bench.must(["unset", "api", "B"]);
  const { out } = await bench.must(["list", "api"]);
  t.match(out, /^A +\d{14} +alice\/laptop +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +sealed$/m);
  t.match(out, /^B +\d{14} +alice\/laptop +retired$/m);
  t.notMatch(out, "canary-in-list");
  t.same((await bench.must(["list", "api", "-o", "name"])).out, "A\n");
});
