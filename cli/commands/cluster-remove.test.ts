// A cluster goes: out of the policy, out of what environments are wrapped to, and what it had is said.
import t from "tap";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { clusterStatement, signStatement } from "../../crds/statement.js";
import { Workbench } from "../run.case.js";
import { openDirectory } from "../store/directory.js";

function keyring() {
  const { signing, encryption } = identityFromSeed(newSeed());
  const facts = {
    signingKey: signing.verifyKey.text,
    encryptionKey: encryption.publicKey.text,
    log: "log-1",
    clusterUid: "uid",
  };
  const data = { ...facts, signature: signStatement(signing, clusterStatement(facts)) };
  return { kid: encryption.publicKey.kid, configMap: JSON.stringify({ data }) };
}

t.test("a cluster is removed with its wraps, and what its keyring had is said", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const [eu, us] = [keyring(), keyring()];
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: eu.configMap });
  await bench.must(["cluster", "add", "us-1", "--from", "-", "--yes"], { stdin: us.configMap });
  const ran = await bench.must(["cluster", "remove", "us-1"]);
  t.match(ran.err, /us-1 had the key of acme\/shop\/dev.*zopp environment rekey/);
  const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
  const workspace = await store.read("ZoppWorkspace", { name: "acme" });
  const environment = await store.read("ZoppEnvironment", { name: "acme.shop.dev" });
  t.same(
    workspace?.spec.clusters?.map(({ name }) => name),
    ["eu-1"],
  );
  t.same(workspace?.spec.environments?.[0]?.clusters, ["eu-1"]);
  t.equal(workspace?.spec.environments?.[0]?.minEpoch, undefined, "the epoch is raised by a rekey only");
  const kids = environment?.spec.keys[0]?.sealed.map(({ to }) => to) ?? [];
  t.ok(kids.includes(eu.kid));
  t.notOk(kids.includes(us.kid));
  t.equal((await bench.run(["verify"])).code, 0);
  t.match(await bench.run(["cluster", "remove", "us-1"]), { code: 4, err: /NotFound/ });
  await bench.must(["cluster", "remove", "eu-1"]);
  t.equal((await bench.run(["verify"])).code, 0, "the last one may go too");
});

t.test("a cluster whose workloads are in the policy stays until they are gone", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: keyring().configMap });
  await bench.amend((content) => ({
    ...content,
    principals: [
      ...content.principals,
      { name: "api", kind: "workload", cluster: "eu-1", serviceAccount: "shop-dev/api" },
    ],
  }));
  t.match(await bench.run(["cluster", "remove", "eu-1"]), { code: 7, err: /StillNeeded.*api/ });
});

t.test("somebody who is no owner removes no cluster", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.must(["cluster", "add", "eu-1", "--from", "-", "--yes"], { stdin: keyring().configMap });
  await bench.admit("bob", pin);
  t.match(await bench.run(["cluster", "remove", "eu-1"], { as: "bob" }), { code: 3, err: /signed by its owners/ });
});
