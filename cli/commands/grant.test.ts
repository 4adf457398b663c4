import t from "tap";
import { workspaceStatement } from "../../crds/statement.js";
import { principalOf, Workbench } from "../run.case.js";
import { openDirectory } from "../store/directory.js";

const workspaceOf = async (bench: Workbench) => {
  const found = await openDirectory({ root: bench.path("zopp"), cwd: bench.checkout }).read("ZoppWorkspace", {
    name: "acme",
  });
  if (found === undefined) throw new Error("no workspace");
  return found.spec;
};

async function withBob(bench: Workbench): Promise<void> {
  const pin = await bench.init();
  const bob = await bench.person("bob", pin);
  await bench.amend((content) => ({
    ...content,
    principals: [...content.principals, principalOf("bob", bob)],
    groups: [{ name: "sre", members: ["bob"] }],
  }));
  await bench.must(["set", "api", "TOKEN"], { stdin: "x" });
}

t.test("a reader of a direct environment gets its key with the grant", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench);
  t.equal((await bench.run(["get", "api", "TOKEN"], { as: "bob" })).code, 6);
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev"]);
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "bob" })).out, "x");
});

t.test("a grant on a project or on everything is the owners', and reaches its direct environments too", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench);
  await bench.must(["grant", "group:sre", "write", "--scope", "shop", "--expires", "90d"]);
  t.match((await workspaceOf(bench)).grants, [{}, { subject: "group:sre", role: "write", scope: "shop" }]);
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "bob" })).out, "x");
  await bench.must(["set", "api", "TOKEN"], { as: "bob", stdin: "bob's" });
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "bob's");
});

t.test("a submitter sets the keys of its patterns, and reads none of them, its own neither", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench);
  await bench.must(["grant", "bob", "submit", "--scope", "shop/dev", "--keys", "IMAGE_*"]);
  await bench.must(["set", "api", "IMAGE_TAG"], { as: "bob", stdin: "v1" });
  const ran = await bench.run(["set", "api", "TOKEN"], { as: "bob", stdin: "stolen" });
  t.equal(ran.code, 3);
  t.match(ran.err, "NotAuthorised");
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "x");
  const read = await bench.run(["get", "api", "IMAGE_TAG"], { as: "bob" });
  t.not(read.code, 0);
  t.equal(read.out, "");
  t.equal((await bench.must(["get", "api", "IMAGE_TAG"])).out, "v1");
});

t.test("what cannot be granted is refused", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench);
  await bench.must(["grant", "bob", "submit", "--scope", "shop/dev"]);
  const cases: [string, string[], string, number][] = [
    ["to somebody unknown", ["eve", "read"], "NotFound", 4],
    ["to an unknown group", ["group:none", "read"], "NotFound", 4],
    ["an unknown role", ["bob", "god"], "Usage", 2],
    ["the same again", ["bob", "submit", "--scope", "shop/dev"], "AlreadyExists", 7],
    ["a read limited to keys where access is direct", ["bob", "read", "--keys", "A*"], "GrantNotEnforceable", 3],
    ["the same for a whole project", ["bob", "read", "--keys", "A*", "--scope", "shop"], "GrantNotEnforceable", 3],
    ["a scope that is none", ["bob", "read", "--scope", "a/b/c"], "Usage", 2],
    ["an end in the past", ["bob", "read", "--expires", "2020-01-01"], "Usage", 2],
    ["in an unknown environment", ["bob", "read", "--scope", "shop/nope"], "UnknownEnvironment", 4],
  ];
  const files = ["zopp/acme.yaml", "zopp/acme.shop.dev.yaml"];
  const before = files.map((file) => bench.read(file));
  for (const [title, words, code, exit] of cases) {
    const ran = await bench.run(["grant", ...words]);
    t.equal(ran.code, exit, `${title}: ${ran.err}`);
    t.match(ran.err, code, title);
  }
  t.same(
    files.map((file) => bench.read(file)),
    before,
  );
});

t.test("nobody grants beyond his own rights", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench);
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  const inEnvironment = await bench.run(["grant", "bob", "admin", "--scope", "shop/dev"], { as: "bob" });
  t.equal(inEnvironment.code, 3);
  t.match(inEnvironment.err, "NotAuthorised");
  const everywhere = await bench.run(["grant", "bob", "admin", "--scope", "*"], { as: "bob" });
  t.not(everywhere.code, 0, "an owner's signature is missing");
});

t.test("outside git every version is an ancestor of the next", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const first = workspaceStatement("acme", await workspaceOf(bench)).hash;
  await bench.must(["grant", "alice", "audit", "--scope", "*"]);
  const second = workspaceStatement("acme", await workspaceOf(bench)).hash;
  await bench.must(["grant", "alice", "read", "--scope", "*"]);
  t.same((await workspaceOf(bench)).ancestors, [second, first]);
});
