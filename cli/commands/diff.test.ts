// What a reviewer sees: which keys and fields differ, who wrote them, and values only for those who may open them.
import t from "tap";
import { git, principalOf, Workbench } from "../run.case.js";

function commit(bench: Workbench): void {
  git(bench, "add", ".");
  git(bench, "commit", "-q", "-m", "change");
}

t.test("a changed, an added and a retired value and a field of the header show, by key and version", async (t) => {
  const bench = new Workbench(t);
  await bench.init("--namespace", "shop-dev");
  for (const key of ["A", "B", "C"]) await bench.must(["set", "api", key], { stdin: "1" });
  git(bench, "init", "-q");
  commit(bench);
  t.match(await bench.must(["diff"]), { out: "no bundle differs\n" });
  await bench.must(["set", "api", "A"], { stdin: "two" });
  await bench.must(["unset", "api", "B"]);
  await bench.must(["set", "api", "D"], { stdin: "x" });
  await bench.must(["set", "web", "K", "--target", "web-env"], { stdin: "x" });
  const ran = await bench.run(["diff"]);
  t.equal(ran.code, 1, "it differs");
  t.match(
    ran.out,
    /^shop-dev\/api\n {2}~ A changed, version (\d+) -> \d+ by alice\n {2}- B retired, .*\n {2}\+ D added, version \d+ by alice\n/,
  );
  t.match(
    ran.out,
    /shop-dev\/web\n {2}\+ header added, .*\n {6}environment: nothing -> "acme\/shop\/dev"\n {6}target.name: nothing -> "web-env"\n {2}\+ K added/,
  );
  t.notMatch(ran.out, "two");
  t.match((await bench.run(["diff", "api", "--values"])).out, /A changed, .*\n {6}value: "1" -> "two"\n/);
  commit(bench);
  t.match(await bench.must(["diff"]), { code: 0 });
  t.match(await bench.run(["diff", "api", "--base", "HEAD~1", "-o", "json"]), { code: 1, out: '"change": "retired"' });
});

t.test("an approver sees what waits against what runs, and values only where he may read", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  const bob = principalOf("bob", await bench.person("bob", pin));
  await bench.amend((content) => ({ ...content, principals: [...content.principals, bob] }));
  await bench.production("live", ["bob"]);
  for (const key of ["A", "B"]) await bench.must(["set", "live/api", key, "-e", "shop/production"], { stdin: "old" });
  await bench.must(["approve", "live/api"], { as: "bob" });
  git(bench, "init", "-q");
  commit(bench);
  for (const value of ["between", "new"]) {
    await bench.must(["set", "live/api", "A"], { stdin: value });
    commit(bench);
  }
  const ran = await bench.run(["diff", "--approval", "--values"]);
  t.equal(ran.code, 1);
  t.match(ran.out, /^live\/api\n {2}~ A changed, version \d+ -> \d+ by alice\n {6}value: "old" -> "new"\n$/);
  const bobs = await bench.run(["diff", "--approval", "--values"], { as: "bob" });
  t.match(bobs.out, /^live\/api\n {2}~ A changed, version \d+ -> \d+ by alice\n$/);
  t.match(bobs.err, "A is not shown: NotRecipient");
  await bench.must(["approve", "live/api"], { as: "bob" });
  t.match(await bench.must(["diff", "--approval"]), { out: "nothing waits for an approval\n" });
});

t.test("what cannot be compared is refused", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  git(bench, "init", "-q");
  commit(bench);
  const cases: [string, string[], string, number][] = [
    ["a revision that is not there", ["--base", "nope"], "NotFound", 4],
    ["a bundle that is not there", ["nope"], "NotFound", 4],
    ["two bases", ["--base", "HEAD", "--approval"], "Usage", 2],
  ];
  for (const [title, words, text, code] of cases)
    t.match(await bench.run(["diff", ...words]), { code, err: text }, title);
});
