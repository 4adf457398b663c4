// People who come and go: real files, several people, and what those who leave or were never admitted try.
import t from "tap";
import { Workbench } from "../run.case.js";

/** Alice's workspace with bob admitted, and a value of a direct environment. */
async function withBob(bench: Workbench): Promise<string> {
  const pin = await bench.init();
  await bench.admit("bob", pin, "--device", "laptop");
  await bench.must(["set", "api", "TOKEN"], { stdin: "x" });
  return pin;
}

t.test("who is admitted by what whoami prints may do nothing until something is granted", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench);
  t.equal((await bench.run(["get", "api", "TOKEN"], { as: "bob" })).code, 6);
  t.match((await bench.run(["set", "api", "TOKEN"], { as: "bob", stdin: "b" })).err, "NotAuthorised");
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "bob" })).out, "x");
});

t.test(
  "the list shows devices, ends, groups and grants in effect, those of environments and by groups too",
  async (t) => {
    const bench = new Workbench(t);
    const pin = await withBob(bench);
    await bench.admit("ci", pin, "--kind", "service", "--expires", "90d");
    await bench.must(["group", "add", "sre", "bob"]);
    await bench.must(["grant", "group:sre", "write", "--scope", "shop"]);
    await bench.must(["grant", "ci", "submit", "--scope", "shop/dev", "--keys", "IMAGE_*", "--expires", "2h"]);
    const { out } = await bench.must(["principal", "list", "-o", "json"]);
    t.match(JSON.parse(out), {
      principals: [
        { name: "alice", owner: true, rights: [{ role: "admin", scope: "*" }] },
        { name: "bob", owner: false, devices: [{ name: "laptop" }], groups: ["sre"], rights: [{ by: "group:sre" }] },
        {
          name: "ci",
          kind: "service",
          ended: false,
          rights: [{ role: "submit", scope: "shop/dev", keys: ["IMAGE_*"] }],
        },
      ],
    });
    t.match((await bench.must(["principal", "list"])).out, /bob +person +laptop +sre +write on shop by group:sre/);
    bench.tick(3 * 3600);
    const later = JSON.parse((await bench.must(["principal", "list", "-o", "json"])).out) as { principals: object[] };
    t.match(later.principals[2], { ended: false, rights: [] }, "the grant has ended");
    bench.tick(91 * 86_400);
    t.match((await bench.must(["principal", "list"])).out, /ci +service +first +ended /);
  },
);

t.test("what cannot be admitted is refused, and nothing is written", async (t) => {
  const bench = new Workbench(t);
  const pin = await withBob(bench);
  const bobs = JSON.parse((await bench.must(["whoami", "-o", "json"], { as: "bob" })).out) as {
    keys: { signingKey: string; encryptionKey: string };
  };
  const keys = ["--signing-key", bobs.keys.signingKey, "--encryption-key", bobs.keys.encryptionKey];
  await bench.person("eve", pin);
  bench.write("eve.json", (await bench.must(["whoami", "-o", "json"], { as: "eve" })).out);
  bench.write("no.json", "{}");
  const before = bench.read("zopp/acme.yaml");
  const cases: [string, string[], string, number][] = [
    ["a name that is there", ["bob", "--from", "eve.json"], "AlreadyExists: workspace acme names a principal bob", 7],
    ["keys that are somebody's", ["eve", ...keys], "KeyAmbiguous", 3],
    ["no keys", ["eve"], "Usage: --signing-key is", 2],
    ["keys twice", ["eve", "--from", "eve.json", ...keys], "Usage: give the keys by", 2],
    ["another JSON", ["eve", "--from", "no.json"], "Usage", 2],
    ["a file that is not there", ["eve", "--from", "none.json"], "NotFound", 4],
    ["a name that is none", ["Eve", "--from", "eve.json"], "Usage", 2],
    ["a workload", ["eve", "--kind", "workload", "--from", "eve.json"], "Usage", 2],
  ];
  for (const [title, words, text, exit] of cases) {
    const ran = await bench.run(["principal", "add", ...words]);
    t.match(ran, { code: exit, err: text }, title);
  }
  const own = await bench.run(["principal", "add", "eve", "--from", "eve.json"], { as: "bob" });
  t.match(own, { code: 3, err: "NotAuthorised: workspace acme is signed by its owners" }, "a member admits nobody");
  t.equal(bench.read("zopp/acme.yaml"), before);
});

t.test("who leaves opens and signs nothing more, and stands nowhere any more; what is written stays", async (t) => {
  const bench = new Workbench(t);
  const pin = await withBob(bench);
  await bench.admit("carol", pin);
  await bench.must(["group", "add", "sre", "bob", "carol"]);
  await bench.must(["grant", "bob", "write", "--scope", "shop"]);
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev"]);
  await bench.must(["grant", "carol", "read", "--scope", "shop/dev"]);
  await bench.must(["set", "api", "BOBS"], { as: "bob", stdin: "b" });
  const gone = await bench.must(["principal", "remove", "bob", "-o", "json"]);
  t.match(JSON.parse(gone.out), {
    lost: [{ environment: "acme/shop/dev", epochs: [1], principal: "bob" }],
    signed: [{ bundle: "shop-dev/api", header: false, keys: ["BOBS"] }],
  });
  t.match(gone.err, /bob had the key of environment acme\/shop\/dev \(epoch 1\).*zopp environment rekey.*sources/);
  for (const file of ["zopp/acme.yaml", "zopp/acme.shop.dev.yaml"]) t.notMatch(bench.read(file), /\bbob\b/, file);
  const wraps = (await bench.identity("bob")).encryption.publicKey.kid;
  t.notMatch(bench.read("zopp/acme.shop.dev.yaml"), wraps);
  t.match(await bench.run(["get", "api", "TOKEN"], { as: "bob" }), { code: 6, out: "" });
  t.match((await bench.run(["set", "api", "TOKEN"], { as: "bob", stdin: "b" })).err, "UnknownSigner");
  t.match(await bench.must(["get", "api", "BOBS"], { as: "carol" }), { out: "b", err: "AuthorLeft" });
  t.match(await bench.run(["verify"]), { code: 0, out: "AuthorLeft" });
});

t.test("what a leaver had signed is signed again, so that others go on working", async (t) => {
  const bench = new Workbench(t);
  const pin = await withBob(bench);
  await bench.must(["grant", "bob", "admin", "--scope", "shop/dev"]);
  await bench.admit("carol", pin);
  await bench.must(["grant", "carol", "read", "--scope", "shop/dev"], { as: "bob" });
  await bench.must(["set", "web", "KEY"], { as: "bob", stdin: "w" });
  const gone = await bench.must(["principal", "remove", "bob"]);
  t.match(gone.err, "shop-dev/web (header, KEY)");
  t.equal((await bench.must(["get", "web", "KEY"], { as: "carol" })).out, "w");
  await bench.must(["set", "api", "TOKEN"], { stdin: "after" });
  t.equal((await bench.must(["get", "api", "TOKEN"], { as: "carol" })).out, "after");
  await bench.must(["set", "web", "KEY", "--sign-header"], { stdin: "again" });
  t.match(await bench.run(["verify", "--as-new-cluster"]), { code: 0 });
});

t.test("an owner who could not sign the environments again removes nobody by halves", async (t) => {
  const bench = new Workbench(t);
  const pin = await withBob(bench);
  await bench.admit("carol", pin);
  await bench.must(["grant", "carol", "admin", "--scope", "*"]);
  await bench.must(["grant", "bob", "read", "--scope", "shop/dev"], { as: "carol" });
  await bench.must(["grant", "alice", "read", "--scope", "*"]);
  await bench.must(["revoke", "alice", "admin", "--scope", "*"]);
  const before = bench.read("zopp/acme.yaml");
  const ran = await bench.run(["principal", "remove", "carol"]);
  t.match(ran, { code: 3, err: "zopp grant alice admin --scope shop/dev" });
  t.equal(bench.read("zopp/acme.yaml"), before);
});

t.test("--compromised says what must be done now, and by which commands", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench);
  await bench.must(["grant", "bob", "write", "--scope", "shop"]);
  await bench.must(["set", "api", "BOBS"], { as: "bob", stdin: "b" });
  const { err } = await bench.must(["principal", "remove", "bob", "--compromised"]);
  for (const text of [
    /every cluster at once: `zopp policy offer`/,
    /at its source, first of all/,
    /`zopp exposure NAME` lists these values/,
    /shop-dev\/api \(BOBS\)/,
  ])
    t.match(err, text);
});

t.test("the name of one who left brings nobody his old rights", async (t) => {
  const bench = new Workbench(t);
  const pin = await withBob(bench);
  await bench.person("bob-2", pin);
  bench.write("bob.json", (await bench.must(["whoami", "-o", "json"], { as: "bob-2" })).out);
  // taken out by hand, in the workspace only
  await bench.must(["grant", "bob", "write", "--scope", "shop"]);
  await bench.must(["revoke", "bob", "write", "--scope", "shop"]);
  await bench.amend((content) => ({
    ...content,
    principals: content.principals.filter(({ name }) => name !== "bob"),
    grants: [...(content.grants ?? []), { subject: "bob", role: "write", scope: "shop" }],
  }));
  const ran = await bench.run(["principal", "add", "bob", "--from", "bob.json"]);
  t.match(ran, { code: 7, err: "whose rights a new one would get: the grant write on shop" });
  await bench.must(["revoke", "bob", "write", "--scope", "shop"]);
  await bench.must(["principal", "add", "bob", "--from", "bob.json"]);
});

t.test("an owner goes while the threshold holds; those who were away follow", async (t) => {
  const bench = new Workbench(t);
  const pin = await withBob(bench);
  await bench.must(["verify"], { as: "bob" });
  const alice = (await bench.identity()).signing;
  const bob = (await bench.identity("bob")).signing;
  await bench.amend((content) => ({ ...content, owners: { threshold: 1, principals: ["alice", "bob"] } }), {
    signingKeys: [alice, bob],
    now: bench.now,
  });
  const self = await bench.run(["principal", "remove", "alice"]);
  t.match(self, { code: 7, err: "StillNeeded: workspace acme: the device that signs this cannot take itself out" });
  const { err } = await bench.must(["principal", "remove", "bob"]);
  t.match(err, /the owners' keys changed: .* new ones pin acme@\d+:[0-9a-f]{64}/);
  await bench.person("dora", pin);
  t.equal((await bench.run(["verify"], { as: "dora" })).code, 0, "a client with the first pin");
  const last = await bench.run(["principal", "remove", "alice"]);
  t.match(last, {
    code: 7,
    err: "StillNeeded: workspace acme is signed by 1 of its owners, and without alice there are 0",
  });
});

t.test("a member removes no owner, not even by a policy of his own making", async (t) => {
  const bench = new Workbench(t);
  await withBob(bench);
  await bench.must(["grant", "bob", "admin", "--scope", "*"]);
  const ran = await bench.run(["principal", "remove", "alice"], { as: "bob" });
  t.match(ran, { code: 3, err: "NotAuthorised: workspace acme is signed by its owners (alice); bob is none" });
  const bobs = { signingKeys: [(await bench.identity("bob")).signing], now: bench.now };
  await bench.amend((content) => ({ ...content, owners: { threshold: 1, principals: ["bob"] } }), bobs);
  t.match(await bench.run(["list"]), { code: 0 });
  t.match(await bench.run(["set", "api", "TOKEN"], { stdin: "y" }), { code: 3, err: "PinMismatch" });
});

t.test("approvals that would have nobody left to give them keep their approvers", async (t) => {
  const bench = new Workbench(t);
  const pin = await withBob(bench);
  await bench.admit("carol", pin);
  await bench.must(["group", "add", "sre", "bob", "carol"]);
  await bench.must(["environment", "create", "shop/production", "-n", "shop-prod", "--access", "direct"]);
  await bench.amend((content) => ({
    ...content,
    environments: (content.environments ?? []).map((rule) =>
      rule.name === "shop/production" ? { ...rule, approvals: { required: 2, approvers: ["group:sre"] } } : rule,
    ),
  }));
  const text = "StillNeeded: environment acme/shop/production asks for 2 approvals, which only carol could still give";
  for (const words of [
    ["principal", "remove", "bob"],
    ["group", "remove", "sre", "bob"],
  ])
    t.match(await bench.run(words), { code: 7, err: text }, words.join(" "));
});
