import t from "tap";
import { principalOf, Workbench } from "../run.case.js";
import { openDirectory } from "../store/directory.js";

const spec = async (bench: Workbench, name: string) => {
  const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
  return (await store.read("ZoppEnvironment", { name }))?.spec;
};

t.test("a direct environment is wrapped to everybody who may read it, and to the recovery key", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  const carol = await bench.person("carol", pin);
  await bench.amend((content) => ({
    ...content,
    principals: [...content.principals, principalOf("bob", bob), principalOf("carol", carol)],
    grants: [
      ...(content.grants ?? []),
      { subject: "bob", role: "read", scope: "shop" },
      { subject: "carol", role: "submit", scope: "shop" },
    ],
  }));
  await bench.must([
    "environment",
    "create",
    "shop/test",
    "--namespace",
    "shop-test",
    "--access",
    "direct",
    "--kem",
    "x25519",
  ]);
  const found = await spec(bench, "acme.shop.test");
  t.match(found?.keys[0]?.public, /^x25519:/);
  const to = found?.keys[0]?.sealed.map((stanza) => stanza.to) ?? [];
  t.equal(to.length, 3);
  t.ok(to.includes(bob.encryption.publicKey.kid));
  t.notOk(to.includes(carol.encryption.publicKey.kid), "who may only write gets no key");
  await bench.must(["set", "api", "TOKEN", "-e", "shop/test"], { as: "carol", stdin: "x" }).then(
    () => t.fail("submit cannot create a bundle"),
    (error: Error) => t.match(error.message, "NotAuthorised"),
  );
  await bench.must(["set", "api", "TOKEN", "-e", "shop/test"], { stdin: "from alice" });
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "bob" })).out, "from alice");
  await bench.must(["set", "api", "TOKEN"], { as: "carol", stdin: "from carol" });
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "bob" })).out, "from carol");
  t.equal(
    (await bench.run(["get", "api", "TOKEN"], { as: "carol" })).code,
    6,
    "writing needs no reading, and gives none",
  );
});

t.test("an option that may be repeated takes one word each time, and never the path", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const flags = ["--access", "direct", "-n", "shop-a", "--namespace", "shop-b"];
  const ran = await bench.must(["environment", "create", ...flags, "shop/test", "-o", "json"]);
  t.same(JSON.parse(ran.out).namespaces, ["shop-a", "shop-b"]);
});

t.test("what cannot be is refused, and the policy stays as it is", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const before = bench.read("zopp/acme.yaml");
  const cases: [string, string[], string, number][] = [
    ["brokered without a cluster", ["shop/production", "-n", "shop-prod"], "NoRecipient", 6],
    ["an unknown cluster", ["shop/production", "-n", "shop-prod", "--cluster", "eu-1"], "NotFound", 4],
    ["an environment that is there", ["shop/dev", "-n", "x", "--access", "direct"], "AlreadyExists", 7],
    ["a namespace of another environment", ["shop/x", "-n", "shop-*", "--access", "direct"], "NamespaceConflict", 3],
    ["kube-system", ["shop/x", "-n", "kube-system", "--access", "direct"], "NamespaceConflict", 3],
    ["no namespace", ["shop/x", "--access", "direct"], "Usage", 2],
    ["a dot in a label", ["shop/x.y", "-n", "x", "--access", "direct"], "Usage", 2],
    ["a namespace that none can be", ["shop/x", "-n", "UPPER", "--access", "direct"], "Malformed", 5],
    ["another kind of key", ["shop/x", "-n", "x", "--access", "direct", "--kem", "rsa"], "Usage", 2],
  ];
  for (const [title, words, code, exit] of cases) {
    const ran = await bench.run(["environment", "create", ...words]);
    t.equal(ran.code, exit, `${title}: ${ran.err}`);
    t.match(ran.err, code, title);
  }
  t.equal(bench.read("zopp/acme.yaml"), before);
});
