// What git knows of a bundle, and differences between any two of its states.
import t from "tap";
import { git, Workbench } from "../run.case.js";

function commit(bench: Workbench): void {
  git(bench, "add", ".");
  git(bench, "commit", "-q", "-m", "change");
}

t.test("each commit that changed the bundle is one state: when, which keys, by whom, and never a value", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  git(bench, "init", "-q");
  await bench.must(["set", "shop-dev/api", "A"], { stdin: "first-value" });
  commit(bench);
  await bench.must(["set", "shop-dev/web", "K"], { stdin: "other-value" });
  commit(bench);
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  await bench.must(["set", "shop-dev/api", "B"], { as: "bob", stdin: "second-value" });
  commit(bench);
  git(bench, "branch", "elsewhere");
  await bench.must(["unset", "shop-dev/api", "A"]);
  commit(bench);
  const ran = await bench.must(["history", "shop-dev/api", "-o", "json"]);
  const { revisions } = JSON.parse(ran.out);
  const commits = git(bench, "log", "--format=%H", "--", "zopp/shop-dev/api.yaml").trim().split("\n");
  t.same(
    revisions.map(({ revision }: { revision: string }) => revision),
    commits.map((each) => each.slice(0, 12)),
    "newest first, and none of another bundle's commits",
  );
  t.match(revisions, [
    { present: true, when: /^\d{4}-.*Z$/, parts: [{ key: "A", change: "retired", author: "alice" }] },
    { parts: [{ key: "B", change: "added", author: "bob" }] },
    { parts: [{ change: "added" }, { key: "A", change: "added", author: "alice" }] },
  ]);
  const text = (await bench.must(["history", "shop-dev/api"])).out;
  t.match(text, /^[0-9a-f]{12} {2}\d{4}-\S+Z {2}\(now\)\n {2}- A retired, version \d+ -> \d+ by alice\n/);
  t.notMatch(text + ran.out, "value");
  const [newest = "", , oldest = ""] = commits;
  t.match(await bench.run(["diff", "shop-dev/api", oldest]), { code: 1, out: /- A retired.*\n {2}\+ B added/ });
  t.match(await bench.run(["diff", "shop-dev/api", newest, oldest]), { code: 1, out: /\+ A added.*\n {2}- B removed/ });
  t.match(await bench.must(["diff", "shop-dev/api", newest, "HEAD"]), { out: "no bundle differs\n" });
  const values = await bench.run(["diff", "shop-dev/api", oldest, "--values"]);
  t.match(values.out, 'value: not shown -> "second-value"', "which alice may read");
});

t.test("what cannot be told is refused", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "shop-dev/api", "A"], { stdin: "1" });
  t.match(await bench.run(["history", "shop-dev/api"]), {
    code: 4,
    err: /is no git checkout: run `git init` .*`--store cluster`/,
  });
  git(bench, "init", "-q");
  commit(bench);
  const cases: [string, string[], string, number][] = [
    ["a bundle that is not there", ["history", "nope"], "NotFound", 4],
    ["a revision that is not there", ["diff", "shop-dev/api", "nope"], "NotFound", 4],
    ["a revision before the bundle", ["rollback", "shop-dev/api", "--to", "nope"], "NotFound", 4],
    ["three revisions", ["diff", "shop-dev/api", "HEAD", "HEAD", "HEAD"], "Usage", 2],
    ["two ways to name one", ["diff", "shop-dev/api", "HEAD", "--base", "HEAD"], "Usage", 2],
    ["nowhere to go back to", ["rollback", "shop-dev/api"], "Usage", 2],
  ];
  for (const [title, words, text, code] of cases) t.match(await bench.run(words), { code, err: text }, title);
});
