// What somebody who leaves could know: by rights, by keys that stay in his hands, and by what he wrote himself.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { git, Workbench } from "../run.case.js";

interface Listed {
  readonly values: readonly { bundle: string; key: string; version: number; ways: string[]; current: boolean }[];
  readonly skipped: number;
}

async function exposure(bench: Workbench, ...words: string[]): Promise<Listed> {
  return JSON.parse((await bench.must(["exposure", ...words, "-o", "json"])).out) as Listed;
}

/** `bundle/KEY ways` of each value, `*` where it is in use. */
const short = ({ values }: Listed) =>
  values.map(({ bundle, key, ways, current }) => `${bundle}/${key} ${ways.join("+")}${current ? " *" : ""}`);

function commit(bench: Workbench): void {
  git(bench, "add", ".");
  git(bench, "commit", "-q", "-m", "change");
}

/** A checkout with a value from before bob, who then comes as somebody with this role. */
async function withBob(bench: Workbench, role: string, ...more: string[]): Promise<void> {
  const pin = await bench.init("--namespace", "shop-dev");
  git(bench, "init", "-q");
  await bench.must(["set", "api", "EARLY"], { stdin: "1" });
  commit(bench);
  await bench.must(["set", "api", "EARLY"], { stdin: "2" });
  await bench.must(["set", "api", "TOKEN"], { stdin: "1" });
  commit(bench);
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", role, "--scope", "shop/dev", ...more]);
  commit(bench);
}

t.test("a key that was in his hands opens all that was ever sealed to it, and nothing after a rekey", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench, "write");
  await bench.must(["set", "api", "OWN"], { as: "bob", stdin: "b" });
  commit(bench);
  await bench.must(["principal", "remove", "bob"]);
  commit(bench);
  await bench.must(["set", "api", "TOKEN"], { stdin: "2" });
  commit(bench);
  const before = await exposure(bench, "bob");
  t.same(
    short(before),
    [
      "shop-dev/api/EARLY key+read *",
      "shop-dev/api/OWN key+read+wrote *",
      "shop-dev/api/TOKEN key *",
      "shop-dev/api/EARLY key",
      "shop-dev/api/TOKEN key+read",
    ],
    "also what was replaced before he came and what was written after he left: it is sealed to the key that he had",
  );
  await bench.must(["environment", "rekey", "shop/dev", "--base", "HEAD~2"]);
  await bench.must(["set", "api", "TOKEN"], { stdin: "3" });
  commit(bench);
  const after = await exposure(bench, "bob", "--current");
  t.same(short(after), [], "what is in use is sealed anew, in versions of its own");
  t.equal((await exposure(bench, "bob")).values.length, 5, "and what he could know is still told");
});

t.test("through a keyring he could read what his grant covers, while it held", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init("--namespace", "shop-dev");
  git(bench, "init", "-q");
  const { signing, encryption } = identityFromSeed(newSeed());
  const keys = { signingKey: signing.verifyKey.text, encryptionKey: encryption.publicKey.text };
  await bench.amend((content) => ({ ...content, clusters: [{ name: "eu-1", ...keys, log: "log-1" }] }));
  await bench.must(["environment", "create", "shop/live", "--namespace", "live", "--cluster", "eu-1"]);
  for (const key of ["DB_URL", "OTHER"]) await bench.must(["set", "web", key, "-e", "shop/live"], { stdin: "1" });
  await bench.admit("bob", pin);
  commit(bench);
  await bench.must(["grant", "bob", "read", "--scope", "shop/live", "--keys", "DB_*"]);
  commit(bench);
  await bench.must(["principal", "remove", "bob"]);
  await bench.must(["set", "web", "DB_URL", "-e", "shop/live"], { stdin: "2" });
  commit(bench);
  t.same(short(await exposure(bench, "bob")), ["live/web/DB_URL read"], "the pattern, and the time of the grant");
});

t.test("a branch that was never merged counts, and so does what is not committed yet", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench, "read");
  git(bench, "checkout", "-q", "-b", "aside");
  await bench.must(["set", "api", "ASIDE"], { stdin: "1" });
  commit(bench);
  git(bench, "checkout", "-q", "main");
  await bench.must(["set", "api", "FRESH"], { stdin: "1" });
  const found = short(await exposure(bench, "bob"));
  t.ok(found.includes("shop-dev/api/ASIDE key+read"));
  t.ok(found.includes("shop-dev/api/FRESH key+read *"));
});

t.test("a branch counts whose changes a merge dropped", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench, "read");
  git(bench, "checkout", "-q", "-b", "aside");
  await bench.must(["set", "api", "ASIDE"], { stdin: "1" });
  commit(bench);
  git(bench, "checkout", "-q", "main");
  git(bench, "merge", "-q", "--no-edit", "-s", "ours", "aside");
  git(bench, "branch", "-q", "-D", "aside");
  t.ok(short(await exposure(bench, "bob")).includes("shop-dev/api/ASIDE key+read"));
});

t.test("a forged policy in the history names nobody, and broken files are counted as left out", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench, "read");
  const good = bench.read("zopp/acme.yaml");
  bench.write("zopp/acme.yaml", good.replaceAll("bob", "eve"));
  commit(bench);
  bench.write("zopp/acme.yaml", good);
  commit(bench);
  t.match(await bench.run(["exposure", "eve"]), { code: 4, err: "NotFound: no version of workspace acme" });
  t.match((await bench.must(["exposure", "bob"])).err, "1 objects or files were left out");
  bench.write("zopp/broken.yaml", "apiVersion: zopp.dev/v1alpha1\nkind: [ZoppSecret\n");
  t.equal((await exposure(bench, "bob")).skipped, 2, "one that is not committed yet");
  commit(bench);
  rmSync(bench.path("zopp/broken.yaml"));
  commit(bench);
  t.equal((await exposure(bench, "bob")).skipped, 2, "one that only the history has");
});

t.test("what was committed after tens of megabytes of YAML counts like anything else", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench, "read");
  bench.write("zopp/large.yaml", `# ${"x".repeat(1021)}\n`.repeat(80 * 1024));
  commit(bench);
  rmSync(bench.path("zopp/large.yaml"));
  for (const value of ["1", "2"]) {
    await bench.must(["set", "api", "LATE"], { stdin: value });
    commit(bench);
  }
  const late = short(await exposure(bench, "bob")).filter((line) => line.includes("LATE"));
  t.same(late, ["shop-dev/api/LATE key+read *", "shop-dev/api/LATE key+read"]);
});

t.test("what git cannot read is an error, never a shorter list", async (t) => {
  for (const [what, object] of [
    ["a commit", "HEAD~1"],
    ["a tree", "HEAD~1^{tree}"],
    ["a file", "HEAD~1:zopp/acme.yaml"],
  ] as const) {
    const bench = new Workbench(t);
    await withBob(bench, "read");
    const id = git(bench, "rev-parse", object).trim();
    rmSync(bench.path(`.git/objects/${id.slice(0, 2)}/${id.slice(2)}`));
    t.match(await bench.run(["exposure", "bob"]), { code: 1, err: "GitFailed: git ", out: /^$/ }, what);
  }
});

t.test("where history is missing, it says so", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init("--namespace", "shop-dev");
  await bench.admit("bob", pin);
  await bench.must(["set", "api", "TOKEN"], { stdin: "1" });
  const ran = await bench.must(["exposure", "bob"]);
  t.match(ran.out, "bob could open nothing of what lies here");
  t.match(ran.err, /is no git checkout: only what lies there now is counted/);
  git(bench, "init", "-q");
  commit(bench);
  bench.write("zopp/x.yaml", "a: b\n");
  commit(bench);
  const clone = join(bench.folder, "clone");
  execFileSync("git", ["clone", "-q", "--depth", "1", `file://${bench.checkout}`, clone], { stdio: "ignore" });
  t.match((await bench.must(["exposure", "bob"], { cwd: clone })).err, "this clone is shallow");
});
