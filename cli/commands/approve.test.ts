// Approvals as people give them: by others than the author, on exactly what was written, in files that still merge.
import t from "tap";
import { git, principalOf, Workbench } from "../run.case.js";

const FILE = "zopp/shop-prod/api.yaml";

/** alice writes; bob, carol and (with two devices) dave may approve; eve may write, and approve nothing. */
async function production(bench: Workbench, required = 1): Promise<void> {
  const pin = await bench.init();
  const names = ["bob", "carol", "dave", "eve"];
  const people = await Promise.all(names.map(async (name) => principalOf(name, await bench.person(name, pin))));
  const phone = principalOf("dave", await bench.person("dave-phone", pin));
  const principals = people.map((one) =>
    one.name === "dave"
      ? { ...one, devices: [...(one.devices ?? []), ...(phone.devices ?? []).map((d) => ({ ...d, name: "phone" }))] }
      : one,
  );
  await bench.amend((content) => ({
    ...content,
    principals: [...content.principals, ...principals],
    groups: [{ name: "sre", members: ["bob", "carol", "dave"] }],
    grants: [...(content.grants ?? []), { subject: "eve", role: "write", scope: "*" }],
  }));
  const rules = ["--approvals", String(required), "--approver", "group:sre", "--approver", "alice"];
  await bench.must(["environment", "create", "shop/production", "-n", "shop-prod", "--access", "direct", ...rules]);
  for (const name of ["bob", "carol"].slice(0, required))
    await bench.must(["approve", "-e", "shop/production"], { as: name });
  await bench.must(["set", "shop-prod/api", "TOKEN", "-e", "shop/production"], { stdin: "one" });
}

const waits = async (bench: Workbench) => {
  const { out, err } = await bench.run(["verify"]);
  return `${out}${err}`.includes("PendingApproval");
};

t.test("what waits is approved by somebody else, who need not read it", async (t) => {
  const bench = new Workbench(t);
  await production(bench);
  t.ok(await waits(bench));
  const ran = await bench.must(["approve", "shop-prod/api"], { as: "bob" });
  t.match(ran.out, /approved the header, version \d+ by alice\napproved TOKEN, version \d+ by alice\n/);
  t.notOk(await waits(bench));
  t.equal((await bench.run(["get", "shop-prod/api", "TOKEN"], { as: "bob" })).code, 6, "an approver is no reader");
  t.match((await bench.must(["approve", "shop-prod/api"], { as: "carol" })).out, /nothing in shop-prod\/api waits/);
});

t.test("a changed value waits again, and only that is approved", async (t) => {
  const bench = new Workbench(t);
  await production(bench);
  await bench.must(["approve", "shop-prod/api"], { as: "bob" });
  const before = bench.read(FILE);
  await bench.must(["set", "shop-prod/api", "TOKEN"], { stdin: "two" });
  t.ok(await waits(bench));
  const ran = await bench.must(["approve", "shop-prod/api", "-o", "json"], { as: "carol" });
  t.match(JSON.parse(ran.out), { approved: [{ key: "TOKEN", author: "alice" }] });
  t.notOk(await waits(bench));
  const headerOf = (text: string) => text.slice(text.indexOf("header:"), text.indexOf("data:"));
  t.equal(headerOf(bench.read(FILE)), headerOf(before), "what was approved before stays as it was");
});

t.test("two approvals are two persons: not one on two devices, not the author", async (t) => {
  const bench = new Workbench(t);
  await production(bench, 2);
  await bench.must(["approve", "shop-prod/api"], { as: "dave" });
  const again = await bench.must(["approve", "shop-prod/api"], { as: "dave-phone" });
  t.match(again.err, /lacks 1 of 2 approvals \(by bob, carol\)/, "who is missing is said");
  t.ok(await waits(bench));
  const own = await bench.run(["approve", "shop-prod/api"]);
  t.equal(own.code, 3);
  t.match(own.err, /NotAuthorised: bundle shop-prod\/api: alice wrote it, so others approve it/);
  await bench.must(["approve", "shop-prod/api"], { as: "carol" });
  t.notOk(await waits(bench));
});

t.test("people who are no approvers, and parts that do not wait, are refused", async (t) => {
  const bench = new Workbench(t);
  await production(bench);
  const before = bench.read(FILE);
  const cases: [string, string[], string, string, number][] = [
    ["a writer who is no approver", ["shop-prod/api"], "eve", "NotAuthorised", 3],
    ["a key that is not there", ["shop-prod/api", "NOPE"], "bob", "NotFound", 4],
    ["a bundle that is not there", ["shop-prod/web"], "bob", "NotFound", 4],
    ["nothing named", [], "bob", "Usage", 2],
    ["an environment that asks for no approvals", ["-e", "shop/dev"], "bob", "Usage", 2],
    ["an environment that is not there", ["-e", "shop/nope"], "bob", "UnknownEnvironment", 4],
    ["the admin's own environment", ["-e", "shop/production"], "alice", "NotAuthorised", 3],
  ];
  for (const [title, words, as, code, exit] of cases) {
    const ran = await bench.run(["approve", ...words], { as });
    t.equal(ran.code, exit, `${title}: ${ran.err}`);
    t.match(ran.err, code, title);
  }
  t.equal(bench.read(FILE), before);
});

t.test("a value that was moved from another bundle is not approved", async (t) => {
  const bench = new Workbench(t);
  await production(bench);
  await bench.must(["set", "shop-prod/web", "TOKEN", "-e", "shop/production"], { stdin: "web's" });
  const entryOf = (text: string) => text.slice(text.indexOf("    TOKEN:"));
  const [api, web] = [bench.read(FILE), bench.read("zopp/shop-prod/web.yaml")];
  bench.write(FILE, api.replace(entryOf(api), entryOf(web)));
  const ran = await bench.run(["approve", "shop-prod/api"], { as: "bob" });
  t.match(ran.err, "SignatureInvalid");
  t.notMatch(bench.read(FILE), "approvals");
});

t.test("an approval that is copied to another value approves nothing", async (t) => {
  const bench = new Workbench(t);
  await production(bench);
  await bench.must(["approve", "shop-prod/api"], { as: "bob" });
  const approvals = /\n {6}approvals:\n(?: {8}.*\n)+/.exec(bench.read(FILE))?.[0] ?? "";
  t.not(approvals, "");
  await bench.must(["set", "shop-prod/api", "TOKEN"], { stdin: "two" });
  const text = bench.read(FILE);
  bench.write(FILE, text.replace(/(\n {6}signature: .*)\n/, `$1${approvals}`));
  t.match(bench.read(FILE), approvals);
  t.ok(await waits(bench));
});

t.test("two pull requests that were approved merge, and nobody approves again", async (t) => {
  const bench = new Workbench(t);
  await production(bench);
  for (const key of ["A_FIRST", "Z_LAST"]) await bench.must(["set", "shop-prod/api", key], { stdin: "x" });
  await bench.must(["approve", "shop-prod/api"], { as: "bob" });
  git(bench, "init", "-q");
  git(bench, "add", ".");
  git(bench, "commit", "-q", "-m", "approved");
  for (const [branch, key, as] of [
    ["a", "A_FIRST", "bob"],
    ["z", "Z_LAST", "carol"],
  ] as const) {
    git(bench, "checkout", "-q", "-b", branch, "main");
    await bench.must(["set", "shop-prod/api", key], { stdin: branch });
    await bench.must(["approve", "shop-prod/api"], { as });
    git(bench, "commit", "-q", "-a", "-m", branch);
  }
  git(bench, "checkout", "-q", "main");
  git(bench, "merge", "-q", "a");
  git(bench, "merge", "-q", "-m", "both", "z");
  t.notOk(await waits(bench));
  t.equal((await bench.must(["get", "shop-prod/api", "A_FIRST"])).out, "a");
  t.equal((await bench.must(["get", "shop-prod/api", "Z_LAST"])).out, "z");
});

t.test("an environment waits for its approvals from its first version on, and for each later one", async (t) => {
  const bench = new Workbench(t);
  await production(bench);
  const granted = await bench.must(["grant", "eve", "read", "--scope", "shop/production"]);
  t.match(granted.err, /PartlySigned: environment acme\/shop\/production: version \d+ lacks 1 of 1 approvals/);
  const refused = await bench.run(["set", "shop-prod/api", "TOKEN"], { stdin: "x" });
  t.match(refused.err, "PartlySigned");
  await bench.must(["approve", "-e", "shop/production"], { as: "carol" });
  t.match((await bench.must(["approve", "-e", "production"], { as: "bob" })).out, "waits for no approval");
  await bench.must(["set", "shop-prod/api", "TOKEN"], { stdin: "x" });
});

t.test(
  "a header that waits is not signed again by somebody else who does not see it: its author could then approve it himself",
  async (t) => {
    const bench = new Workbench(t);
    await production(bench);
    await bench.must(["approve", "shop-prod/api"], { as: "bob" });
    await bench.must(["generate", "shop-prod/api", "KEY", "--kind", "password", "--previous", "OLD"]);
    await bench.must(["approve", "shop-prod/api"], { as: "bob" });
    await bench.must(["generate", "shop-prod/api", "EVES", "--kind", "password", "--length", "16"], { as: "eve" });
    const waiting = bench.read(FILE);
    for (const words of [
      ["generate", "shop-prod/api", "KEY", "--again"],
      ["rotation", "set", "shop-prod/api", "--image", "registry.example/rotate:1"],
      ["unset", "shop-prod/api", "KEY"],
    ]) {
      const ran = await bench.run(words);
      t.match(ran, { code: 3, err: /PendingApproval: .*`zopp approve shop-prod\/api` first/ }, words.join(" "));
      t.equal(bench.read(FILE), waiting);
    }
    await bench.must(["generate", "shop-prod/api", "EVES", "--length", "17"], { as: "eve" });
    const shown = await bench.run(["set", "shop-prod/api", "--sign-header"], { answers: ["n"] });
    t.match(shown.err, /your signature covers all of this:[\s\S]*generate\.EVES/, "who signs it sees it");
    await bench.must(["approve", "shop-prod/api"], { as: "bob" });
    await bench.must(["unset", "shop-prod/api", "EVES"]);
  },
);
