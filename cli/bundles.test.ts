import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { principalOf, Workbench } from "./run.case.js";

t.test("a header whose signer left is signed again only when somebody says so", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  const alone = (await bench.amend((content) => content)).spec.principals;
  await bench.amend((content) => ({
    ...content,
    principals: [...alone, principalOf("bob", bob)],
    grants: [...(content.grants ?? []), { subject: "bob", role: "write", scope: "shop" }],
  }));
  await bench.must(["set", "api", "TOKEN"], { as: "bob", stdin: "x" });
  await bench.amend((content) => ({ ...content, principals: alone, grants: content.grants?.slice(0, 1) }));
  const before = bench.read("zopp/shop-dev/api.yaml");
  const refused = await bench.run(["set", "api", "OTHER"], { stdin: "y" });
  t.equal(refused.code, 3);
  t.match(refused.err, "UnknownSigner");
  t.equal(bench.read("zopp/shop-dev/api.yaml"), before);
  await bench.must(["set", "api", "OTHER", "--sign-header"], { stdin: "y" });
  t.equal((await bench.must(["get", "api", "OTHER"])).out, "y");
  await bench.must(["set", "api", "THIRD"], { stdin: "z" });
});

t.test("a name in two namespaces is asked about; a namespace or an environment tells them apart", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["environment", "create", "shop/test", "--namespace", "shop-test", "--access", "direct"]);
  await bench.must(["set", "api", "TOKEN"], { stdin: "dev" });
  await bench.must(["set", "api", "TOKEN", "-e", "shop/test"], { stdin: "test" });
  const ran = await bench.run(["get", "api", "TOKEN"]);
  t.equal(ran.code, 2);
  t.match(ran.err, "shop-dev/api, shop-test/api");
  t.equal((await bench.must(["get", "api", "TOKEN", "-e", "test"])).out, "test");
  t.equal((await bench.must(["get", "api", "TOKEN", "-n", "shop-dev"])).out, "dev");
  t.equal((await bench.must(["get", "shop-test/api", "TOKEN"])).out, "test");
  for (const name of ["a/b/c", "A", "../x", "shop-dev/", "/api"])
    t.equal((await bench.run(["get", name])).code, 2, name);
  t.equal((await bench.run(["get", "shop-dev/api", "-n", "shop-test"])).code, 2);
});

t.test("a bundle that client-side apply cannot take is said to be large", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "big", "ONE"], { stdin: "x".repeat(60_000) });
  const small = await bench.must(["set", "big", "TWO"], { stdin: "x".repeat(60_000) });
  t.notMatch(small.err, "client-side apply");
  const large = await bench.must(["set", "big", "THREE"], { stdin: "x".repeat(60_000) });
  t.match(large.err, /note: the bundle has \d+ KiB: client-side apply takes at most 240/);
  const tooLarge = await bench.run(["set", "big", "FOUR"], { stdin: "x".repeat(65_537) });
  t.equal(tooLarge.code, 5);
  t.match(tooLarge.err, "TooLarge");
});

t.test("a value that ended in a failed command is no value", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const ran = await bench.run(["set", "api", "TOKEN"], { stdin: "" });
  t.equal(ran.code, 2);
  t.match(ran.err, "stdin is empty");
  await bench.must(["set", "api", "TOKEN", "--exact"], { stdin: "" });
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "");
});

t.test("init that cannot write its store leaves no pin, and can be run again", async (t) => {
  const bench = new Workbench(t);
  bench.write("zopp", "a file where the folder should be");
  const init = ["init", "acme/shop/dev", "--recovery-file"];
  const ran = await bench.run([...init, join(bench.folder, "one.txt")]);
  t.not(ran.code, 0);
  t.match(ran.err, /FileUnwritable|NotFound/);
  t.match((await bench.must(["trust", "-o", "json"])).out, '"pins": []');
  rmSync(bench.path("zopp"));
  const again = await bench.must([...init, "two.txt"]);
  t.match(again.err, "the recovery key lies in this folder");
});

t.test("whoami shows the keys that an owner needs before there is a pin", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const bob = await bench.person("bob");
  const ran = await bench.must(["whoami"], { as: "bob" });
  t.match(ran.out, bob.signing.verifyKey.kid);
  t.match(ran.err, "NotPinned");
});
