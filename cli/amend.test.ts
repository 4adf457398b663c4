// Policy that one owner alone cannot bring into force: what is stored, what is said, and what is remembered.
// What commands change is tested beside them.
import t from "tap";
import type { WorkspaceContent } from "../crds/policy/edit.js";
import { principalOf, Workbench } from "./run.case.js";

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
  const ran = await bench.run(["set", "api", "K"], { stdin: "v" });
  t.equal(ran.code, 7);
  t.match(ran.err, "PartlySigned");
  bench.write("zopp/acme.yaml", owned);
  await bench.must(["set", "api", "K"], { stdin: "v" });
});
