// What ends, as people and CI ask for it on a directory; the exit code is the answer.
import t from "tap";
import { Workbench } from "../run.case.js";

const FILE = "zopp/shop-dev/api.yaml";

async function withEnds(bench: Workbench): Promise<string> {
  const pin = await bench.init();
  await bench.must(["set", "api", "SOON", "--expires", "10d"], { stdin: "a" });
  await bench.must(["set", "api", "LATER", "--expires", "60d"], { stdin: "b" });
  await bench.must(["set", "api", "NEVER"], { stdin: "c" });
  return pin;
}

t.test("values that end within a time are listed with exit 1; others are none of it", async (t) => {
  const bench = new Workbench(t);
  await withEnds(bench);
  const none = await bench.must(["status", "--expiring", "9d"]);
  t.match(none.out, /^no value ends before \d{4}-/);
  const soon = await bench.run(["status", "--expiring", "30d"]);
  t.equal(soon.code, 1);
  t.match(soon.out, /^shop-dev\/api +SOON +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ +ends$/m);
  t.notMatch(soon.out, /LATER|NEVER/);
  const json = await bench.run(["status", "--expiring", "9w", "-o", "json"]);
  t.match(JSON.parse(json.out).expiring, [
    { bundle: "shop-dev/api", environment: "acme/shop/dev", key: "SOON", ended: false },
    { key: "LATER" },
  ]);
  t.same((await bench.run(["status", "--expiring", "9w", "-o", "name"])).out, "zoppsecret/shop-dev/api\n");
  t.equal((await bench.run(["status", "--expiring", "soon"])).code, 2);
});

t.test("a value that has ended is told whatever time is asked for, and is still there", async (t) => {
  const bench = new Workbench(t);
  await withEnds(bench);
  bench.tick(11 * 86_400);
  const ran = await bench.run(["status", "api", "--expiring", "0d"]);
  t.equal(ran.code, 1);
  t.match(ran.out, /SOON .* ended$/m);
  t.equal((await bench.must(["get", "api", "SOON"])).out, "a");
  await bench.must(["verify"]);
});

t.test("an end that was put off by who may not is no good news", async (t) => {
  const bench = new Workbench(t);
  await withEnds(bench);
  bench.write(FILE, bench.read(FILE).replaceAll(/expires: .*/g, 'expires: "2099-01-01T00:00:00Z"'));
  const ran = await bench.run(["status", "--expiring", "30d"]);
  t.equal(ran.code, 1);
  t.match(ran.err, "SignatureInvalid");
  const stranger = await bench.run(["status", "--expiring", "30d"], { as: "stranger" });
  t.equal(stranger.code, 1);
  t.match(stranger.err, "NotPinned");
});

t.test("status and list show the first end of a bundle, and status all of them", async (t) => {
  const bench = new Workbench(t);
  await withEnds(bench);
  for (const command of ["status", "list"])
    t.match((await bench.must([command])).out, /^BUNDLE .* EXPIRES\nshop-dev\/api .*\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m);
  const { bundles } = JSON.parse((await bench.must(["status", "-o", "json"])).out);
  t.match(bundles, [{ expires: [{ key: "SOON" }, { key: "LATER" }] }]);
  t.match((await bench.must(["status", "api"])).out, /^expires {6}\S+ SOON\nexpires {6}\S+ LATER$/m);
  t.ok(JSON.parse((await bench.must(["list", "-o", "json"])).out).bundles[0].expires);
});
