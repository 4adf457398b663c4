// Another recovery key in the place of one that is in other hands: what it opens, and what the old one opens no more.
import { readFileSync, statSync } from "node:fs";
import t from "tap";
import { principalOf, Workbench } from "../run.case.js";

type Test = ConstructorParameters<typeof Workbench>[0];
const OLD = ["--recovery-file", "../recovery.txt"];
const NEW = ["--new-recovery-file", "../recovery-2.txt"];
const REPLACE = ["keys", "replace", ...OLD, ...NEW];

/** Two environments, of which one has two epochs and a value. */
async function world(t: Test): Promise<Workbench> {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["environment", "create", "shop/production", "--namespace", "shop-prod", "--access", "direct"]);
  await bench.must(["set", "api", "PASSWORD", "-e", "shop/dev"], { stdin: "one" });
  await bench.must(["environment", "rekey", "shop/dev"]);
  return bench;
}

t.test("the new recovery key opens everything, and policy and environments name the old one no more", async (t) => {
  const bench = await world(t);
  const [recipient = ""] = /age1pq\w+/.exec(readFileSync(`${bench.folder}/recovery.txt`, "utf8")) ?? [];
  t.match(bench.read("zopp/acme.yaml"), recipient);
  const ran = await bench.must(REPLACE);
  t.match(
    ran.err,
    /former recovery key opens what acme\/shop\/dev has had until now: `zopp environment rekey acme\/shop\/dev`/,
  );
  t.notMatch(ran.out + ran.err, "AGE-SECRET-KEY");
  t.equal(statSync(`${bench.folder}/recovery-2.txt`).mode & 0o777, 0o600);
  for (const name of ["acme", "acme.shop.dev", "acme.shop.production"])
    t.notMatch(bench.read(`zopp/${name}.yaml`), recipient, name);
  await bench.must(["verify"]);
  await bench.must(["verify", "--as-new-cluster"]);
  t.match((await bench.must(["keys", "drill", "--recovery-file", "../recovery-2.txt"])).out, "opens all 3 keys");
  t.match((await bench.run(["keys", "drill", ...OLD])).out, "opens 0 of 3 keys");
  await bench.must(["environment", "rekey", "shop/dev"]);
  t.equal((await bench.must(["get", "api", "PASSWORD", "-e", "shop/dev"])).out, "one");
  t.match((await bench.must(["keys", "drill", "--recovery-file", "../recovery-2.txt"])).out, "opens all 4 keys");
});

t.test("the old recovery key serves where nobody's own key opens an environment", async (t) => {
  const bench = await world(t);
  const { encryptionKey = "", signingKey = "" } = principalOf("eu-1", await bench.person("eu-1")).devices?.[0] ?? {};
  await bench.amend((content) => ({
    ...content,
    clusters: [{ name: "eu-1", signingKey, encryptionKey, log: "log-1" }],
  }));
  await bench.must(["environment", "create", "shop/live", "--namespace", "shop-live"]);
  const before = bench.read("zopp/acme.yaml");
  t.match(await bench.run(["keys", "replace", ...NEW]), { code: 6, err: /NotRecipient: .*shop\/live/ });
  t.equal(bench.read("zopp/acme.yaml"), before);
  await bench.must(REPLACE);
  await bench.must(["verify"]);
  t.match((await bench.must(["keys", "drill", "--recovery-file", "../recovery-2.txt"])).out, "opens all 4 keys");
});

t.test("nothing changes where it would not be whole", async (t) => {
  const bench = await world(t);
  const before = bench.read("zopp/acme.yaml");
  t.match(await bench.run(["keys", "replace", ...OLD]), { code: 2, err: /--new-recovery-file/ });
  t.match(await bench.run([...REPLACE, "--new-recovery-file", "../recovery.txt"]), {
    err: /AlreadyExists: .*recovery.txt is there already/,
  });
  t.match(await bench.run(["keys", "replace", "nobody", ...OLD, ...NEW]), {
    code: 4,
    err: /names no recovery key nobody/,
  });
  const file = "zopp/acme.shop.production.yaml";
  bench.write(file, bench.read(file).replace("access: direct", "access: brokered"));
  t.match(await bench.run(REPLACE), { code: 7, err: /StillNeeded: mend this first: environment shop\/production/ });
  t.equal(bench.read("zopp/acme.yaml"), before);
});
