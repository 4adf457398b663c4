// A rekey as people do it: after somebody left, across a tree of files, interrupted, and not signing what nobody vouches for.

import { writeFileSync } from "node:fs";
import t from "tap";
import { readEnvironment } from "../../crds/policy/environment.js";
import { git, principalOf, Workbench } from "../run.case.js";
import { openDirectory } from "../store/directory.js";

const FILES = ["api", "web"].map((name) => `zopp/shop-dev/${name}.yaml`);
const ENVIRONMENT = "zopp/acme.shop.dev.yaml";

/** alice and bob write two bundles of a direct environment; all of it is committed. */
async function team(bench: Workbench): Promise<void> {
  const pin = await bench.init("--namespace", "shop-dev");
  const bob = await bench.person("bob", pin);
  await bench.amend((content) => ({ ...content, principals: [...content.principals, principalOf("bob", bob)] }));
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  await bench.must(["set", "api", "TOKEN"], { stdin: "alice's" });
  await bench.must(["set", "api", "PORT", "--expires", "2099-01-01"], { stdin: "8080" });
  await bench.must(["set", "api", "OLD"], { stdin: "x" });
  await bench.must(["unset", "api", "OLD"]);
  await bench.must(["set", "web", "TOKEN"], { as: "bob", stdin: "bob's" });
  git(bench, "init", "-q");
  commit(bench, "before");
}

function commit(bench: Workbench, message: string): void {
  git(bench, "add", ".");
  git(bench, "commit", "-q", "-m", message);
}

const epochsOf = async (bench: Workbench) => {
  const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
  const found = await store.read("ZoppEnvironment", { name: "acme.shop.dev" });
  if (found === undefined) throw new Error("no environment");
  return [...readEnvironment(found).epochs.values()];
};

/** The text of a bundle's TOKEN. */
const entryOf = (text: string) => text.slice(text.indexOf("    TOKEN:"));

t.test("every value is sealed to the new key, and opens; what is not a value stays as it was", async (t) => {
  const bench = new Workbench(t);
  await team(bench);
  const [before = ""] = FILES.map((file) => bench.read(file));
  const ran = await bench.must(["environment", "rekey", "shop/dev"]);
  t.match(ran.out, /acme\/shop\/dev has epoch 2 now, for 3 recipients\nsealed 3 values again, in 2 bundles/);
  const [, newest] = await epochsOf(bench);
  for (const file of FILES) {
    const kids = [...bench.read(file).matchAll(/^ {6}to: (\S+)$/gm)].map(([, kid]) => kid);
    t.ok(kids.length > 0 && kids.every((kid) => kid === newest?.key.kid), file);
  }
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "alice's");
  t.equal((await bench.must(["get", "web", "TOKEN"], { as: "bob" })).out, "bob's");
  t.match((await bench.must(["verify"])).out, "verified 2 bundles");
  const changed = git(bench, "diff", "-U0", "--", FILES[0] ?? "").match(/^[+-] +\w+:/gm) ?? [];
  t.same([...new Set(changed.map((line) => line.replace(/^[+-] +/, "")))].sort(), [
    "sealed:",
    "signature:",
    "to:",
    "version:",
  ]);
  const headerOf = (text: string) => text.slice(0, text.indexOf("data:"));
  t.equal(headerOf(bench.read(FILES[0] ?? "")), headerOf(before));
  t.match(bench.read(FILES[0] ?? ""), /expires: "?2099-01-01T00:00:00Z"?/);
});

t.test("somebody who left opens nothing of the new epoch; what he wrote is taken over by who rekeys", async (t) => {
  const bench = new Workbench(t);
  await team(bench);
  await bench.must(["principal", "remove", "bob"]);
  await bench.must(["environment", "rekey", "shop/dev"]);
  const bob = (await bench.identity("bob")).encryption.publicKey.kid;
  const [, second] = await epochsOf(bench);
  t.notOk(second?.facts.sealed.some(({ to }) => to === bob));
  t.equal((await bench.must(["get", "web", "TOKEN"])).out, "bob's");
  t.notMatch((await bench.must(["verify", "--as-new-cluster"])).out, "AuthorLeft");
  t.not((await bench.run(["get", "web", "TOKEN"], { as: "bob" })).code, 0);
});

t.test("once his leaving is committed, the revision before it is named", async (t) => {
  const bench = new Workbench(t);
  await team(bench);
  await bench.must(["principal", "remove", "bob"]);
  commit(bench, "bob left");
  const before = [ENVIRONMENT, ...FILES].map((file) => bench.read(file));
  const ran = await bench.run(["environment", "rekey", "shop/dev"]);
  t.match(
    ran.err,
    /UnknownSigner: bundle shop-dev\/web: the header is signed by zk1\w+, whom the policy does not name any more/,
  );
  t.match(ran.err, "--base");
  t.same(
    [ENVIRONMENT, ...FILES].map((file) => bench.read(file)),
    before,
    "nothing is begun that cannot be finished",
  );
  await bench.must(["environment", "rekey", "shop/dev", "--base", "HEAD~1"]);
  t.equal((await bench.must(["get", "web", "TOKEN"])).out, "bob's");
});

t.test(
  "what somebody signs with his old key after he left is not signed anew, whatever revision names him",
  async (t) => {
    const bench = new Workbench(t);
    await team(bench);
    const policy = [ENVIRONMENT, "zopp/acme.yaml"].map((file) => [file, bench.read(file)] as const);
    await bench.must(["principal", "remove", "bob"]);
    commit(bench, "bob left");
    const now = policy.map(([file]) => [file, bench.read(file)] as const);
    const [, web = ""] = FILES;
    const good = bench.read(web);
    // he has a clone of before, and may still push
    for (const [file, text] of policy) bench.write(file, text);
    await bench.must(["set", "web", "TOKEN"], { as: "bob", stdin: "bob's, of later" });
    for (const [file, text] of now) bench.write(file, text);
    commit(bench, "a new token");
    const before = [ENVIRONMENT, ...FILES].map((file) => bench.read(file));
    const ran = await bench.run(["environment", "rekey", "shop/dev", "--base", "HEAD~2"]);
    t.match(ran, { code: 3, err: "UnknownSigner: bundle shop-dev/web: TOKEN is signed by" });
    t.same(
      [ENVIRONMENT, ...FILES].map((file) => bench.read(file)),
      before,
    );
    bench.write(web, good);
    const named = await bench.must(["environment", "rekey", "shop/dev", "--base", "HEAD~2"]);
    t.match(named.err, "shop-dev/web: TOKEN is bob/laptop's, who has left: you sign it");
  },
);

t.test("several leave one after the other: a revision for each", async (t) => {
  const bench = new Workbench(t);
  await team(bench);
  const pin = (await bench.must(["trust"])).out.trim();
  const carol = await bench.person("carol", pin);
  await bench.amend((content) => ({ ...content, principals: [...content.principals, principalOf("carol", carol)] }));
  await bench.must(["grant", "carol", "write", "--scope", "shop/dev"]);
  await bench.must(["principal", "remove", "bob"]);
  await bench.must(["set", "api", "TOKEN"], { as: "carol", stdin: "carol's" });
  commit(bench, "bob left, and carol writes");
  await bench.must(["principal", "remove", "carol"]);
  commit(bench, "carol left");
  t.match(await bench.run(["environment", "rekey", "shop/dev", "--base", "HEAD~1"]), { code: 3, err: "UnknownSigner" });
  await bench.must(["environment", "rekey", "shop/dev", "--base", "HEAD~1", "--base", "HEAD~2"]);
  t.equal((await bench.must(["get", "web", "TOKEN"])).out, "bob's");
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "carol's");
});

t.test("a value that nobody vouches for is not signed: not a stranger's, nor a moved or broken one", async (t) => {
  const bench = new Workbench(t);
  await team(bench);
  await bench.must(["principal", "remove", "bob"]);
  const [api = "", web = ""] = FILES;
  const [apiText, webText] = [bench.read(api), bench.read(web)];
  const cases: Record<string, string> = {
    "somebody unknown": webText.replace(/(TOKEN:\n(?:.*\n)*? {6}by: )\S+/, "$1zk1aaaaaaaaaaaaaaaa"),
    "bob's from another bundle": webText.replace(entryOf(webText), entryOf(apiText)),
    "a changed signature": webText.replace(/( {6}signature: )..../, "$1AAAA"),
    "a changed version": webText.replace(/(TOKEN:\n {6}version: )\d+/, "$120200101000000"),
  };
  const before = bench.read(ENVIRONMENT);
  for (const [what, text] of Object.entries(cases)) {
    t.not(text, webText, what);
    bench.write(web, text);
    const ran = await bench.run(["environment", "rekey", "shop/dev"]);
    t.match(ran.err, /UnknownSigner|SignatureInvalid|PlaceMismatch/, what);
    t.equal(bench.read(web), text, what);
    t.equal(bench.read(ENVIRONMENT), before, what);
  }
});

t.test(
  "interrupted, it is run again: values follow to the epoch that is there, and none is made beside it",
  async (t) => {
    const bench = new Workbench(t);
    await team(bench);
    const web = bench.read(FILES[1] ?? "");
    await bench.must(["environment", "rekey", "shop/dev"]);
    bench.write(FILES[1] ?? "", web);
    const ran = await bench.must(["environment", "rekey", "shop/dev"]);
    t.match(ran.out, /has epoch 2 already.*\nsealed 1 values again/);
    t.equal((await epochsOf(bench)).length, 2);
    t.equal((await bench.must(["get", "web", "TOKEN"])).out, "bob's");
    await bench.must(["environment", "rekey", "shop/dev", "--kem", "x25519"]);
    t.match(
      (await epochsOf(bench)).map(({ key }) => key.kem),
      ["xwing", "xwing", "x25519"],
      "and once more it is a new one",
    );
    t.equal((await bench.must(["get", "web", "TOKEN"])).out, "bob's");
  },
);

t.test("the recovery key rekeys what its owner's device does not open, and who may not sign it does not", async (t) => {
  const bench = new Workbench(t);
  await team(bench);
  const ran = await bench.run(["environment", "rekey", "shop/dev"], { as: "bob" });
  t.equal(ran.code, 3);
  t.match(ran.err, "NotAuthorised: bob may not sign the environment acme/shop/dev");
  await bench.person("alice-2");
  const device = { ...principalOf("alice", await bench.identity("alice-2")).devices?.[0], name: "second" };
  await bench.amend((content) => ({
    ...content,
    principals: content.principals.map((one) =>
      one.name === "alice" ? { ...one, devices: [...(one.devices ?? []), device as never] } : one,
    ),
  }));
  writeFileSync(bench.path("pin.txt"), "");
  await bench.must(["trust", (await bench.must(["trust"])).out.trim().split(/\s+/)[0] ?? ""], { as: "alice-2" });
  t.match((await bench.run(["environment", "rekey", "shop/dev"], { as: "alice-2" })).err, "NotRecipient");
  const recovery = ["--recovery-file", `${bench.folder}/recovery.txt`];
  await bench.must(["environment", "rekey", "shop/dev", ...recovery], { as: "alice-2" });
  t.equal((await bench.must(["get", "web", "TOKEN"], { as: "alice-2" })).out, "bob's");
});

t.test(
  "what waits for approval is not signed by whoever rekeys: its author could then approve it himself",
  async (t) => {
    const bench = new Workbench(t);
    await team(bench);
    await bench.amend((content) => ({
      ...content,
      environments: content.environments?.map((rule) =>
        rule.name === "shop/dev" ? { ...rule, approvals: { required: 1, approvers: ["alice", "bob"] } } : rule,
      ),
    }));
    await bench.must(["approve", "-e", "shop/dev"], { as: "bob" });
    for (const [name, as] of [
      ["shop-dev/api", "bob"],
      ["shop-dev/web", "alice"],
    ] as const)
      await bench.must(["approve", name], { as });
    await bench.must(["set", "api", "BOBS"], { as: "bob", stdin: "waits" });
    const entry = (key: string) =>
      new RegExp(`^    ${key}:\\n(?: {6,}.*\\n)+`, "m").exec(bench.read(FILES[0] ?? ""))?.[0];
    const [waiting, approved] = [entry("BOBS"), entry("TOKEN")];
    const ran = await bench.must(["environment", "rekey", "shop/dev"]);
    t.match(ran.err, /shop-dev\/api: BOBS by bob\/\S+ waits for approval, and stays as it is/);
    t.ok(waiting);
    t.equal(entry("BOBS"), waiting);
    t.not(entry("TOKEN"), approved, "all else is sealed again");
    await bench.must(["approve", "-e", "shop/dev"], { as: "bob" });
    await bench.must(["approve", "shop-dev/api"]);
    const again = await bench.must(["environment", "rekey", "shop/dev"]);
    t.match(again.out, /has epoch 2 already: .*\nsealed 1 values again/);
    t.not(entry("BOBS"), waiting);
  },
);
