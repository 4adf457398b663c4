// `zopp generate` on a directory: which rules it signs, when it asks for another value, and who may not. What keyrings make of
// them, and the store of a cluster: hack/e2e/generated.slow.ts.
import t, { type Test } from "tap";
import type { GenerateRule, ZoppSecret } from "../../crds/types.gen.js";
import { parseSecret } from "../../crds/validate.js";
import { withHeaderOf } from "../going-back.js";
import { Workbench } from "../run.case.js";
import { readManifests } from "../store/yaml.read.js";

const FILE = "zopp/shop-dev/api.yaml";

function stored(bench: Workbench): ZoppSecret {
  return parseSecret(readManifests(bench.read(FILE), FILE)[0]?.value);
}
const ruleOf = (bench: Workbench, key: string): GenerateRule | undefined => stored(bench).spec.generate?.[key];

async function withApi(t: Test): Promise<Workbench> {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "shop-dev/api", "DB_USER"], { stdin: "shop" });
  return bench;
}

t.test("a rule is signed into the header, and no value is there", async (t) => {
  const bench = await withApi(t);
  const { header, data } = stored(bench).spec;
  const words = ["generate", "api", "DB_PASSWORD", "--kind", "password", "--length", "40", "--rotate-every", "720h"];
  const ran = await bench.must([...words, "--previous", "OLD"]);
  t.match(ran.out, /^signed for DB_PASSWORD of shop-dev\/api: the keyring makes a value, for the Secret api /);
  const rule = { kind: "password", length: 40, rotateEvery: "720h", previous: "OLD" };
  t.match(ruleOf(bench, "DB_PASSWORD"), rule);
  t.ok(stored(bench).spec.header.version > header.version);
  t.strictSame(stored(bench).spec.data, data, "not a byte of an entry");
  await bench.must(["verify"]);
  t.equal((await bench.must(words)).out, "nothing was changed\n");
});

t.test("another value is asked for by another rule or --again, not by another span", async (t) => {
  const bench = await withApi(t);
  const generate = (...words: string[]) => bench.must(["generate", "api", "KEY", ...words]);
  await generate("--kind", "rsa", "--public", "KEY.pub");
  const first = ruleOf(bench, "KEY");
  t.match(first, { kind: "rsa", bits: 3072, public: "KEY.pub" });
  t.match((await generate("--rotate-every", "30d")).out, /its value stays/);
  t.equal(ruleOf(bench, "KEY")?.version, first?.version);
  t.match((await generate("--bits", "4096")).out, /makes a value/);
  const second = ruleOf(bench, "KEY");
  t.ok((second?.version ?? 0) > (first?.version ?? 0));
  await generate("--again");
  t.strictSame({ ...ruleOf(bench, "KEY"), version: 0 }, { ...second, version: 0 });
  t.ok((ruleOf(bench, "KEY")?.version ?? 0) > (second?.version ?? 0));
  await generate("--rotate-every", "never");
  t.equal(ruleOf(bench, "KEY")?.rotateEvery, undefined);
  await generate("--kind", "uuid");
  t.strictSame(Object.keys(ruleOf(bench, "KEY") ?? {}).sort(), ["kind", "version"]);
});

t.test("a bundle can hold nothing but what is generated; unset takes a rule away, and list shows them", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["generate", "shop-dev/api", "SESSION", "--kind", "bytes"]);
  t.match(ruleOf(bench, "SESSION"), { kind: "bytes", length: 32 });
  t.match((await bench.must(["list", "api"])).out, /SESSION .*keyring .*generated/);
  t.match((await bench.must(["status", "api"])).out, /generated +SESSION \(bytes\)/);
  await bench.must(["unset", "api", "SESSION"]);
  t.equal(stored(bench).spec.generate, undefined);
  await bench.must(["verify"]);
});

t.test("whoever goes back to an earlier header has no other value made, and keeps the present one", async (t) => {
  const bench = await withApi(t);
  const before = stored(bench);
  await bench.must(["generate", "api", "TOKEN", "--kind", "password"]);
  const first = stored(bench);
  await bench.must(["generate", "api", "TOKEN", "--again"]);
  const present = stored(bench);
  for (const earlier of [before, first])
    t.strictSame(withHeaderOf(present, earlier).spec.generate, present.spec.generate);
});

t.test("a sealed key is not replaced by the way; a retired one is generated from then on", async (t) => {
  const bench = await withApi(t);
  const words = ["generate", "api", "DB_USER", "--kind", "uuid"];
  const refused = await bench.run(words);
  t.match(
    refused.err,
    /StillNeeded: bundle shop-dev\/api has a sealed value for DB_USER: `zopp unset shop-dev\/api DB_USER` first/,
  );
  await bench.must(["unset", "api", "DB_USER"]);
  await bench.must(words);
  await bench.must(["verify"]);
  const set = await bench.run(["set", "api", "DB_USER"], { stdin: "x" });
  t.match(set.err, /spec\.generate\.DB_USER is a data key as well/);
});

t.test("get says where a generated value is, and shows the others", async (t) => {
  const bench = await withApi(t);
  await bench.must(["generate", "api", "TOKEN", "--kind", "password"]);
  const one = await bench.run(["get", "api", "TOKEN"]);
  t.equal(one.code, 4);
  t.match(one.err, /keyring makes TOKEN by itself; read it in the Secret shop-dev\/api there/);
  const all = await bench.must(["get", "api"]);
  t.match(all.out, /DB_USER: shop/);
  t.match(all.err, /keyring makes TOKEN by itself/);
});

t.test("what nobody could make is refused before anything is written", async (t) => {
  const bench = await withApi(t);
  const before = bench.read(FILE);
  const refused: readonly (readonly [words: readonly string[], text: RegExp])[] = [
    [[], /say what is made: --kind is one of/],
    [["--kind", "pin"], /--kind/],
    [["--kind", "password", "--length", "8"], /leaves less than 64 bits to guess/],
    [["--kind", "password", "--length", "many"], /--length is a number/],
    [["--kind", "password", "--alphabet", "aab"], /holds a character twice/],
    [["--kind", "uuid", "--public", "P"], /public does not go with the kind uuid/],
    [["--kind", "uuid", "--rotate-every", "6m"], /--rotate-every is/],
    [["--kind", "uuid", "--dns", "a.svc"], /flags about certificates go with --kind certificate/],
    [["--kind", "certificate"], /say which key gets the certificate: --certificate tls\.crt/],
    [["--kind", "certificate", "--certificate", "c"], /names nothing that the certificate is for/],
    [["--kind", "certificate", "--certificate", "c", "--dns", "a", "--issuer", "ca"], /--issuer reads BUNDLE\/KEY/],
    [["--kind", "uuid", "--previous", "DB_USER"], /is a data key as well/],
  ];
  for (const [words, text] of refused) {
    const ran = await bench.run(["generate", "api", "KEY", ...words]);
    t.not(ran.code, 0, words.join(" "));
    t.match(ran.err, text);
  }
  t.equal(bench.read(FILE), before);
});

t.test("a rule that was edited in the file, or is signed by nobody with the right, does not verify", async (t) => {
  const bench = await withApi(t);
  await bench.must(["generate", "api", "KEY", "--kind", "password", "--length", "64"]);
  bench.write(FILE, bench.read(FILE).replace("length: 64", "length: 12"));
  const verified = await bench.run(["verify"]);
  t.not(verified.code, 0);
  t.match(verified.err + verified.out, /SignatureInvalid/);
});

t.test(
  "whoever asks for another value while one waits for its job is asked first, where the bundle says that it does",
  async (t) => {
    const bench = await withApi(t);
    await bench.must(["generate", "api", "TOKEN", "--kind", "uuid", "--previous", "TOKEN_OLD"]);
    const warning = /wait for their rotation job/;
    t.notMatch((await bench.must(["generate", "api", "TOKEN", "--again"])).err, warning);
    const at = { reason: "RotationPending", message: "", lastTransitionTime: "2026-11-28T00:00:00Z" };
    const conditions = [{ type: "RotationPending", status: "True", ...at }];
    bench.write(FILE, JSON.stringify({ ...stored(bench), status: { conditions } }));
    const again = ["generate", "api", "TOKEN", "--again"];
    const before = bench.read(FILE);
    t.match(await bench.run(again), { code: 2, err: warning }, "nobody is there to ask");
    t.match(await bench.run(again, { answers: ["n"] }), { code: 1, err: /nothing was signed/ });
    t.equal(bench.read(FILE), before);
    t.match((await bench.must([...again, "--yes"])).err, warning);
    await bench.must(again, { answers: ["y"] });
    t.not(bench.read(FILE), before);
    t.notMatch(
      (await bench.must(["generate", "api", "TOKEN", "--rotate-every", "30d"])).err,
      warning,
      "the value stays",
    );
  },
);

t.test("a CA and a certificate that it signs are rules of two bundles", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const ca = ["generate", "shop-dev/api", "ca.key", "--kind", "certificate", "--certificate", "ca.crt", "--ca"];
  await bench.must([
    ...ca,
    "--common-name",
    "shop internal",
    "--issues",
    "web=*.shop.svc,10.0.0.7",
    "--issues",
    "*=all.svc",
  ]);
  const issues = [
    { bundle: "web", names: ["*.shop.svc", "10.0.0.7"] },
    { bundle: "*", names: ["all.svc"] },
  ];
  const certificate = { key: "ca.crt", commonName: "shop internal", validFor: "730d", ca: true, issues };
  const { version, ...rule } = ruleOf(bench, "ca.key") ?? {};
  t.same(rule, { kind: "certificate", curve: "P-256", rotateEvery: "365d", certificate });
  t.match((await bench.must(["generate", "api", "ca.key", "--issues", "none"])).out, /its value stays/);
  t.equal(ruleOf(bench, "ca.key")?.version, version);
  t.same(ruleOf(bench, "ca.key")?.certificate?.issues ?? [], []);
  const leaf = [
    "generate",
    "api",
    "tls.key",
    "--kind",
    "certificate",
    "--certificate",
    "tls.crt",
    "--authority",
    "trust.crt",
  ];
  await bench.must([
    ...leaf,
    "--dns",
    "a.svc",
    "--dns",
    "b.svc",
    "--usage",
    "server",
    "--issuer",
    "internal-ca/ca.key",
  ]);
  const { certificate: said, rotateEvery } = ruleOf(bench, "tls.key") ?? {};
  const issuer = { name: "internal-ca", key: "ca.key" };
  const wanted = { key: "tls.crt", authority: "trust.crt", dnsNames: ["a.svc", "b.svc"], usages: ["server"], issuer };
  t.same([said, rotateEvery], [{ ...wanted, validFor: "90d" }, "30d"]);
  await bench.must(["verify"]);
});
