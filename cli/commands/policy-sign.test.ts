// Several owners: changes wait as proposals until enough of them have signed, and nobody follows them before.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import type { WorkspaceSpec } from "../../crds/types.gen.js";
import { git, Workbench } from "../run.case.js";
import { openDirectory } from "../store/directory.js";

async function policy(bench: Workbench): Promise<WorkspaceSpec> {
  const store = openDirectory({ root: join(bench.checkout, "zopp"), cwd: bench.checkout });
  const found = await store.read("ZoppWorkspace", { name: "acme" });
  if (found === undefined) throw new Error("no workspace");
  return found.spec;
}

const SIGN = ["policy", "sign", "--yes"];

/** acme of alice, bob and carol, two of whom sign; gives the pin from when alice was alone. */
async function threeOwners(t: Test): Promise<{ readonly bench: Workbench; readonly pin: string }> {
  const bench = new Workbench(t);
  const pin = await bench.init();
  for (const name of ["bob", "carol"]) await bench.admit(name, pin);
  const ran = await bench.must(["policy", "owners", "alice", "bob", "carol", "--threshold", "2"]);
  t.match(ran.err, "PartlySigned", "the new owners sign it as well");
  t.match(await policy(bench), { owners: { threshold: 1, principals: ["alice"] } });
  await bench.must(SIGN, { as: "carol" });
  t.match(await policy(bench), { owners: { threshold: 2, principals: ["alice", "bob", "carol"] } });
  return { bench, pin };
}

t.test(
  "a change waits for the second owner while everybody goes on, and is the policy once it is signed",
  async (t) => {
    const { bench, pin } = await threeOwners(t);
    const before = await policy(bench);
    const half = await bench.must(["grant", "bob", "audit", "--scope", "*"]);
    t.match(half.out, "as a proposal in zopp/acme.yaml");
    t.match(half.err, /PartlySigned: .* 1 of 2 owners' signatures; missing from: bob, carol/);
    t.same(await policy(bench), before);
    await bench.must(["set", "api", "K"], { stdin: "meanwhile" });
    await bench.must(["verify"]);
    const shown = await bench.must(["policy", "propose"], { as: "bob" });
    t.match(shown.out, "+ grants: subject bob role audit scope *");
    t.match(shown.out, "signed by alice");
    t.match(await bench.run(["policy", "sign"], { as: "bob", answers: ["n"] }), {
      code: 1,
      err: "+ grants: subject bob",
    });
    t.same(await policy(bench), before);
    const done = await bench.must(["policy", "sign"], { as: "bob", answers: ["y"] });
    t.match(done.out, "is in force, signed by alice, bob");
    t.match((await policy(bench)).grants?.at(-1), { subject: "bob", role: "audit" });
    t.notMatch(bench.read("zopp/acme.yaml"), "zopp.dev/proposal");
    await bench.person("dora", pin);
    t.match(
      await bench.must(["verify"], { as: "dora" }),
      { code: 0 },
      "who was away since there was one owner follows",
    );
  },
);

t.test("one owner alone, on however many devices, changes nothing", async (t) => {
  const { bench } = await threeOwners(t);
  await bench.person("phone");
  bench.write("phone.json", (await bench.must(["whoami", "-o", "json"], { as: "phone" })).out);
  await bench.must(["device", "add", "alice", "phone", "--from", "phone.json"]);
  await bench.must(SIGN, { as: "bob" });
  await bench.must(["trust", (await bench.must(["trust"])).out.trim()], { as: "phone" });
  await bench.must(["grant", "carol", "audit", "--scope", "*"]);
  const before = await policy(bench);
  for (const as of ["alice", "phone"])
    t.match(await bench.run(SIGN, { as }), { code: 7, err: "alice has signed this proposal" }, as);
  t.same(await policy(bench), before);
  await bench.must(SIGN, { as: "carol" });
  t.match((await policy(bench)).grants?.at(-1), { subject: "carol", role: "audit" });
});

t.test("who is no owner neither proposes nor signs", async (t) => {
  const { bench, pin } = await threeOwners(t);
  await bench.must(["invite", "create", "zoe"]);
  await bench.person("dora", pin);
  t.match(await bench.run(SIGN, { as: "dora" }), { code: 3, err: "NotAuthorised" });
  await bench.must(["policy", "propose", "--drop"]);
  for (const words of [
    ["grant", "bob", "admin", "--scope", "*"],
    ["policy", "owners", "bob", "carol"],
  ])
    t.match(await bench.run(words, { as: "dora" }), { code: 3 }, words.join(" "));
});

t.test("one proposal at a time; it can be taken back, and what was overtaken is dropped by the next", async (t) => {
  const { bench } = await threeOwners(t);
  await bench.must(["grant", "bob", "audit", "--scope", "*"]);
  t.match(await bench.run(["grant", "carol", "audit", "--scope", "*"]), { code: 7, err: "StillNeeded" });
  await bench.must(["policy", "propose", "--drop"]);
  t.match(await bench.run(["policy", "sign"]), { code: 4, err: "no proposal" });
  await bench.must(["grant", "carol", "audit", "--scope", "*"]);
  const waiting = bench.read("zopp/acme.yaml");
  await bench.must(SIGN, { as: "carol" });
  const annotation = /zopp.dev\/proposal: (\S+)/.exec(waiting)?.[1] ?? "";
  const moved = bench
    .read("zopp/acme.yaml")
    .replace(/^( *)name: acme\n/m, `$1name: acme\n$1annotations:\n$1  zopp.dev/proposal: ${annotation}\n`);
  bench.write("zopp/acme.yaml", moved);
  t.match(
    await bench.run(SIGN, { as: "bob" }),
    { code: 7, err: /comes into force no more.*in force already/ },
    "what came into force is no proposal any more",
  );
  await bench.must(["grant", "bob", "audit", "--scope", "*"]);
  bench.write("zopp/acme.yaml", bench.read("zopp/acme.yaml").replace(/(zopp.dev\/proposal: ).{40}/, "$1"));
  t.match(await bench.run(SIGN, { as: "bob" }), { code: 5, err: "proposal of workspace acme is damaged" });
  await bench.must(["set", "api", "K"], { stdin: "all others go on" });
  await bench.must(["policy", "propose", "--drop"]);
});

t.test("a proposal that was tampered with lacks the signatures that it had", async (t) => {
  const { bench } = await threeOwners(t);
  await bench.must(["grant", "bob", "audit", "--scope", "shop"]);
  const text = bench.read("zopp/acme.yaml");
  const packed = /zopp.dev\/proposal: (\S+)/.exec(text)?.[1] ?? "";
  const more = gunzipSync(Buffer.from(packed, "base64"))
    .toString()
    .replace('"role":"audit","scope":"shop"', '"role":"admin","scope":"*"');
  t.match(more, '"role":"admin","scope":"*"');
  bench.write("zopp/acme.yaml", text.replace(packed, gzipSync(more).toString("base64")));
  t.match((await bench.must(["policy", "propose"], { as: "bob" })).out, "signed by nobody");
  const ran = await bench.must(SIGN, { as: "bob" });
  t.match(ran.err, /PartlySigned: .*missing from: alice, carol/);
  t.same((await policy(bench)).grants?.length, 1);
});

t.test("a leaver goes by two signatures, with the keys of direct environments", async (t) => {
  const { bench, pin } = await threeOwners(t);
  await bench.admit("mallory", pin);
  await bench.must(SIGN, { as: "bob" });
  await bench.must(["grant", "mallory", "read"]);
  await bench.must(["set", "api", "K"], { stdin: "v1" });
  t.equal((await bench.must(["get", "api", "K"], { as: "mallory" })).out, "v1");
  const gone = await bench.must(["principal", "remove", "mallory"]);
  t.match(gone.err, "PartlySigned");
  t.equal((await bench.must(["get", "api", "K"], { as: "mallory" })).out, "v1", "nothing is half done");
  await bench.must(SIGN, { as: "carol" });
  t.match(await bench.run(["get", "api", "K"], { as: "mallory" }), { code: 6, err: "NotRecipient" });
  t.notMatch(bench.read("zopp/acme.shop.dev.yaml"), "mallory");
  await bench.must(["verify"]);
  t.equal((await bench.must(["get", "api", "K"])).out, "v1");
});

t.test(
  "an environment that was changed meanwhile is made anew, from what it is when the last owner signs",
  async (t) => {
    const { bench, pin } = await threeOwners(t);
    await bench.admit("mallory", pin);
    await bench.must(SIGN, { as: "bob" });
    await bench.must(["grant", "mallory", "read"]);
    await bench.must(["principal", "remove", "mallory"]);
    await bench.must(["grant", "bob", "submit"]);
    const stuck = await bench.run(SIGN, { as: "carol" });
    t.match(stuck, { code: 3, err: "carol is no admin of it" }, "nothing is half done");
    t.match(await policy(bench), { principals: [{}, {}, {}, { name: "mallory" }] });
    await bench.must(["verify"]);
    await bench.must(["policy", "propose", "--drop"]);
    await bench.must(["grant", "carol", "admin", "--scope", "*"]);
    await bench.must(SIGN, { as: "bob" });
    await bench.must(["principal", "remove", "mallory"]);
    await bench.must(["grant", "carol", "submit"]);
    await bench.must(SIGN, { as: "carol" });
    const { out } = await bench.must(["principal", "list", "-o", "json"]);
    t.match(out, "submit");
    t.notMatch(out, "mallory");
    await bench.must(["verify"]);
  },
);

t.test("owners change one by one, and a former owner's chain leads nowhere", async (t) => {
  const { bench, pin } = await threeOwners(t);
  git(bench, "init", "-q");
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "three owners");
  const old = bench.read("zopp/acme.yaml");
  await bench.must(["policy", "owners", "bob", "carol"], { as: "bob" });
  await bench.must(SIGN, { as: "carol" });
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "two owners");
  t.match(await bench.run(["grant", "alice", "audit", "--scope", "*"]), { code: 3, err: "alice is none" });
  await bench.must(["policy", "owners", "--threshold", "1"], { as: "carol" });
  await bench.must(SIGN, { as: "bob" });
  t.match(await policy(bench), { owners: { threshold: 1, principals: ["bob", "carol"] } });
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "one signs");
  await bench.person("dora", pin);
  await bench.must(["principal", "list"], { as: "dora" });
  bench.write("zopp/acme.yaml", old);
  for (const as of ["alice", "bob", "dora"])
    t.match(await bench.run(["set", "api", "K"], { as, stdin: "v" }), { code: 7, err: "PolicyRollback" }, as);
});

t.test("the only owner hands over to another, who must want it", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.admit("bob", pin);
  t.match(await bench.run(["policy", "owners", "bob"], { as: "bob" }), { code: 3, err: "bob is none" });
  const given = await bench.must(["policy", "owners", "bob"]);
  t.match(given.err, /PartlySigned: .*\(owners after it\) has 0 of 1 owners' signatures; missing from: bob/);
  t.match(await policy(bench), { owners: { principals: ["alice"] } });
  await bench.must(SIGN, { as: "bob" });
  t.match(await policy(bench), { owners: { principals: ["bob"] } });
  t.match(await bench.run(["grant", "alice", "audit", "--scope", "*"]), { code: 3, err: "alice is none" });
  await bench.must(["grant", "alice", "audit", "--scope", "*"], { as: "bob" });
  t.match(await bench.run(["policy", "owners", "alice", "--threshold", "2"], { as: "bob" }), { code: 2 });
  t.match(await bench.run(["policy", "owners", "zoe"], { as: "bob" }), { code: 4, err: "no principal zoe" });
});

t.test("what others write into the place of a proposal hinders no owner", async (t) => {
  const { bench } = await threeOwners(t);
  await bench.must(["grant", "bob", "audit", "--scope", "*"]);
  const signed = bench.read("zopp/acme.yaml");
  const packed = /zopp.dev\/proposal: (\S+)/.exec(signed)?.[1] ?? "";
  const { spec } = JSON.parse(gunzipSync(Buffer.from(packed, "base64")).toString()) as { spec: object };
  const put = (value: object | Buffer) => {
    const bytes = Buffer.isBuffer(value) ? value : gzipSync(JSON.stringify(value));
    bench.write("zopp/acme.yaml", signed.replace(packed, bytes.toString("base64")));
  };
  for (const [title, value] of [
    ["one that nobody signed", { spec: { ...spec, signatures: [] } }],
    ["one of another form", { spec: { ...spec, more: true } }],
    ["what unpacks to more than memory should hold", gzipSync(Buffer.alloc(64 * 1024 * 1024))],
    ["what is not packed at all", Buffer.from("proposal")],
  ] as const) {
    put(value);
    await bench.must(["set", "api", "K"], { stdin: title });
    const ran = await bench.must(["grant", "carol", "audit", "--scope", "*"]);
    t.match(ran.err, "PartlySigned", title);
    t.match((await bench.must(["policy", "propose"])).out, "subject carol role audit", title);
  }
});

t.test("a manifest that was edited by hand is signed as the next version, or proposed", async (t) => {
  const { bench } = await threeOwners(t);
  const text = bench.read("zopp/acme.yaml");
  const edited = join(bench.folder, "edited.yaml");
  execFileSync("cp", [bench.path("zopp/acme.yaml"), edited]);
  t.match(await bench.run(["policy", "propose", edited]), { code: 2, err: "differs in nothing" });
  bench.write("../edited.yaml", text.replace("shop-dev", "shop-test"));
  const ran = await bench.must(["policy", "propose", edited]);
  t.match(ran.out, "+ environments[shop/dev].namespaces: shop-test");
  t.match(ran.out, "- environments[shop/dev].namespaces: shop-dev");
  await bench.must(SIGN, { as: "carol" });
  t.same((await policy(bench)).environments?.[0]?.namespaces, ["shop-test"]);
});
