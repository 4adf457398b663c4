// Who can write to git puts a policy of his choice beside a value of his choice, and names that revision to somebody.
import t, { type Test } from "tap";
import { formatPin } from "../../crds/policy/pin.js";
import { digestOfOwners } from "../../hack/fixtures.js";
import { git, principalOf, Workbench } from "../run.case.js";
import { bundleOf, commit, FILE, twoStates } from "./rollback.case.js";

t.test("a policy that somebody signed himself, beside a value that he signed, vouches for nothing", async (t) => {
  const { bench } = await twoStates(t);
  const [policy, good] = ["zopp/acme.yaml", FILE].map((file) => bench.read(file)) as [string, string];
  const mallory = await bench.person("mallory");
  const forged = await bench.amend(
    (content) => ({
      ...content,
      principals: [...content.principals, principalOf("mallory", mallory)],
      owners: { threshold: 1, principals: ["mallory"] },
      grants: [...(content.grants ?? []), { subject: "mallory", role: "write", scope: "*" }],
    }),
    { signingKeys: [mallory.signing], now: bench.now },
  );
  const pin = formatPin({ workspace: "acme", owners: digestOfOwners(forged), minVersion: forged.spec.version });
  await bench.must(["trust", pin], { as: "mallory" });
  await bench.must(["set", "shop-dev/api", "A"], { as: "mallory", stdin: "mallory's" });
  commit(bench);
  bench.write("zopp/acme.yaml", policy);
  bench.write(FILE, good);
  const ran = await bench.run(["rollback", "shop-dev/api", "A", "--to", "HEAD", "--yes"]);
  t.match(ran, { code: 3, err: "UnknownSigner: bundle shop-dev/api: A of revision HEAD is not put back" });
  t.equal(bench.read(FILE), good);
});

t.test(
  "a policy that the owners signed beside the one in force, and never put in force, vouches for nothing",
  async (t) => {
    const { bench, pin } = await twoStates(t);
    const before = bench.read("zopp/acme.yaml");
    await bench.admit("bob", pin);
    await bench.must(["grant", "bob", "submit", "--scope", "shop"]);
    await bench.must(["set", "shop-dev/api", "A"], { as: "bob", stdin: "bob's" });
    commit(bench);
    // the proposal was dropped: another one followed the policy before it
    bench.write("zopp/acme.yaml", before);
    git(bench, "checkout", "-q", "HEAD~1", "--", FILE);
    await bench.amend((content) => content);
    commit(bench);
    const ran = await bench.run(["rollback", "shop-dev/api", "A", "--to", "HEAD~1", "--yes"]);
    t.match(ran, { code: 3, err: "UnknownSigner: bundle shop-dev/api: A of revision HEAD~1 is not put back" });
  },
);

t.test("what an approver's own policy of then let pass unapproved does not go back unapproved", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "write", "--scope", "shop"]);
  await bench.must(["environment", "create", "shop/production", "-n", "live", "--access", "direct"]);
  git(bench, "init", "-q");
  const policy = ["zopp/acme.yaml", "zopp/acme.shop.production.yaml"];
  const lax = policy.map((file) => [file, bench.read(file)] as const);
  await bench.must(["set", "live/api", "A", "-e", "shop/production"], { stdin: "alice's" });
  await bench.amend((content) => ({
    ...content,
    environments: content.environments?.map((rule) =>
      rule.name === "shop/production" ? { ...rule, approvals: { required: 1, approvers: ["alice", "bob"] } } : rule,
    ),
  }));
  await bench.must(["approve", "-e", "shop/production"], { as: "bob" });
  await bench.must(["approve", "live/api"], { as: "bob" });
  commit(bench);
  const good = [...policy, "zopp/live/api.yaml"].map((file) => [file, bench.read(file)] as const);
  await bench.must(["set", "live/api", "A"], { as: "bob", stdin: "bob's, which nobody approved" });
  for (const [file, text] of lax) bench.write(file, text);
  commit(bench);
  for (const [file, text] of good) bench.write(file, text);
  const ran = await bench.run(["rollback", "live/api", "A", "--to", "HEAD", "--yes"]);
  t.match(ran, { code: 3, err: "PendingApproval: bundle live/api: A of revision HEAD is not put back" });
});

/** A bundle with a rule and a job, committed, and then with another image, and what else is changed, by somebody without a key. */
async function otherImage(t: Test, more: (text: string) => string = (text) => text) {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "shop-dev/api", "A"], { stdin: "a" });
  await bench.must(["generate", "shop-dev/api", "DB_PASSWORD", "--kind", "password", "--previous", "OLD"]);
  await bench.must(["rotation", "set", "shop-dev/api", "--image", "registry.example/rotate:1"]);
  git(bench, "init", "-q");
  commit(bench);
  const good = bench.read(FILE);
  const evil = more(good.replace("registry.example/rotate:1", "registry.example/evil:1"));
  bench.write(FILE, evil);
  commit(bench);
  return { bench, good, evil };
}

for (const [what, more] of Object.entries({
  alone: (text: string) => text,
  "beside a field that goes back": (text: string) => text.replace("  generate:", "  restart: auto\n  generate:"),
})) {
  t.test(`a job that nobody signed is not signed for by whoever goes back: ${what}`, async (t) => {
    const { bench, good, evil } = await otherImage(t, more);
    t.not(evil, good);
    const ran = await bench.run(["rollback", "shop-dev/api", "--to", "HEAD~1", "--yes"]);
    t.match(ran, {
      code: 3,
      err: /SignatureInvalid: .*rotation are not those of the earlier state, and do not go back/,
    });
    t.equal(bench.read(FILE), evil, "nothing was signed");
  });
}

t.test("another field that nobody signed goes back, where rules and job are those of then", async (t) => {
  const { bench, good } = await otherImage(t);
  bench.write(FILE, good.replace("  generate:", "  restart: auto\n  generate:"));
  const ran = await bench.must(["rollback", "shop-dev/api", "--to", "HEAD~1", "--yes"]);
  t.match(ran.out, /^signed the header as it was: /);
  await bench.must(["verify"]);
  t.match(bundleOf(bench).spec, { rotation: { image: "registry.example/rotate:1" }, restart: undefined });
});
