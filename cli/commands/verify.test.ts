// Checking a whole store: what is found, that all of it is found, and with which exit code; with and without a git base.
// The rules behind the findings are tested in crds/.
import { mkdirSync } from "node:fs";
import t from "tap";
import { git, principalOf, Workbench } from "../run.case.js";

const BUNDLE = "zopp/shop-dev/api.yaml";

function commit(bench: Workbench): void {
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "change");
}

/** Alice's workspace in git, with bob who may write, and a bundle with an entry by each. */
async function shop(bench: Workbench): Promise<string> {
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  await bench.amend((content) => ({
    ...content,
    principals: [...content.principals, principalOf("bob", bob)],
    grants: [...(content.grants ?? []), { subject: "bob", role: "write", scope: "shop/dev" }],
  }));
  await bench.must(["set", "api", "ALICE"], { stdin: "a" });
  await bench.must(["set", "api", "BOB"], { stdin: "b", as: "bob" });
  git(bench, "init", "-q");
  commit(bench);
  return pin;
}

/** Bob leaves: his devices and grants are gone from the policy. */
function dismissBob(bench: Workbench) {
  return bench.amend((content) => ({
    ...content,
    principals: content.principals.filter(({ name }) => name !== "bob"),
    grants: (content.grants ?? []).filter(({ subject }) => subject !== "bob"),
  }));
}

t.test("a sound store is verified, and the pin that it chains from is named", async (t) => {
  const bench = new Workbench(t);
  const pin = await shop(bench);
  const ran = await bench.must(["verify"]);
  t.match(ran.out, `from acme@`);
  t.match(ran.out, pin.split(":")[1] ?? "?");
  t.match(JSON.parse((await bench.must(["verify", "-o", "json"])).out), {
    verified: true,
    counts: { bundles: 1 },
    problems: [],
  });
});

t.test("every problem is listed, and the gravest gives the exit code", async (t) => {
  const bench = new Workbench(t);
  await shop(bench);
  const flip = (text: string, key: string) =>
    text.replace(
      new RegExp(`(${key}:\\n(?:.*\\n)*?\\s+sealed: .{40})(.)`),
      (_, head: string, char: string) => head + (char === "A" ? "B" : "A"),
    );
  await bench.must(["set", "web", "K"], { stdin: "w" });
  bench.write(BUNDLE, flip(flip(bench.read(BUNDLE), "ALICE"), "BOB"));
  bench.write(
    "zopp/odd.yaml",
    "apiVersion: zopp.dev/v1alpha1\nkind: ZoppSecret\nmetadata: {name: odd}\nspec: {extra: 1}\n",
  );
  bench.write("zopp/torn.yaml", "apiVersion: zopp.dev/v1alpha1\nkind: [\n");
  const ran = await bench.run(["verify", "-o", "json"]);
  t.equal(ran.code, 3);
  const { problems, verified } = JSON.parse(ran.out) as {
    verified: boolean;
    problems: { where: string; code: string; message: string }[];
  };
  t.equal(verified, false);
  const said = problems.map(({ where, code }) => `${where} ${code}`).sort();
  t.same(said, [
    "zopp/odd.yaml Malformed",
    `${BUNDLE} SignatureInvalid`,
    `${BUNDLE} SignatureInvalid`,
    "zopp/torn.yaml Malformed",
  ]);
  const human = await bench.run(["verify"]);
  for (const name of ["ALICE", "BOB", "odd.yaml", "torn.yaml"]) t.match(human.out, name);
  t.notMatch(human.out, "verified");
});

t.test("an object that stands in two files is refused, naming both", async (t) => {
  const bench = new Workbench(t);
  await shop(bench);
  bench.write("zopp/copy.yaml", bench.read(BUNDLE));
  for (const words of [["verify"], ["set", "api", "K"], ["get", "api", "ALICE"]]) {
    const ran = await bench.run(words, { stdin: "x" });
    t.equal(ran.code, 5);
    t.match(ran.out + ran.err, "copy.yaml");
    t.match(ran.out + ran.err, BUNDLE);
  }
});

t.test("a template that cannot be rendered is found when its header is signed, and by verify", async (t) => {
  const bench = new Workbench(t);
  await shop(bench);
  const render = '  render:\n    ALL: "[[ * | json ]]"\n    URL: "[[ NOBODY ]]"\n';
  bench.write(BUNDLE, bench.read(BUNDLE).replace("  header:", `${render}  header:`));
  const signed = await bench.must(["set", "api", "K", "--sign-header"], { stdin: "x" });
  t.match(
    signed.err,
    /note: RenderInvalid: bundle shop-dev\/api: spec\.render\.URL, line 1, character 1: .*no value for NOBODY/,
  );
  t.notMatch(signed.err, /RenderInvalid: [^\n]*ALL/);
  const ran = await bench.run(["verify"]);
  t.equal(ran.code, 5);
  t.match(ran.out, /RenderInvalid: .*\n {2}next: correct the template/);
  await bench.must(["set", "api", "NOBODY"], { stdin: "x" });
  await bench.must(["verify"]);
});

t.test("two bundles with one target are a conflict", async (t) => {
  const bench = new Workbench(t);
  await shop(bench);
  await bench.must(["set", "other", "K", "--target", "api"], { stdin: "x" });
  const ran = await bench.run(["verify"]);
  t.equal(ran.code, 7);
  t.match(ran.out, "TargetConflict");
});

t.test(
  "a bundle without a key that its Secret's type demands is refused, with object, field and next step",
  async (t) => {
    const bench = new Workbench(t);
    await shop(bench);
    const first = await bench.must(["set", "web", "tls.crt", "--type", "kubernetes.io/tls"], {
      stdin: "a certificate",
    });
    t.match(
      first.err,
      /note: TargetShape: bundle shop-dev\/web: .*tls\.key/,
      "set builds it up, and says what is missing",
    );
    const ran = await bench.run(["verify", "-o", "json"]);
    t.equal(ran.code, 5);
    const { problems } = JSON.parse(ran.out) as { problems: unknown[] };
    t.match(problems, [
      {
        where: "zopp/shop-dev/web.yaml",
        code: "TargetShape",
        message: "bundle shop-dev/web: spec.target.type kubernetes.io/tls needs the key tls.key",
        fields: [{ path: "spec.data.tls.key" }],
        next: /keys that the target's type demands/,
      },
    ]);
    t.equal(problems.length, 1);
    const human = await bench.run(["verify"]);
    t.match(human.out, /TargetShape: bundle shop-dev\/web: .*tls\.key\n {2}next: give the keys/);
    t.match((await bench.must(["status", "web"])).out, "TargetShape");
    t.notMatch((await bench.must(["set", "web", "tls.key"], { stdin: "a key" })).err, "TargetShape");
    await bench.must(["verify"]);
    t.match((await bench.must(["unset", "web", "tls.crt"])).err, "TargetShape", "unset says it as well");
    t.equal((await bench.run(["verify"])).code, 5, "a tombstone is no key of the Secret");
  },
);

t.test("an empty or missing directory verifies nothing, and says so", async (t) => {
  const bench = new Workbench(t);
  mkdirSync(bench.path("empty"));
  for (const folder of ["empty", "missing"]) {
    const ran = await bench.run(["verify", "--store", folder]);
    t.equal(ran.code, 4);
    t.notMatch(ran.out, "verified");
  }
  t.equal((await bench.run(["verify"])).code, 2, "no store is named");
});

t.test("an author who left is a warning, and a problem for a new cluster", async (t) => {
  const bench = new Workbench(t);
  await shop(bench);
  await dismissBob(bench);
  const ran = await bench.must(["verify"]);
  t.match(ran.out, /warning: .*AuthorLeft.*BOB/);
  t.equal((await bench.must(["get", "api", "BOB"])).out, "b");
  const strict = await bench.run(["verify", "--as-new-cluster"]);
  t.equal(strict.code, 3);
  t.match(strict.out, /AuthorLeft.*BOB/);
});

t.test("with a base, only what differs from it needs rights now", async (t) => {
  const bench = new Workbench(t);
  await shop(bench);
  await dismissBob(bench);
  await bench.must(["verify", "--base", "HEAD"]);
  const dismissed = bench.read("zopp/acme.yaml");
  git(bench, "checkout", "-q", "HEAD", "--", "zopp/acme.yaml");
  await bench.must(["set", "api", "LATE"], { stdin: "late", as: "bob" });
  bench.write("zopp/acme.yaml", dismissed);
  const ran = await bench.run(["verify", "--base", "HEAD"]);
  t.equal(ran.code, 3, "what bob wrote after the base is refused");
  t.match(ran.out, /UnknownSigner.*LATE/);
  t.notMatch(ran.out, /UnknownSigner.*BOB/);
});

t.test("with a base, going back and losing entries is found", async (t) => {
  const bench = new Workbench(t);
  await shop(bench);
  const older = bench.read(BUNDLE);
  await bench.must(["set", "api", "ALICE"], { stdin: "new" });
  commit(bench);
  bench.write(BUNDLE, older);
  const back = await bench.run(["verify", "--base", "HEAD"]);
  t.equal(back.code, 7);
  t.match(back.out, "RollbackRefused");
  await bench.must(["verify"], {});
  bench.write(BUNDLE, older.replace(/^ {4}BOB:\n(?: {6}.*\n)*/m, ""));
  t.match((await bench.run(["verify", "--base", "HEAD"])).out, "EntryMissing");
  t.equal((await bench.run(["verify", "--base", "nowhere"])).code, 4);
});

t.test("a forged signature is found even where nothing differs from the base", async (t) => {
  const bench = new Workbench(t);
  await shop(bench);
  bench.write(
    BUNDLE,
    bench
      .read(BUNDLE)
      .replace(
        /(ALICE:\n(?:.*\n)*?\s+signature: )(\S)(\S)/,
        (_, head: string, a: string, b: string) => head + (a === b ? "zy" : b + a),
      ),
  );
  commit(bench);
  const ran = await bench.run(["verify", "--base", "HEAD"]);
  t.equal(ran.code, 3);
  t.match(ran.out, /SignatureInvalid.*ALICE/);
});
