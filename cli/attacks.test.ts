// What somebody who can write the store, but signs nothing that policy allows, tries against people who seal with it.
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { newSeed } from "../crds/crypto/identity.js";
import { formatToken } from "../crds/crypto/token.js";
import { Workbench } from "./run.case.js";

const VALUE = "correct-battery-staple";

/** A checkout of acme with a bundle, and mallory's own workspace of the same name beside it. */
async function contested(t: Test): Promise<Workbench> {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "TOKEN"], { stdin: "first" });
  const theirs = join(bench.folder, "theirs");
  mkdirSync(theirs);
  await bench.must(["init", "acme/shop/dev", "--recovery-file", "recovery.txt"], { as: "mallory", cwd: theirs });
  await bench.must(["set", "api", "TOKEN"], { as: "mallory", cwd: theirs, stdin: "theirs" });
  return bench;
}

function swap(bench: Workbench, ...files: string[]): void {
  for (const file of files) cpSync(join(bench.folder, "theirs", "zopp", file), bench.path(join("zopp", file)));
}

const SWAPS: readonly [string, readonly string[], string, number][] = [
  ["workspace and environment", ["acme.yaml", "acme.shop.dev.yaml"], "PinMismatch", 3],
  ["workspace, environment and bundle", ["acme.yaml", "acme.shop.dev.yaml", "shop-dev/api.yaml"], "PinMismatch", 3],
  ["the environment alone", ["acme.shop.dev.yaml"], "UnknownSigner", 3],
];

for (const [title, files, code, exit] of SWAPS) {
  t.test(`${title} of an attacker put in place of ours: nothing is sealed to it`, async (t) => {
    const bench = await contested(t);
    swap(bench, ...files);
    const before = bench.read("zopp/shop-dev/api.yaml");
    const ran = await bench.run(["set", "api", "TOKEN"], { stdin: VALUE });
    t.equal(ran.code, exit, ran.err);
    t.match(ran.err, code);
    t.equal(bench.read("zopp/shop-dev/api.yaml"), before);
    for (const words of [["get", "api"], ["unset", "api", "TOKEN"], ["grant", "alice", "read"], ["verify"]]) {
      const other = await bench.run(words);
      t.not(other.code, 0, words.join(" "));
      t.notMatch(other.out, "verified", words.join(" "));
    }
    t.equal(bench.read("zopp/shop-dev/api.yaml"), before);
  });
}

t.test(
  "the bundle alone, made to belong to an attacker's environment, is refused before a value is asked for",
  async (t) => {
    const bench = await contested(t);
    swap(bench, "shop-dev/api.yaml");
    const ran = await bench.run(["set", "api", "TOKEN"], { answers: [] });
    t.equal(ran.code, 3);
    t.match(ran.err, "UnknownSigner");
  },
);

t.test("a bundle that was signed for another environment of the same workspace is not sealed into", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["environment", "create", "shop/open", "--namespace", "shop-open", "--access", "direct"]);
  await bench.must(["set", "api", "TOKEN"], { stdin: "first" });
  bench.write(
    "zopp/shop-dev/api.yaml",
    bench.read("zopp/shop-dev/api.yaml").replace("acme/shop/dev", "acme/shop/open"),
  );
  const ran = await bench.run(["set", "api", "TOKEN"], { stdin: VALUE });
  t.equal(ran.code, 3, ran.err);
  t.match(ran.err, /NamespaceNotAllowed|PlaceMismatch|SignatureInvalid/);
});

t.test("an older workspace put back is refused once a newer one was seen", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const old = bench.read("zopp/acme.yaml");
  await bench.must(["grant", "alice", "audit", "--scope", "*"]);
  bench.write("zopp/acme.yaml", old);
  const ran = await bench.run(["set", "api", "TOKEN"], { stdin: VALUE });
  t.equal(ran.code, 7, ran.err);
  t.match(ran.err, "PolicyRollback");
});

t.test("an older environment put back is refused once a newer one was seen", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const old = bench.read("zopp/acme.shop.dev.yaml");
  await bench.must(["grant", "alice", "write", "--scope", "shop/dev"]);
  bench.write("zopp/acme.shop.dev.yaml", old);
  const ran = await bench.run(["set", "api", "TOKEN"], { stdin: VALUE });
  t.equal(ran.code, 7, ran.err);
  t.match(ran.err, "PolicyRollback");
});

t.test("a machine without a pin does nothing, whatever zopp.yaml and the store say", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.person("bob");
  for (const words of [
    ["set", "api", "TOKEN"],
    ["verify"],
    ["get", "api"],
    ["environment", "create", "shop/x", "-n", "x"],
  ]) {
    const ran = await bench.run(words, { as: "bob", stdin: VALUE });
    t.not(ran.code, 0, words.join(" "));
    t.match(ran.err + ran.out, /NotPinned|NotFound: there is no bundle/, words.join(" "));
  }
  t.throws(() => bench.read("zopp/shop-dev/api.yaml"));
});

t.test("ZOPP_TRUST pins for one run, and a wrong digest is refused", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.person("bob");
  const good = await bench.run(["verify"], { as: "bob", env: { ZOPP_TRUST: pin } });
  t.equal(good.code, 0, good.err);
  const other = pin.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
  const bad = await bench.run(["verify"], { as: "bob", env: { ZOPP_TRUST: other } });
  t.equal(bad.code, 3);
  t.match(bad.out, "PinMismatch");
  const both = await bench.run(["verify"], { env: { ZOPP_TRUST: other } });
  t.equal(both.code, 3, "alice's own good pin does not outweigh a bad one");
  const none = await bench.run(["set", "api", "TOKEN"], { stdin: VALUE, env: { ZOPP_TRUST: `${pin},acme@7` } });
  t.equal(none.code, 2, none.err);
  t.match(none.err, "ZOPP_TRUST: a pin reads WORKSPACE@VERSION:DIGEST");
});

t.test("a token seals only for the owners whose digest it carries", async (t) => {
  const bench = await contested(t);
  const owners = (file: string): string => {
    const known = JSON.parse(readFileSync(join(bench.folder, "people", file, ".zopp", "known-workspaces"), "utf8"));
    return (known as { acme: { owners: string } }).acme.owners;
  };
  const token = formatToken(newSeed(), owners("alice"));
  const forOthers = formatToken(newSeed(), owners("mallory"));
  const stranger = await bench.run(["set", "api", "TOKEN"], { as: "ci", stdin: VALUE, env: { ZOPP_TOKEN: token } });
  t.match(stranger.err, "UnknownSigner", "the policy chains, but names no such device");
  const elsewhere = await bench.run(["set", "api", "TOKEN"], {
    as: "ci",
    stdin: VALUE,
    env: { ZOPP_TOKEN: forOthers },
  });
  t.match(elsewhere.err, "PinMismatch");
  const broken = await bench.run(["set", "api", "TOKEN"], {
    as: "ci",
    stdin: VALUE,
    env: { ZOPP_TOKEN: `${token.slice(0, -1)}!` },
  });
  t.equal(broken.code, 5);
  t.match(broken.err, "TokenInvalid");
  t.notMatch(broken.err, token.slice(5, 20), "a token is never repeated");
});

t.test("a zopp.yaml that leads out of its folder is refused", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  for (const store of ["..", "/etc", "zopp/../../elsewhere"]) {
    bench.write("zopp.yaml", `workspace: acme\nproject: shop\nenvironment: dev\nstore: ${store}\n`);
    const ran = await bench.run(["list"]);
    t.equal(ran.code, 5, store);
    t.match(ran.err, "must lie below");
  }
});

t.test(
  "a store of zopp.yaml that is a link out of its folder is refused, and one by the command line is not",
  async (t) => {
    const bench = new Workbench(t);
    await bench.init();
    const outside = join(bench.folder, "outside");
    renameSync(bench.path("zopp"), outside);
    symlinkSync(outside, bench.path("zopp"));
    for (const store of ["zopp", "zopp/shop-dev"]) {
      bench.write("zopp.yaml", `workspace: acme\nproject: shop\nenvironment: dev\nstore: ${store}\n`);
      const ran = await bench.run(["set", "api", "TOKEN"], { stdin: VALUE });
      t.equal(ran.code, 5, store);
      t.match(ran.err, "must lie below");
    }
    await bench.must(["set", "api", "TOKEN", "--store", "zopp"], { stdin: VALUE });
    t.same(readdirSync(join(outside, "shop-dev")), ["api.yaml"]);
    renameSync(outside, bench.path("real"));
    rmSync(bench.path("zopp"));
    symlinkSync("real", bench.path("zopp"));
    bench.write("zopp.yaml", "workspace: acme\nproject: shop\nenvironment: dev\nstore: zopp\n");
    t.equal((await bench.must(["get", "api", "TOKEN"])).out, VALUE, "a link within the folder is followed");
  },
);

t.test("init writes no zopp.yaml that every other command would refuse", async (t) => {
  const bench = new Workbench(t);
  symlinkSync(bench.folder, bench.path("link"));
  await bench.init("--store", "link/outside");
  t.notOk(readdirSync(bench.checkout).includes("zopp.yaml"));
});

t.test("a zopp.yaml chooses none of the clusters that a person can reach", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  bench.write("zopp.yaml", "workspace: acme\nproject: shop\nenvironment: dev\nstore: cluster:production\n");
  const ran = await bench.run(["set", "api", "TOKEN"], { stdin: VALUE });
  t.equal(ran.code, 5);
  t.match(ran.err, "Malformed: ");
  t.match(ran.err, "names a context: choose one by --context or ZOPP_STORE");
  await bench.must(["list", "--store", "zopp"]);
});

t.test("a folder that is a link leads no new bundle outside", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const outside = join(bench.folder, "outside");
  mkdirSync(outside);
  symlinkSync(outside, bench.path("zopp/shop-dev"));
  const ran = await bench.run(["set", "api", "TOKEN"], { stdin: VALUE });
  t.equal(ran.code, 1);
  t.match(ran.err, /FileUnwritable: .*shop-dev is a symbolic link/);
  t.same(readdirSync(outside), []);
});

t.test("names in manifests cannot steer the terminal", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  bench.write(
    "zopp/x.yaml",
    'apiVersion: zopp.dev/v1alpha1\nkind: ZoppSecret\nmetadata: {name: "\\e[2Jx", namespace: "a\\e]0;y"}\nspec: {}\n',
  );
  const ran = await bench.run(["verify"]);
  t.equal(ran.code, 5);
  t.notMatch(ran.out + ran.err, "\u001b");
});
