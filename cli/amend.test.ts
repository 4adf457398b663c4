// Policy that one owner alone cannot bring into force: what is stored, what is said, and what is remembered.
// What commands change is tested beside them.
import { execFileSync } from "node:child_process";
import t from "tap";
import type { WorkspaceContent } from "../crds/policy/edit.js";
import { principalOf, Workbench } from "./run.case.js";

const GIT = ["-c", "user.name=alice", "-c", "user.email=alice@example.com", "-c", "commit.gpgsign=false"];

t.test("what waits for another owner's signature is said, and no pin follows it", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  const add = (content: WorkspaceContent) => ({
    ...content,
    principals: [...content.principals, principalOf("bob", bob)],
  });
  await bench.amend(add);
  await bench.must(["verify"]);
  const accepted = bench.read("zopp/acme.yaml");
  const both = { signingKeys: [(await bench.identity()).signing, bob.signing], now: bench.now };
  await bench.amend((content) => ({ ...content, owners: { threshold: 2, principals: ["alice", "bob"] } }), both);
  await bench.must(["verify"]);
  const owned = bench.read("zopp/acme.yaml");
  t.not(owned, accepted);
  const half = await bench.must(["grant", "bob", "audit", "--scope", "*"]);
  t.match(half.err, "PartlySigned");
  t.equal((await bench.run(["set", "api", "K"], { stdin: "v" })).code, 0, "a proposal beside it hinders nobody");
  await bench.amend((content) => ({ ...content, groups: [] }));
  const ran = await bench.run(["set", "api", "K"], { stdin: "v" });
  t.equal(ran.code, 7);
  t.match(ran.err, "PartlySigned");
  bench.write("zopp/acme.yaml", owned);
  await bench.must(["set", "api", "K"], { stdin: "v" });
});

t.test("an edit that was never committed can be taken back; one that was cannot", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const git = (...args: string[]) => execFileSync("git", [...GIT, ...args], { cwd: bench.checkout, stdio: "ignore" });
  git("init", "-q");
  git("add", "-A");
  git("commit", "-q", "-m", "start");
  const create = ["environment", "create", "shop/test", "-n", "shop-test", "--access", "direct"];
  await bench.must(create);
  await bench.must(["grant", "alice", "read"]);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  git("checkout", "-q", "HEAD", "--", "zopp/acme.yaml", "zopp/acme.shop.dev.yaml");
  await bench.must(["set", "api", "K"], { stdin: "v" });
  await bench.must(["grant", "alice", "read"]);
  await bench.must(["grant", "alice", "audit", "--scope", "*"]);
  git("add", "-A");
  git("commit", "-q", "-m", "grants");
  await bench.must(["set", "api", "K"], { stdin: "v" });
  git("checkout", "-q", "HEAD~1", "--", "zopp/acme.yaml");
  t.match((await bench.run(["set", "api", "K"], { stdin: "v" })).err, "PolicyRollback: workspace");
  git("checkout", "-q", "HEAD", "--", "zopp/acme.yaml");
  git("checkout", "-q", "HEAD~1", "--", "zopp/acme.shop.dev.yaml");
  t.match((await bench.run(["set", "api", "K"], { stdin: "v" })).err, "PolicyRollback: environment");
});
