// Groups and grants taken back: who gets the key of a direct environment by them, and who loses it.
import t from "tap";
import { Workbench } from "../run.case.js";

async function withTwo(bench: Workbench): Promise<void> {
  const pin = await bench.init();
  await bench.admit("bob", pin);
  await bench.admit("carol", pin);
  await bench.must(["set", "api", "TOKEN"], { stdin: "x" });
}

const reads = async (bench: Workbench, as: string): Promise<boolean> => {
  const ran = await bench.run(["get", "api", "TOKEN"], { as });
  return ran.code === 0 && ran.out === "x";
};

t.test("who comes into a group of readers gets the key, and who goes loses it", async (t) => {
  const bench = new Workbench(t);
  await withTwo(bench);
  t.match((await bench.must(["group", "add", "sre", "bob"])).out, "made group sre: bob");
  await bench.must(["grant", "group:sre", "read", "--scope", "shop/dev"]);
  t.same([await reads(bench, "bob"), await reads(bench, "carol")], [true, false]);
  await bench.must(["group", "add", "sre", "carol", "bob"]);
  t.ok(await reads(bench, "carol"));
  const { err } = await bench.must(["group", "remove", "sre", "bob"]);
  t.match(err, "bob had the key of environment acme/shop/dev");
  t.same([await reads(bench, "bob"), await reads(bench, "carol")], [false, true]);
  const listed = JSON.parse((await bench.must(["group", "list", "-o", "json"])).out) as object;
  t.match(listed, { groups: [{ name: "sre", members: ["carol"], namedBy: ["the grant read on shop/dev"] }] });
});

t.test("a group goes when nothing names it any more", async (t) => {
  const bench = new Workbench(t);
  await withTwo(bench);
  await bench.must(["group", "add", "sre", "bob"]);
  await bench.must(["grant", "group:sre", "read", "--scope", "shop/dev"]);
  await bench.must(["grant", "group:sre", "submit", "--scope", "shop"]);
  await bench.must(["environment", "create", "shop/production", "-n", "shop-prod", "--access", "direct"]);
  await bench.amend((content) => ({
    ...content,
    environments: (content.environments ?? []).map((rule) =>
      rule.name === "shop/production" ? { ...rule, approvals: { required: 1, approvers: ["group:sre"] } } : rule,
    ),
  }));
  const ran = await bench.run(["group", "remove", "sre"]);
  t.equal(ran.code, 7);
  t.match(
    ran.err,
    "group sre is still named by the grant submit on shop; the grant read on shop/dev; the approvers of",
  );
  await bench.must(["revoke", "group:sre", "read", "--scope", "shop/dev"]);
  await bench.must(["revoke", "group:sre", "submit", "--scope", "shop"]);
  t.match(await bench.run(["group", "remove", "sre"]), { code: 7, err: "by the approvers of shop/production" });
  await bench.amend((content) => ({
    ...content,
    environments: (content.environments ?? []).map(({ approvals: _, ...rule }) => rule),
  }));
  await bench.must(["group", "remove", "sre"]);
  t.match((await bench.must(["group", "list"])).out, "no groups");
});

t.test("what cannot be done with groups is refused", async (t) => {
  const bench = new Workbench(t);
  await withTwo(bench);
  await bench.must(["group", "add", "sre", "bob"]);
  const cases: [string[], string, number][] = [
    [["add", "sre", "eve"], "NotFound: workspace acme names no principal eve", 4],
    [["add", "sre", "group:sre"], "NotFound", 4],
    [["add", "sre", "bob"], "AlreadyExists: group sre has bob as members already", 7],
    [["add", "Sre", "bob"], "Usage", 2],
    [["add", "sre"], "Usage", 2],
    [["remove", "ops"], "NotFound: workspace acme names no group ops", 4],
    [["remove", "sre", "carol"], "NotFound: group sre has no member carol; it has bob", 4],
  ];
  for (const [words, text, exit] of cases)
    t.match(await bench.run(["group", ...words]), { code: exit, err: text }, words.join(" "));
  const own = await bench.run(["group", "add", "sre", "carol"], { as: "carol" });
  t.match(own, { code: 3, err: "NotAuthorised" }, "nobody joins a group by himself");
});

t.test("a reader whose grant is taken back loses the key, but not what another grant gives", async (t) => {
  const bench = new Workbench(t);
  await withTwo(bench);
  await bench.must(["group", "add", "sre", "bob"]);
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev"]);
  await bench.must(["grant", "group:sre", "write", "--scope", "shop"]);
  const first = await bench.must(["revoke", "bob", "read", "--scope", "shop/dev"]);
  t.match(first.out, "it still has write on shop");
  t.ok(await reads(bench, "bob"));
  const second = await bench.must(["revoke", "group:sre", "write", "--scope", "shop", "-o", "json"]);
  t.match(JSON.parse(second.out), { left: [], lost: [{ environment: "acme/shop/dev", principal: "bob" }] });
  t.notOk(await reads(bench, "bob"));
});

t.test("a reader's end is an end for what is sealed from then on: the key is taken before others go on", async (t) => {
  const bench = new Workbench(t);
  await withTwo(bench);
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev", "--expires", "2h"]);
  t.ok(await reads(bench, "bob"));
  bench.tick(3 * 3600);
  const ran = await bench.run(["set", "api", "TOKEN"], { stdin: "after bob" });
  t.match(ran, { code: 3, err: /UnknownRecipient: .* whose right to read has ended: `zopp revoke` takes the key too/ });
  t.match((await bench.must(["principal", "list"])).out, /bob +person +first/);
  const owners = { threshold: 1, principals: ["alice", "carol"] };
  const signingKeys = [(await bench.identity()).signing, (await bench.identity("carol")).signing];
  await bench.amend((content) => ({ ...content, owners }), { signingKeys, now: bench.now });
  const beside = await bench.must(["group", "add", "sre", "carol"], { as: "carol" });
  t.match(beside.err, "environment shop/dev is left as it is", "an owner who is no admin is not held back by it");
  const { err } = await bench.must(["revoke", "bob", "read", "--scope", "shop/dev"]);
  t.match(err, "bob had the key of environment acme/shop/dev");
  await bench.must(["set", "api", "TOKEN"], { stdin: "after bob" });
  t.match(await bench.run(["get", "api", "TOKEN"], { as: "bob" }), { code: 6, out: "" });
});

t.test("what was not granted so cannot be taken back so, and the error says what there is", async (t) => {
  const bench = new Workbench(t);
  await withTwo(bench);
  await bench.must(["grant", "bob", "write", "--scope", "shop"]);
  const ran = await bench.run(["revoke", "bob", "read", "--scope", "shop"]);
  t.match(ran, { code: 4, err: "NotFound: bob has no grant of read on shop; it has write on shop" });
  t.match(await bench.run(["revoke", "eve", "read", "--scope", "shop"]), { code: 4, err: "it has none" });
  t.match(await bench.run(["revoke", "bob", "write", "--scope", "a/b/c"]), { code: 2 });
});

t.test("an admin of one environment gives and takes in it what he may, and nothing beyond", async (t) => {
  const bench = new Workbench(t);
  await withTwo(bench);
  await bench.must(["grant", "bob", "admin", "--scope", "shop/dev"]);
  await bench.must(["grant", "carol", "write", "--scope", "shop/dev"], { as: "bob" });
  t.ok(await reads(bench, "carol"), "others accept what he signed");
  await bench.must(["revoke", "carol", "write", "--scope", "shop/dev"], { as: "bob" });
  t.notOk(await reads(bench, "carol"));
  const before = ["zopp/acme.yaml", "zopp/acme.shop.dev.yaml"].map((file) => bench.read(file));
  const tries = [
    ["grant", "bob", "admin", "--scope", "shop"],
    ["grant", "bob", "audit", "--scope", "shop/dev"],
    ["grant", "carol", "admin", "--scope", "shop/dev"],
    ["grant", "carol", "read", "--scope", "*"],
    ["revoke", "alice", "admin", "--scope", "*"],
    ["token", "create", "mine", "--scope", "shop/dev"],
  ];
  for (const words of tries)
    t.match(await bench.run(words, { as: "bob" }), { code: 3, err: "NotAuthorised" }, words.join(" "));
  t.same(
    ["zopp/acme.yaml", "zopp/acme.shop.dev.yaml"].map((file) => bench.read(file)),
    before,
  );
});

t.test("a reader lowers nobody's rights", async (t) => {
  const bench = new Workbench(t);
  await withTwo(bench);
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev"]);
  await bench.must(["grant", "carol", "write", "--scope", "shop/dev"]);
  for (const words of [
    ["revoke", "carol", "write", "--scope", "shop/dev"],
    ["revoke", "alice", "admin", "--scope", "*"],
    ["grant", "alice", "read", "--scope", "shop/dev"],
  ])
    t.match(await bench.run(words, { as: "bob" }), { code: 3, err: "NotAuthorised" }, words.join(" "));
});
