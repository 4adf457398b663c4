// `zopp rotation` on a directory: which jobs it signs for, who may, and what stays as long as one is there. What operators make
// of them is not seen here.
import t, { type Test } from "tap";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { parseSecret } from "../../crds/validate.js";
import { withHeaderOf } from "../going-back.js";
import { git, Workbench } from "../run.case.js";
import { readManifests } from "../store/yaml.read.js";

const FILE = "zopp/shop-dev/api.yaml";
const IMAGE = "registry.example.com/rotate@sha256:0123";

function stored(bench: Workbench): ZoppSecret {
  return parseSecret(readManifests(bench.read(FILE), FILE)[0]?.value);
}

/** A bundle with a sealed value and two rules that keep the value before; gives the pin. */
async function withRules(bench: Workbench): Promise<string> {
  const pin = await bench.init();
  await bench.must(["set", "shop-dev/api", "DB_HOST"], { stdin: "db" });
  for (const key of ["DB_USER", "DB_PASSWORD"])
    await bench.must(["generate", "api", key, "--kind", "password", "--previous", `${key}_OLD`]);
  return pin;
}

async function ruled(t: Test): Promise<Workbench> {
  const bench = new Workbench(t);
  await withRules(bench);
  return bench;
}

/** The same, with a job and a key for it alone. */
async function withJob(t: Test): Promise<Workbench> {
  const bench = await ruled(t);
  await bench.must(["rotation", "set", "api", "--image", IMAGE, "--deadline", "5m", "--key", "ADMIN_URL"]);
  await bench.must(["set", "api", "ADMIN_URL"], { stdin: "postgres://admin@db" });
  return bench;
}

t.test("a job is signed into the header, and nothing else changes", async (t) => {
  const bench = await ruled(t);
  const before = stored(bench).spec;
  const words = ["rotation", "set", "api", "--image", IMAGE, "--key", "ADMIN_URL", "--key", "CA"];
  const ran = await bench.must([...words, "--", "/bin/rotate", "--verbose", "a b"]);
  t.match(
    ran.out,
    `signed for the job of shop-dev/api: ${IMAGE} /bin/rotate --verbose a b (within 10m, with ADMIN_URL, CA)`,
  );
  t.match(ran.err, /ADMIN_URL has no value yet: `zopp set shop-dev\/api ADMIN_URL`/);
  const { header, rotation, ...rest } = stored(bench).spec;
  t.strictSame(rotation, { image: IMAGE, command: ["/bin/rotate", "--verbose", "a b"], keys: ["ADMIN_URL", "CA"] });
  t.ok(header.version > before.header.version);
  const { header: _, ...others } = before;
  t.strictSame(rest, others);
  await bench.must(["set", "api", "ADMIN_URL"], { stdin: "postgres://admin@db" });
  await bench.must(["verify"]);
});

t.test("what is not said stays as it was, and the same again signs nothing", async (t) => {
  const bench = await withJob(t);
  await bench.must(["rotation", "set", "api", "--", "/bin/rotate"]);
  const whole = { image: IMAGE, command: ["/bin/rotate"], deadline: "5m", keys: ["ADMIN_URL"] };
  t.strictSame(stored(bench).spec.rotation, whole);
  await bench.must(["rotation", "set", "api", "--deadline", "90s"]);
  t.strictSame(stored(bench).spec.rotation, { ...whole, deadline: "90s" });
  const before = bench.read(FILE);
  t.equal((await bench.must(["rotation", "set", "api", "--image", IMAGE])).out, "nothing was changed\n");
  t.equal(bench.read(FILE), before);
});

t.test("an image that somebody can put another one in the place of is pointed out", async (t) => {
  const bench = await ruled(t);
  const said = /whoever can put another image under rotate:2 reads this bundle's values/;
  t.match((await bench.must(["rotation", "set", "api", "--image", "rotate:2"])).err, said);
  t.notMatch((await bench.must(["rotation", "set", "api", "--image", IMAGE])).err, /another image/);
});

t.test("list, status and diff show the job, and which keys only it gets", async (t) => {
  const bench = await ruled(t);
  git(bench, "init", "-q");
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "rules");
  await bench.must(["rotation", "set", "api", "--image", IMAGE, "--key", "ADMIN_URL"]);
  await bench.must(["set", "api", "ADMIN_URL"], { stdin: "postgres://admin@db" });
  const list = (await bench.must(["list", "api"])).out;
  t.match(list, /ADMIN_URL .*sealed, for the rotation job\n/);
  t.match(list, /DB_HOST .*sealed\n/);
  const { entries } = JSON.parse((await bench.must(["list", "api", "-o", "json"])).out);
  t.match(entries, [
    { key: "ADMIN_URL", onlyForJob: true },
    { key: "DB_HOST", onlyForJob: undefined },
  ]);
  t.match((await bench.must(["status", "api"])).out, `rotation     ${IMAGE} (within 10m, with ADMIN_URL)`);
  const diff = (await bench.run(["diff"])).out;
  t.match(diff, "rotation.image");
  t.match(diff, IMAGE);
  t.match(diff, "rotation.keys");
});

t.test("a program gets no more than the Secret has", async (t) => {
  const bench = await withJob(t);
  const script =
    "process.stdout.write(String([process.env.DB_HOST, process.env.ADMIN_URL]));process.exit(process.env.ADMIN_URL===undefined&&process.env.DB_HOST==='db'?0:9)";
  t.equal((await bench.run(["run", "api", "--", process.execPath, "-e", script])).code, 0);
  t.match((await bench.must(["get", "api", "ADMIN_URL"])).out, "postgres://admin@db");
});

t.test("a template that names a key of the job's is pointed out, and does not verify", async (t) => {
  const bench = await ruled(t);
  bench.write(FILE, bench.read(FILE).replace("spec:\n", "spec:\n  render:\n    DSN: '[[ ADMIN_URL ]]'\n"));
  await bench.must(["set", "api", "ADMIN_URL", "--sign-header"], { stdin: "postgres://admin@db" });
  await bench.must(["verify"]);
  const ran = await bench.must(["rotation", "set", "api", "--image", IMAGE, "--key", "ADMIN_URL"]);
  t.match(ran.err, /RenderInvalid: .*spec\.render\.DSN.*the bundle has no value for ADMIN_URL/);
  t.not((await bench.run(["verify"])).code, 0);
});

t.test("only an admin signs for a job, others hear so at once; a writer may take one away", async (t) => {
  const bench = new Workbench(t);
  const pin = await withRules(bench);
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  const words = ["rotation", "set", "api", "--image", IMAGE];
  const before = bench.read(FILE);
  const refused = await bench.run(words, { as: "bob" });
  t.equal(refused.code, 3);
  t.match(refused.err, /NotAuthorised: bob may not sign the environment acme\/shop\/dev/);
  t.equal(bench.read(FILE), before);
  await bench.must(words);
  for (const change of [
    ["generate", "api", "DB_PASSWORD", "--again"],
    ["unset", "api", "DB_USER"],
  ]) {
    const changed = await bench.run(change, { as: "bob" });
    t.equal(changed.code, 3, change.join(" "));
    t.match(changed.err, /NotAuthorised: .*spec\.rotation: bob may not sign for a job/);
  }
  await bench.must(["set", "api", "DB_HOST"], { stdin: "db2", as: "bob" });
  await bench.must(["rotation", "remove", "api"], { as: "bob" });
  await bench.must(["generate", "api", "DB_PASSWORD", "--again"], { as: "bob" });
  await bench.must(["verify"]);
});

t.test("the job of somebody who is no admin any more waits for one who signs it again", async (t) => {
  const bench = new Workbench(t);
  const pin = await withRules(bench);
  await bench.admit("bob", pin);
  await bench.must(["grant", "bob", "admin", "--scope", "shop/dev"]);
  await bench.must(["rotation", "set", "api", "--image", IMAGE], { as: "bob" });
  await bench.must(["verify"]);
  await bench.must(["revoke", "bob", "admin", "--scope", "shop/dev"]);
  await bench.must(["grant", "bob", "write", "--scope", "shop/dev"]);
  const { rotation } = stored(bench).spec;
  t.match((await bench.run(["rotation", "set", "api", "--deadline", "5m"])).err, /--sign-header/, "not by the way");
  const signed = await bench.must(["set", "api", "DB_HOST", "--sign-header"], { stdin: "db" });
  t.match(signed.err, `the header that you signed has a job run that gets all values of the bundle: ${IMAGE}`);
  t.strictSame(stored(bench).spec.rotation, rotation);
  await bench.must(["verify"]);
});

t.test("a job that was put into the file, whoever signs for it, does not verify", async (t) => {
  const bench = await withJob(t);
  bench.write(FILE, bench.read(FILE).replace(IMAGE, "evil"));
  const verified = await bench.run(["verify"]);
  t.not(verified.code, 0);
  t.match(verified.err + verified.out, /SignatureInvalid/);
  t.match((await bench.run(["rotation", "set", "api", "--deadline", "1m"])).err, /SignatureInvalid/);
});

t.test("as long as a job is there, its rules stay and keep the value before", async (t) => {
  const bench = await withJob(t);
  const before = bench.read(FILE);
  const refused: readonly (readonly [words: readonly string[], text: RegExp])[] = [
    [
      ["unset", "api", "DB_USER", "DB_PASSWORD"],
      /StillNeeded: bundle shop-dev\/api: a rotation job needs a generated value: .*`zopp rotation remove shop-dev\/api`/,
    ],
    [
      ["generate", "api", "TOKEN", "--kind", "uuid"],
      /StillNeeded: .*which the rule for TOKEN does not keep: `zopp generate shop-dev\/api TOKEN --previous TOKEN_OLD`/,
    ],
    [
      ["generate", "api", "TOKEN", "--kind", "uuid", "--previous", "ADMIN_URL"],
      /spec\.generate\.TOKEN\.previous is a data key as well/,
    ],
    [
      ["rotation", "remove", "api"],
      /StillNeeded: .*ADMIN_URL, which only the job gets, would be in the Secret: `zopp unset/,
    ],
    [
      ["rotation", "set", "api", "--key", "CA"],
      /StillNeeded: .*ADMIN_URL, which only the job gets, would be in the Secret/,
    ],
  ];
  for (const [words, text] of refused) {
    const ran = await bench.run(words);
    t.equal(ran.code === 0, false, words.join(" "));
    t.match(ran.err, text);
    t.equal(bench.read(FILE), before);
  }
  await bench.must(["generate", "api", "TOKEN", "--kind", "uuid", "--previous", "TOKEN_OLD"]);
  await bench.must(["unset", "api", "TOKEN", "DB_USER", "ADMIN_URL"]);
  await bench.must(["rotation", "remove", "api"]);
  t.equal(stored(bench).spec.rotation, undefined);
  await bench.must(["unset", "api", "DB_PASSWORD"]);
  await bench.must(["verify"]);
  t.match((await bench.run(["rotation", "remove", "api"])).err, /NotFound: bundle shop-dev\/api has no rotation job/);
});

t.test("a job without anything to bring, or of no form, is refused before anything is written", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "shop-dev/api", "DB_HOST"], { stdin: "db" });
  const set = ["rotation", "set", "api", "--image", IMAGE];
  t.match(
    (await bench.run(set)).err,
    /StillNeeded: .*needs a generated value: `zopp generate shop-dev\/api KEY --kind password --previous KEY_OLD`/,
  );
  await bench.must(["generate", "api", "TOKEN", "--kind", "uuid"]);
  t.match((await bench.run(set)).err, /StillNeeded: .*which the rule for TOKEN does not keep/);
  await bench.must(["generate", "api", "TOKEN", "--previous", "TOKEN_OLD"]);
  const before = bench.read(FILE);
  const refused: readonly (readonly [words: readonly string[], text: RegExp])[] = [
    [["rotation", "set", "api"], /Usage: say what runs: --image IMAGE/],
    [[...set, "--deadline", "2h"], /spec\.rotation\.deadline is longer than 1h/],
    [[...set, "--deadline", "1d"], /spec\.rotation\.deadline does not have the form/],
    [[...set, "--key", "TOKEN"], /spec\.rotation\.keys\.0 is a generated key as well/],
    [[...set, "--key", "A", "--key", "A"], /spec\.rotation\.keys\.1 stands there twice/],
    [["rotation", "set", "web", "--image", IMAGE], /NotFound/],
  ];
  for (const [words, text] of refused) {
    const ran = await bench.run(words);
    t.not(ran.code, 0, words.join(" "));
    t.match(ran.err, text);
  }
  t.equal(bench.read(FILE), before);
});

t.test(
  "whoever goes back to an earlier header keeps the job: without it, its keys would be in the Secret",
  async (t) => {
    const bench = await ruled(t);
    const before = stored(bench);
    await bench.must(["rotation", "set", "api", "--image", IMAGE, "--key", "ADMIN_URL"]);
    const present = stored(bench);
    t.strictSame(withHeaderOf(present, before).spec.rotation, present.spec.rotation);
  },
);

t.test("a rekey keeps the job, with its key sealed again", async (t) => {
  const bench = await withJob(t);
  const { rotation, data } = stored(bench).spec;
  await bench.must(["environment", "rekey", "shop/dev"]);
  const after = stored(bench).spec;
  t.strictSame(after.rotation, rotation);
  t.not(after.data?.ADMIN_URL?.to, data?.ADMIN_URL?.to);
  await bench.must(["verify"]);
});
