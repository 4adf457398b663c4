// What a new keyring would refuse for the time that has passed is listed, signed and approved; what cannot be checked is not.
import t from "tap";
import type { WorkspaceContent } from "../../crds/policy/edit.js";
import { git, principalOf, Workbench } from "../run.case.js";

const BUNDLE = "zopp/shop-dev/api.yaml";
const BASELINE = "zopp/acme.shop.dev.baseline.yaml";

/** Alice's workspace in git, a bundle with a value by bob, and bob gone since. */
async function shopWithoutBob(bench: Workbench): Promise<void> {
  const pin = await bench.init();
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  await bench.must(["set", "api", "ALICE"], { stdin: "a" });
  await bench.must(["set", "api", "BOB"], { stdin: "b", as: "bob" });
  git(bench, "init", "-q");
  commit(bench);
  await bench.must(["principal", "remove", "bob"]);
  commit(bench);
}

function commit(bench: Workbench): void {
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "change");
}

/** Carol, whom alice names in the policy in one version with what else it changes. */
async function admitCarol(
  bench: Workbench,
  more: (content: WorkspaceContent) => Partial<WorkspaceContent>,
): Promise<void> {
  await bench.person("carol");
  const carol = principalOf("carol", await bench.identity("carol"));
  await bench.amend((content) => ({ ...content, principals: [...content.principals, carol], ...more(content) }));
  const pin = (await bench.must(["trust"])).out.match(/acme@\d+:[0-9a-f]+/)?.[0] ?? "";
  await bench.must(["trust", pin], { as: "carol" });
}

t.test("what somebody wrote who left is listed with his key, once a revision shows that he might", async (t) => {
  const bench = new Workbench(t);
  await shopWithoutBob(bench);
  t.match(await bench.run(["verify", "--as-new-cluster"]), { code: 3, out: /AuthorLeft.*BOB/ });
  const blind = await bench.run(["baseline", "create"]);
  t.match(blind, { code: 3, err: /shop-dev\/api: BOB cannot be vouched for.*--base/ });
  const created = await bench.must(["baseline", "create", "--base", "HEAD~1", "-o", "json"]);
  t.match(JSON.parse(created.out), {
    environment: "acme/shop/dev",
    bundles: [{ namespace: "shop-dev", name: "api" }],
    authors: [{ name: "bob" }],
  });
  const written = bench.read(BASELINE);
  t.match(written, "kind: ZoppBaseline");
  t.match((await bench.must(["baseline", "create", "--base", "HEAD~1"])).out, "says so already");
  t.equal(bench.read(BASELINE), written, "what says the same is not signed again");
  t.match(JSON.parse((await bench.must(["verify", "--as-new-cluster", "-o", "json"])).out), {
    verified: true,
    counts: { baselines: 1 },
  });
});

t.test("a baseline says nothing of what was changed after it", async (t) => {
  const bench = new Workbench(t);
  await shopWithoutBob(bench);
  await bench.must(["baseline", "create", "--base", "HEAD~1"]);
  await bench.must(["set", "api", "ALICE"], { stdin: "newer" });
  t.match(await bench.run(["verify", "--as-new-cluster"]), { code: 3, out: /AuthorLeft.*BOB/ });
  const again = await bench.must(["baseline", "create", "--base", "HEAD~1"]);
  t.match(again.out, "listed shop-dev/api");
  t.equal((await bench.run(["verify", "--as-new-cluster"])).code, 0);
});

t.test("a value forged in the name of somebody who left is not laundered", async (t) => {
  const bench = new Workbench(t);
  await shopWithoutBob(bench);
  const text = bench.read(BUNDLE);
  bench.write(
    BUNDLE,
    text.replace(/(BOB:\n(?:.*\n)*?\s+sealed: .{40})(.)/, (_, head, char) => head + (char === "A" ? "B" : "A")),
  );
  t.match(await bench.run(["baseline", "create", "--base", "HEAD~1"]), { code: 3, err: /SignatureInvalid.*BOB/ });
  t.throws(() => bench.read(BASELINE), "nothing is written");
});

t.test("what somebody signs with his old key after he left is not listed, whatever revision names him", async (t) => {
  const bench = new Workbench(t);
  await shopWithoutBob(bench);
  const now = ["zopp/acme.yaml", "zopp/acme.shop.dev.yaml"].map((file) => [file, bench.read(file)] as const);
  git(bench, "checkout", "-q", "HEAD~1", "--", ".");
  await bench.must(["set", "api", "BOB"], { stdin: "of later", as: "bob" });
  for (const [file, text] of now) bench.write(file, text);
  commit(bench);
  const ran = await bench.run(["baseline", "create", "--base", "HEAD~2"]);
  t.match(ran, {
    code: 3,
    err: /UnknownSigner: bundle shop-dev\/api: BOB cannot be vouched for: BOB is not what it was/,
  });
  t.throws(() => bench.read(BASELINE), "nothing is written");
});

t.test("nothing is written where a new keyring would accept all", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "A"], { stdin: "a" });
  t.match((await bench.must(["baseline", "create"])).out, "would accept all of acme/shop/dev");
  t.throws(() => bench.read(BASELINE));
});

t.test("somebody who is no admin signs no baseline", async (t) => {
  const bench = new Workbench(t);
  await shopWithoutBob(bench);
  await admitCarol(bench, (content) => ({
    grants: [...(content.grants ?? []), { subject: "carol", role: "write", scope: "shop/dev" }],
  }));
  const ran = await bench.run(["baseline", "create", "--base", "HEAD~1"], { as: "carol" });
  t.match(ran, { code: 3, err: /carol may not sign the environment/ });
  await bench.must(["baseline", "create", "--base", "HEAD~1"]);
  const approving = await bench.run(["baseline", "approve"], { as: "carol" });
  t.match(approving, { code: 2, err: /asks for no approvals/ }, "nor approves one where nobody asks for it");
});

t.test("where approvals are asked for, a baseline counts once somebody else has looked at it and signed", async (t) => {
  const bench = new Workbench(t);
  await shopWithoutBob(bench);
  await admitCarol(bench, (content) => ({
    environments: content.environments?.map((rule) => ({ ...rule, approvals: { required: 1, approvers: ["carol"] } })),
  }));
  await bench.must(["approve", "-e", "shop/dev"], { as: "carol" });
  commit(bench);
  const created = await bench.must(["baseline", "create", "--base", "HEAD~2"]);
  t.match(created.err, /lacks 1 of 1 approvals \(by carol\); by `zopp baseline approve shop\/dev`/);
  t.match(await bench.run(["verify", "--as-new-cluster"]), { code: 3, out: /PartlySigned/ });
  t.match(await bench.run(["baseline", "approve"]), { code: 3, err: /alice signed it/ });
  const approved = await bench.must(["baseline", "approve"], { as: "carol" });
  t.match(approved.out, /listed shop-dev\/api\napproved the baseline of acme\/shop\/dev/);
  t.equal((await bench.run(["verify", "--as-new-cluster"])).code, 0);
  await bench.must(["set", "api", "MORE"], { stdin: "more" });
  t.match(await bench.run(["baseline", "approve"], { as: "carol" }), {
    code: 7,
    err: /shop-dev\/api is not what it lists/,
  });
});
