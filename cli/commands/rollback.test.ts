// Going back in a directory: what is put back, what stays untouched, and who does not get an old value signed anew.
import t, { type Test } from "tap";
import { flip } from "../../hack/fixtures.bundle.js";
import { git, principalOf, Workbench } from "../run.case.js";
import { bundleOf, commit, entriesOf, FILE, twoStates, values } from "./rollback.case.js";

t.test(
  "what changed is put back by new versions, what came later stays unless asked, and what is the same is not touched",
  async (t) => {
    const { bench } = await twoStates(t);
    const before = entriesOf(bench);
    const ran = await bench.must(["rollback", "shop-dev/api", "--to", "HEAD~1"]);
    t.match(ran.out, /^put A, D back: shop-dev\/api of acme\/shop\/dev is as in HEAD~1/);
    t.match(ran.err, "C came later and stays");
    t.notMatch(ran.out + ran.err, /old|gone|same/);
    t.same(await values(bench), { A: "old", B: "same", C: "later", D: "gone" });
    const after = entriesOf(bench);
    t.same([after["B"], after["C"]], [before["B"], before["C"]], "not a byte of them");
    for (const key of ["A", "D"]) t.ok((after[key]?.version ?? 0) > (before[key]?.version ?? 0), `${key} counts up`);
    t.equal(after["D"]?.expires, "2090-01-01T00:00:00Z", "with the end that it had");
    await bench.must(["verify", "--base", "HEAD"]);
    t.match((await bench.must(["rollback", "shop-dev/api", "--to", "HEAD~1", "--retire"])).out, "took C out");
    t.equal(entriesOf(bench)["C"]?.retired, true);
    t.same(await values(bench), { A: "old", B: "same", D: "gone" });
  },
);

t.test("keys that are named go back, and nothing else", async (t) => {
  const { bench } = await twoStates(t);
  await bench.must(["rollback", "shop-dev/api", "A", "C", "--to", "HEAD~1"]);
  t.same(await values(bench), { A: "old", B: "same" });
  t.match(await bench.must(["rollback", "shop-dev/api", "A", "--to", "HEAD"]), { out: "put A back" });
  t.match((await bench.run(["rollback", "shop-dev/api", "Z", "--to", "HEAD"])).err, "has no key Z, then or now");
});

t.test("there and back again: a state that is there already needs nothing", async (t) => {
  const { bench } = await twoStates(t);
  const before = bench.read(FILE);
  t.match(await bench.must(["rollback", "shop-dev/api", "--to", "HEAD"]), {
    out: /^nothing of shop-dev\/api has to go back to HEAD; .*RollbackRefused, take the revert back first/,
  });
  t.equal(bench.read(FILE), before);
});

t.test("the header goes back too, signed by who goes back", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "shop-dev/api", "A", "--label", "team=one"], { stdin: "x" });
  git(bench, "init", "-q");
  commit(bench);
  bench.write(FILE, bench.read(FILE).replace("team: one", "team: two"));
  await bench.must(["set", "shop-dev/api", "A", "--sign-header"], { stdin: "x" });
  commit(bench);
  const { header } = bundleOf(bench).spec;
  t.match(await bench.must(["rollback", "shop-dev/api", "--to", "HEAD~1"]), {
    out: "signed the header as it was, put A back",
  });
  const { spec } = bundleOf(bench);
  t.equal(spec.target?.labels?.["team"], "one");
  t.ok(spec.header.version > header.version);
  await bench.must(["verify"]);
});

t.test("who may write but not read is told who can go back; who may do neither is refused", async (t) => {
  const { bench, pin } = await twoStates(t);
  await bench.admit("ci", pin);
  await bench.must(["grant", "ci", "submit", "--scope", "shop/dev"]);
  await bench.admit("eve", pin);
  const before = bench.read(FILE);
  const ci = await bench.run(["rollback", "shop-dev/api", "--to", "HEAD~2"], { as: "ci" });
  t.equal(ci.code, 4, "no such revision");
  const words = ["rollback", "shop-dev/api", "--to", "HEAD~1"];
  const refused = await bench.run(words, { as: "ci" });
  t.equal(refused.code, 3);
  t.match(refused.err, "ci may write A in acme/shop/dev, but not read it");
  t.match(refused.err, "let somebody do it who may read, or write the value by `zopp set`");
  t.match(await bench.run(words, { as: "eve" }), { code: 3, err: "eve may not write A" });
  t.equal(bench.read(FILE), before);
});

t.test("an earlier state that somebody edited in git is not signed anew", async (t) => {
  const { bench } = await twoStates(t);
  const { sealed = "" } = entriesOf(bench)["A"] ?? {};
  const { signature: foreign = "" } = entriesOf(bench)["B"] ?? {};
  const good = bench.read(FILE);
  const edits: Record<string, readonly [text: string, code: string]> = {
    "other sealed bytes": [good.replace(sealed, flip(sealed)), "SignatureInvalid"],
    "another entry's signature": [good.replace(entriesOf(bench)["A"]?.signature ?? "", foreign), "SignatureInvalid"],
  };
  for (const [title, [text, code]] of Object.entries(edits)) {
    bench.write(FILE, text);
    commit(bench);
    bench.write(FILE, good);
    await bench.must(["set", "shop-dev/api", "A"], { stdin: "newest" });
    const before = bench.read(FILE);
    const ran = await bench.run(["rollback", "shop-dev/api", "--to", "HEAD"]);
    t.match(ran.err, `${code}: bundle shop-dev/api: A of revision HEAD is not put back`, title);
    t.equal(bench.read(FILE), before, title);
    t.match((await bench.must(["history", "shop-dev/api"])).out, `! ${code}`, title);
  }
});

t.test(
  "what somebody wrote who has left goes back by git's policy of then; what nobody named ever is refused",
  async (t) => {
    const { bench, pin } = await twoStates(t);
    await bench.admit("bob", pin);
    await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
    await bench.must(["set", "shop-dev/api", "A"], { as: "bob", stdin: "bob's" });
    commit(bench);
    await bench.must(["set", "shop-dev/api", "A"], { stdin: "alice's" });
    await bench.must(["principal", "remove", "bob"]);
    commit(bench);
    const words = ["rollback", "shop-dev/api", "--to", "HEAD~1"];
    const before = bench.read(FILE);
    const asked = await bench.run(words, { answers: ["n"] });
    t.match(asked, {
      code: 1,
      err: /: A of HEAD~1 is bob\/first's, by the policy of then; by that of now: AuthorLeft/,
    });
    t.match(await bench.run(words), { code: 2, err: "--yes" }, "where nobody is there to ask");
    t.equal(bench.read(FILE), before, "his name is there before anything is written");
    await bench.must([...words, "--yes"]);
    t.match(await values(bench), { A: "bob's" });
    git(bench, "checkout", "-q", "--orphan", "forged");
    await bench.must(["set", "shop-dev/api", "A"], { stdin: "alice's again" });
    const old = git(bench, "show", `main~1:${FILE}`);
    const good = bench.read(FILE);
    bench.write(FILE, old);
    commit(bench);
    bench.write(FILE, good);
    const ran = await bench.run(["rollback", "shop-dev/api", "A", "--to", "HEAD"]);
    t.match(ran, { code: 3, err: "UnknownSigner: bundle shop-dev/api: A of revision HEAD is not put back" });
  },
);

t.test("in an environment with approvals what goes back waits for them like any change", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = principalOf("bob", await bench.person("bob", pin));
  await bench.amend((content) => ({ ...content, principals: [...content.principals, bob] }));
  await bench.production("live", ["bob"]);
  git(bench, "init", "-q");
  for (const stdin of ["old", "new"]) {
    await bench.must(["set", "live/api", "A", "-e", "shop/production"], { stdin });
    await bench.must(["approve", "live/api"], { as: "bob" });
    commit(bench);
  }
  t.match(await bench.must(["rollback", "live/api", "--to", "HEAD~1"]), { err: "PendingApproval" });
  t.match(await bench.run(["verify"]), { out: "PendingApproval" });
  t.match(await bench.must(["approve", "live/api"], { as: "bob" }), { out: "approved" });
  await bench.must(["verify"]);
});

/** acme/shop/production in `live`, where one of bob and alice approves, and bob may write too; in git. */
async function approvedLive(t: Test) {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "write", "--scope", "shop"]);
  await bench.production("live", ["bob", "alice"]);
  git(bench, "init", "-q");
  await bench.must(["set", "live/api", "A", "-e", "shop/production"], { stdin: "alice's" });
  await bench.must(["approve", "live/api"], { as: "bob" });
  commit(bench);
  return bench;
}

t.test("a state that waits for approval does not become another author's by going back to it", async (t) => {
  const bench = await approvedLive(t);
  const file = "zopp/live/api.yaml";
  await bench.must(["set", "live/api", "A"], { as: "bob", stdin: "bob's, who could approve it then" });
  commit(bench);
  await bench.must(["set", "live/api", "A"], { stdin: "alice's again" });
  await bench.must(["approve", "live/api"], { as: "bob" });
  commit(bench);
  const before = bench.read(file);
  const ran = await bench.run(["rollback", "live/api", "A", "--to", "HEAD~1"]);
  t.match([ran.code, ran.err], [3, /PendingApproval: bundle live\/api: A of revision HEAD~1 is not put back: /]);
  t.match(ran.err, "zopp set live/api A");
  t.equal(bench.read(file), before);
  await bench.must(["rollback", "live/api", "A", "--to", "HEAD~2"]);
});

t.test("approvals that a later commit brought belong to the state, and history lists it by that commit", async (t) => {
  const bench = await approvedLive(t);
  await bench.must(["set", "live/api", "A"], { as: "bob", stdin: "bob's" });
  commit(bench);
  await bench.must(["approve", "live/api"]);
  commit(bench);
  const approved = git(bench, "rev-parse", "HEAD").trim();
  await bench.must(["set", "live/api", "A"], { stdin: "alice's again" });
  commit(bench);
  const [, listed = ""] = (await bench.must(["history", "live/api", "-o", "name"])).out.split("\n");
  t.equal(listed, approved.slice(0, 12));
  await bench.must(["rollback", "live/api", "--to", listed]);
  t.equal((await bench.must(["get", "live/api", "A"])).out, "bob's");
});
