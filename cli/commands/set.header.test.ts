// `zopp set --sign-header`: whoever signs a header sees what of it somebody else wrote.
import t from "tap";
import { git, Workbench } from "../run.case.js";

const BUNDLE = "zopp/shop-dev/api.yaml";
const SIGN = ["set", "api", "--sign-header"];
type Test = ConstructorParameters<typeof Workbench>[0];

async function committed(t: Test): Promise<Workbench> {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "PASSWORD", "--label", "team=shop"], { stdin: "one" });
  git(bench, "init", "-q");
  commit(bench);
  return bench;
}

function commit(bench: Workbench): void {
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "as it is");
}

/** Writes a line of the header by hand. */
function slipIn(bench: Workbench, line: string): void {
  bench.write(BUNDLE, bench.read(BUNDLE).replace("  header:\n", `  ${line}\n  header:\n`));
}

t.test("a header is signed without any key, and what was changed by hand is told before", async (t) => {
  const bench = await committed(t);
  const entry = /PASSWORD:[\s\S]*/.exec(bench.read(BUNDLE))?.[0];
  slipIn(bench, "restart: auto");
  t.match((await bench.run(["verify"])).out, /SignatureInvalid/);
  const ran = await bench.must(SIGN);
  t.match(
    ran.err,
    /shop-dev\/api: the header is not as it was signed last, in version \d+ by alice:\n {6}restart: nothing -> "auto"\n/,
  );
  t.notMatch(ran.err, /team/, "what is as it was is not told");
  t.match(ran.out, "signed the header of shop-dev/api of acme/shop/dev");
  t.equal(/PASSWORD:[\s\S]*/.exec(bench.read(BUNDLE))?.[0], entry, "no value was written");
  await bench.must(["verify"]);
  t.match((await bench.must(SIGN)).err, /the header is as it was signed last, in version \d+ by alice\n/);
});

t.test("what somebody has committed before is told all the same", async (t) => {
  const bench = await committed(t);
  slipIn(bench, "restart: auto");
  commit(bench);
  const { err } = await bench.must(["set", "api", "PASSWORD", "--sign-header"], { stdin: "two" });
  t.match(err, 'restart: nothing -> "auto"');
});

t.test("a header that is put back differs from the one signed last, although its signature holds", async (t) => {
  const bench = await committed(t);
  const before = bench.read(BUNDLE);
  slipIn(bench, "restart: auto");
  await bench.must(SIGN);
  commit(bench);
  bench.write(BUNDLE, before);
  t.match((await bench.must(SIGN)).err, 'restart: "auto" -> nothing');
});

t.test("who may not sign any more is no measure", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.must(["set", "api", "PASSWORD"], { stdin: "one" });
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  git(bench, "init", "-q");
  commit(bench);
  slipIn(bench, "restart: auto");
  await bench.must(SIGN, { as: "bob" });
  await bench.must(["revoke", "bob", "write", "--scope", "shop/dev"]);
  commit(bench);
  t.match((await bench.must(SIGN)).err, /by alice:\n {6}restart: nothing -> "auto"/);
});

t.test("without git the whole header is told, and nothing of it steers a terminal", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "PASSWORD"], { stdin: "one" });
  slipIn(bench, 'render: {URL: "\\u202e[[ PASSWORD ]]"}');
  const { err } = await bench.must(SIGN);
  t.match(
    err,
    /no header is known that holds; your signature covers all of this:\n {6}environment: nothing -> "acme\/shop\/dev"\n/,
  );
  t.match(err, 'render.URL: nothing -> "\ufffd[[ PASSWORD ]]"');
});

t.test("a person is asked where the header differs, and a no leaves it as it is", async (t) => {
  const bench = await committed(t);
  t.equal((await bench.run(SIGN, { answers: [] })).code, 0, "nothing differs");
  commit(bench);
  slipIn(bench, "restart: auto");
  const edited = bench.read(BUNDLE);
  const refused = await bench.run(SIGN, { answers: ["n"] });
  t.match(refused, { code: 1, err: /Interrupted: nothing was signed/ });
  t.equal(bench.read(BUNDLE), edited);
  await bench.must([...SIGN, "--yes"], { answers: [] });
  slipIn(bench, "render: {URL: x}");
  await bench.must(SIGN, { answers: ["y"] });
  await bench.must(["verify"]);
});

t.test("a header alone is of a bundle that is there, and ends never", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  t.equal((await bench.run(SIGN)).code, 4);
  t.match(await bench.run([...SIGN, "--expires", "90d"]), { code: 2, err: /--expires is a value's/ });
  t.match(await bench.run(["set", "api"]), { code: 2, err: /no key is named/ });
});
