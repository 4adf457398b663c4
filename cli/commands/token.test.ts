// Tokens of services: shown once and kept nowhere, worth what was granted, and nothing against a swapped workspace.
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { packageRoot } from "../../hack/package-root.js";
import { Workbench } from "../run.case.js";

async function withToken(bench: Workbench, ...more: string[]): Promise<string> {
  await bench.init();
  await bench.must(["set", "api", "TOKEN"], { stdin: "x" });
  const made = await bench.must(["token", "create", "ci", "--scope", "shop/dev", ...more]);
  return made.out.trim();
}

/** A job: no identity file, no known workspaces, only the token. */
const job = (token: string) => ({ as: "runner", env: { ZOPP_TOKEN: token } });

t.test("a job with a token sets a value that it cannot read", async (t) => {
  const bench = new Workbench(t);
  const token = await withToken(bench, "--keys", "IMAGE_*", "--expires", "90d");
  await bench.must(["set", "api", "IMAGE_TAG"], { ...job(token), stdin: "v1" });
  t.equal((await bench.must(["get", "api", "IMAGE_TAG"])).out, "v1");
  for (const key of ["IMAGE_TAG", "TOKEN"])
    t.match(await bench.run(["get", "api", key], job(token)), { code: 6, out: "" }, key);
  t.match(await bench.run(["set", "api", "TOKEN"], { ...job(token), stdin: "y" }), { code: 3, err: "NotAuthorised" });
  bench.tick(91 * 86_400);
  const late = await bench.run(["set", "api", "IMAGE_TAG"], { ...job(token), stdin: "v2" });
  t.match(late, { code: 3, err: "NotAuthorised" }, "and nothing after its end");
});

t.test("what a job runs gets the values, and not the token", async (t) => {
  const bench = new Workbench(t);
  const token = await withToken(bench, "--role", "read");
  const script = "process.exit(process.env.TOKEN === 'x' && process.env.ZOPP_TOKEN === undefined ? 0 : 9)";
  t.equal((await bench.run(["run", "api", "--", process.execPath, "-e", script], job(token))).code, 0);
  await bench.must(["set", "api", "ZOPP_TOKEN"], { stdin: "of the bundle" });
  const own = "process.exit(process.env.ZOPP_TOKEN === 'of the bundle' ? 0 : 9)";
  t.equal((await bench.run(["run", "api", "--", process.execPath, "-e", own], job(token))).code, 0);
});

t.test("the token stands alone on stdout, this once, and in no file", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const human = await bench.must(["token", "create", "one", "--scope", "shop/dev"]);
  const name = await bench.must(["token", "create", "two", "--scope", "shop/dev", "-o", "name"]);
  const json = await bench.must(["token", "create", "three", "--scope", "shop/dev", "-o", "json"]);
  const { token } = JSON.parse(json.out) as { token: string };
  const tokens = [human.out, name.out, `${token}\n`];
  for (const text of tokens) t.match(text, /^zopp_[0-9A-Za-z]{71}\n$/);
  t.equal(new Set(tokens).size, 3);
  const said = [human.err, name.err, json.err, (await bench.must(["token", "list", "-o", "json"])).out];
  const kept = bench.files().map((file) => readFileSync(file, "utf8"));
  for (const text of tokens.map((each) => each.trim())) t.notOk([...said, ...kept].some((each) => each.includes(text)));
  t.match(JSON.parse(said[3] ?? ""), {
    principals: [{ name: "one", kind: "service" }, { name: "two" }, { name: "three", rights: [{ role: "submit" }] }],
  });
});

t.test("a token seals nothing for a workspace that was swapped, nor for one whose owners lost it", async (t) => {
  const bench = new Workbench(t);
  const token = await withToken(bench);
  const theirs = join(bench.folder, "theirs");
  mkdirSync(theirs);
  await bench.must(["init", "acme/shop/dev", "--recovery-file", "r.txt"], { as: "mallory", cwd: theirs });
  cpSync(bench.path("zopp"), join(bench.folder, "ours"), { recursive: true });
  cpSync(join(theirs, "zopp"), bench.path("zopp"), { recursive: true });
  const bundle = bench.read("zopp/shop-dev/api.yaml");
  const ran = await bench.run(["set", "api", "TOKEN"], { ...job(token), stdin: "secret-canary" });
  t.match(ran, { code: 3, err: "PinMismatch" });
  t.equal(bench.read("zopp/shop-dev/api.yaml"), bundle);
});

t.test("a token goes on after the owners' keys changed", async (t) => {
  const bench = new Workbench(t);
  const token = await withToken(bench);
  await bench.person("phone");
  bench.write("phone.json", (await bench.must(["whoami", "-o", "json"], { as: "phone" })).out);
  await bench.must(["device", "add", "alice", "phone", "--from", "phone.json"]);
  await bench.must(["set", "api", "TOKEN"], { ...job(token), stdin: "later" });
  t.equal((await bench.must(["get", "api", "TOKEN"])).out, "later");
});

t.test("a token that was revoked is worth nothing; what it wrote stays", async (t) => {
  const bench = new Workbench(t);
  const token = await withToken(bench, "--role", "write");
  t.equal((await bench.must(["get", "api", "TOKEN"], job(token))).out, "x");
  await bench.must(["set", "api", "CI"], { ...job(token), stdin: "by ci" });
  const { err } = await bench.must(["token", "revoke", "ci"]);
  t.match(err, "ci had the key of environment acme/shop/dev");
  t.match(await bench.run(["get", "api", "TOKEN"], job(token)), { code: 6, out: "" });
  t.match((await bench.run(["set", "api", "CI"], { ...job(token), stdin: "y" })).err, "UnknownSigner");
  t.match(await bench.must(["get", "api", "CI"]), { out: "by ci", err: "AuthorLeft" });
  t.equal((await bench.must(["token", "list"])).out, "none\n");
  t.match(await bench.run(["token", "revoke", "ci"]), { code: 4, err: "NotFound" });
  t.match(await bench.run(["token", "revoke", "alice"]), { code: 2, err: "alice is a person and has no token" });
});

t.test("what cannot be made a token is refused, and no token is printed", async (t) => {
  const bench = new Workbench(t);
  await withToken(bench);
  const before = bench.read("zopp/acme.yaml");
  const cases: [string[], string, number][] = [
    [["ci", "--scope", "shop/dev"], "AlreadyExists: workspace acme names a principal ci already", 7],
    [["alice", "--scope", "shop/dev"], "AlreadyExists", 7],
    [["ci-2", "--scope", "shop/nope"], "UnknownEnvironment", 4],
    [["ci-2", "--scope", "shop/dev", "--role", "god"], "Usage: the role is one of", 2],
    [["ci-2", "--scope", "shop/dev", "--role", "read", "--keys", "A*"], "GrantNotEnforceable", 3],
    [["Ci", "--scope", "shop/dev"], "Usage", 2],
    [["ci-2", "--scope", "shop/dev", "--expires", "2020-01-01"], "Usage: --expires lies in the past", 2],
  ];
  for (const [words, text, exit] of cases)
    t.match(await bench.run(["token", "create", ...words]), { code: exit, out: "", err: text }, words.join(" "));
  t.equal(bench.read("zopp/acme.yaml"), before);
});

t.test("the rule for secret scanners in the guide finds a token, and little else", async (t) => {
  const bench = new Workbench(t);
  const token = await withToken(bench);
  const guide = readFileSync(join(packageRoot(), "docs", "tokens.md"), "utf8");
  const pattern = new RegExp(/regex = '''(.*)'''/.exec(guide)?.[1] ?? "^$");
  for (const text of [`ZOPP_TOKEN=${token}`, `token: "${token}"\n`, `${token}`]) t.match(text, pattern);
  for (const text of [token.slice(0, -1), `${token}x`, `x${token}`, "zopp_token", token.replace("zopp_", "zopp-")])
    t.notMatch(text, pattern, text);
});
