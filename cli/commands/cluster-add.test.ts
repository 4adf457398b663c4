import t from "tap";
import { newSeed } from "../../crds/crypto/identity.js";
import { keyring, policyOf } from "../keyring.case.js";
import { Workbench } from "../run.case.js";

t.test("a cluster is signed in with its log, and every environment is wrapped to it", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const { facts, configMap, fingerprint } = keyring();
  const before = await policyOf(bench);
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--fingerprint", fingerprint], { stdin: configMap });
  const { workspace, environment } = await policyOf(bench);
  t.match(workspace.clusters, [{ name: "eu-1", signingKey: facts.signingKey, log: "log-1" }]);
  t.same(workspace.environments?.[0]?.clusters, ["eu-1"]);
  t.equal(environment.keys[0]?.sealed.length, (before.environment.keys[0]?.sealed.length ?? 0) + 1);
  t.equal((await bench.run(["verify"])).code, 0);
  const files = bench.read("zopp/acme.yaml");
  const again = await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: configMap });
  t.match(again.out, "was in the policy already");
  t.equal(bench.read("zopp/acme.yaml"), files, "adding it again changes nothing");
});

t.test("a person compares the fingerprint, and may say no", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  bench.write("cluster.json", keyring().configMap);
  const before = bench.read("zopp/acme.yaml");
  const no = await bench.run(["cluster", "add", "eu-1", "--from", "cluster.json"], { answers: ["n"] });
  t.equal(no.code, 1);
  t.match(no.err, "Interrupted");
  t.equal(bench.read("zopp/acme.yaml"), before);
  const yes = await bench.run(["cluster", "add", "eu-1", "--from", "cluster.json"], { answers: ["yes"] });
  t.equal(yes.code, 0, yes.err);
});

t.test("what is published by somebody else is refused, and nothing is wrapped", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const other = keyring();
  const good = keyring();
  const cases: [string, string, string[], RegExp, number][] = [
    [
      "another encryption key under the old signature",
      keyring({ encryptionKey: other.facts.encryptionKey }).configMap,
      ["--yes"],
      /SignatureInvalid/,
      3,
    ],
    ["another log under the old signature", keyring({ log: "log-9" }).configMap, ["--yes"], /SignatureInvalid/, 3],
    ["no signature", JSON.stringify({ data: good.facts }), ["--yes"], /Malformed.*signature is missing/, 5],
    ["no ConfigMap at all", "nothing", ["--yes"], /Malformed/, 5],
    ["an unusable key", keyring({ encryptionKey: "xwing:AAAA" }).configMap, ["--yes"], /Malformed/, 5],
    [
      "another keyring than the fingerprint's",
      good.configMap,
      ["--fingerprint", other.fingerprint],
      /KeyringMismatch/,
      3,
    ],
    ["a script that compares nothing", good.configMap, [], /Usage/, 2],
    ["an unknown environment", good.configMap, ["--yes", "-e", "shop/nope"], /UnknownEnvironment/, 4],
  ];
  const files = ["zopp/acme.yaml", "zopp/acme.shop.dev.yaml"];
  const before = files.map((file) => bench.read(file));
  for (const [title, stdin, flags, message, code] of cases) {
    const ran = await bench.run(["cluster", "add", "eu-1", "--from", "-", ...flags], { stdin });
    t.equal(ran.code, code, `${title}: ${ran.err}`);
    t.match(ran.err, message, title);
  }
  t.same(
    files.map((file) => bench.read(file)),
    before,
  );
});

t.test("a name that is taken by other keys, and keys that have another name, are refused", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const seed = newSeed();
  const one = keyring({}, seed);
  const two = keyring();
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: one.configMap });
  t.equal((await bench.run(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: two.configMap })).code, 7);
  t.equal((await bench.run(["cluster", "add", "us-1", "--from", "-", "--yes"], { stdin: one.configMap })).code, 7);
  const renewed = keyring({}, seed, "log-2");
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: renewed.configMap });
  t.equal((await policyOf(bench)).workspace.clusters?.[0]?.log, "log-2", "a new log of the same keyring is signed in");
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes", "--replace"], { stdin: two.configMap });
  t.equal((await policyOf(bench)).workspace.clusters?.[0]?.signingKey, two.facts.signingKey);
});

t.test(
  "without a keyring that answers, a brokered environment is wrapped to a second cluster by the recovery key",
  async (t) => {
    const bench = new Workbench(t);
    await bench.init();
    await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: keyring().configMap });
    await bench.must(["environment", "create", "shop/production", "--namespace", "shop-prod"]);
    const add = ["cluster", "add", "us-1", "--from", "us.json", "--yes"];
    bench.write("us.json", keyring().configMap);
    const without = await bench.run(add);
    t.match(without, {
      code: 8,
      err: /no kubeconfig.*us-1 is in the policy but has no key of acme\/shop\/production yet/,
    });
    t.match(without.err, "--recovery-file");
    bench.write("wrong.txt", "AGE-SECRET-KEY-PQ-1QQQ\n");
    t.equal((await bench.run([...add, "--recovery-file", "wrong.txt"])).code, 6);
    bench.write("empty.txt", "nothing\n");
    t.equal((await bench.run([...add, "--recovery-file", "empty.txt"])).code, 5);
    const withIt = await bench.run([...add, "--recovery-file", "../recovery.txt"]);
    t.equal(withIt.code, 0, withIt.err);
    t.equal((await bench.run(["verify"])).code, 0);
  },
);

t.test(
  "a replacement whose keys a keyring could not wrap yet leaves a policy that holds, and is run again",
  async (t) => {
    const bench = new Workbench(t);
    await bench.init();
    for (const name of ["eu-1", "us-1"])
      await bench.must(["cluster", "add", name, "--from", "-", "--yes"], { stdin: keyring().configMap });
    const create = ["environment", "create", "shop/production", "--namespace", "shop-prod", "--cluster", "eu-1"];
    await bench.must([...create, "--cluster", "us-1"]);
    bench.write("us.json", keyring().configMap);
    const replace = ["cluster", "add", "us-1", "--from", "us.json", "--yes", "--replace"];
    t.match(await bench.run(replace), {
      code: 8,
      err: /us-1 is in the policy but has no key of acme\/shop\/production yet/,
    });
    t.match(await bench.run(["verify"]), { code: 0 });
    await bench.must([...replace, "--recovery-file", "../recovery.txt"]);
    const { environment } = await policyOf(bench, "acme.shop.production");
    t.equal(environment.keys[0]?.sealed.length, 3, "both clusters and the recovery key, and nobody else");
  },
);

t.test("somebody who is no owner signs no cluster in", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.person("bob", pin);
  const ran = await bench.run(["cluster", "add", "eu-1", "--from", "-", "--yes"], {
    as: "bob",
    stdin: keyring().configMap,
  });
  t.equal(ran.code, 3);
  t.match(ran.err, "UnknownSigner");
});
