// Sealing and opening on a directory store: what works, what is refused, and that values appear nowhere else.
// Edits of files are store/directory.test.ts' business.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import { principalOf, Workbench } from "../run.case.js";

const CANARY = "canary-5f1c9b7e-value";
const BUNDLE = "zopp/shop-dev/api.yaml";

t.test("a value that was set is got back, byte for byte", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const binary = Uint8Array.from({ length: 300 }, (_, at) => at % 256);
  await bench.must(["set", "api", "TEXT"], { stdin: "grüße" });
  await bench.must(["set", "api", "tls.crt", "--from-file", "-"], { stdin: binary });
  t.equal((await bench.run(["set", "api", "EMPTY"], { stdin: "" })).code, 2, "as after a command that failed");
  await bench.must(["set", "api", "EMPTY", "--exact"], { stdin: "" });
  t.equal((await bench.must(["get", "api", "TEXT"])).out, "grüße");
  t.same([...(await bench.must(["get", "shop-dev/api", "tls.crt"])).bytes], [...binary]);
  t.equal((await bench.must(["get", "api", "EMPTY"])).out, "");
  const all = JSON.parse((await bench.must(["get", "api", "-o", "json"])).out);
  t.same(all.entries.TEXT, { value: "grüße" });
  t.same(all.entries["tls.crt"], { base64: Buffer.from(binary).toString("base64") });
});

t.test("values come by prompt, dotenv file and stdin; echo's newline is dropped unless --exact", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "A", "B"], { answers: ["one", "two"] });
  writeFileSync(bench.path(".env"), "# comment\nC=three\nexport D='fo ur'\n");
  await bench.must(["set", "api", "--dotenv", ".env"]);
  const dropped = await bench.must(["set", "api", "E"], { stdin: "five\n" });
  t.match(dropped.err, "newline");
  await bench.must(["set", "api", "F", "--exact"], { stdin: "six\n" });
  const { entries } = JSON.parse((await bench.must(["get", "api", "-o", "json"])).out);
  const values = Object.fromEntries(
    Object.entries(entries as Record<string, { value: string }>).map(([key, { value }]) => [key, value]),
  );
  t.same(values, { A: "one", B: "two", C: "three", D: "fo ur", E: "five", F: "six\n" });
});

t.test("a value appears in no output and no file, sealed or temporary, but in get's", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const runs = [
    await bench.run(["set", "api", "K"], { stdin: CANARY }),
    await bench.run(["set", "api", `K=${CANARY}`]),
    await bench.run(["set", "api", "K", CANARY, "!"], { stdin: "x" }),
    await bench.run(["set", "api", `--value=${CANARY}`]),
    await bench.run(["set", "api", "bad/key"], { stdin: CANARY }),
    await bench.run(["set", "api", "K", "-o", "json"], { stdin: CANARY }),
    await bench.run(["list", "api"]),
    await bench.run(["status", "api"]),
    await bench.run(["verify"]),
    await bench.run(["unset", "api", "K"]),
  ];
  for (const { out, err } of runs) t.notMatch(out + err, CANARY);
  for (const file of bench.files()) t.notMatch(readFileSync(file, "latin1"), CANARY, file);
});

t.test("a new bundle takes its namespace from the environment, and its target from flags", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const ran = await bench.must(["set", "web", "K", "--target", "web-env", "--type", "Opaque", "-o", "json"], {
    stdin: "v",
  });
  t.match(JSON.parse(ran.out), { bundle: "shop-dev/web", environment: "acme/shop/dev", entries: [{ key: "K" }] });
  t.match(bench.read("zopp/shop-dev/web.yaml"), /target:\n\s+name: web-env\n/);
  const again = await bench.run(["set", "web", "K", "--target", "other"], { stdin: "v" });
  t.equal(again.code, 2);
});

t.test("what is not allowed is refused with its code, and the file stays", async (t) => {
  const bench = new Workbench(t);
  const pin = await bench.init();
  await bench.must(["set", "api", "KEPT"], { stdin: "v" });
  const [bob, ci, mallory] = [
    await bench.person("bob", pin),
    await bench.person("ci", pin),
    await bench.person("mallory", pin),
  ];
  t.ok(mallory);
  await bench.amend((content) => ({
    ...content,
    principals: [...content.principals, principalOf("bob", bob), principalOf("ci", ci, "service")],
    grants: [...(content.grants ?? []), { subject: "ci", role: "submit", scope: "shop/dev", keys: ["IMAGE_*"] }],
  }));
  const before = bench.read(BUNDLE);
  const refused = async (
    words: readonly string[],
    code: string,
    exit: number,
    options: Parameters<Workbench["run"]>[1] = {},
  ) => {
    const ran = await bench.run(words, { stdin: "v", ...options });
    t.equal(ran.code, exit, ran.err);
    t.match(ran.err, `error: ${code}: `);
    t.match(ran.err, "\nnext: ");
    t.equal(bench.read(BUNDLE), before);
  };
  await refused(["set", "api", "K"], "NotAuthorised", 3, { as: "bob" });
  await refused(["set", "api", "DB_PASSWORD"], "NotAuthorised", 3, { as: "ci" });
  await refused(["unset", "api", "KEPT"], "NotAuthorised", 3, { as: "bob" });
  await refused(["set", "api", "K"], "UnknownSigner", 3, { as: "mallory" });
  await refused(["get", "api", "KEPT"], "NotRecipient", 6, { as: "bob" });
  await refused(["set", "new", "IMAGE_TAG"], "NotAuthorised", 3, { as: "ci" });
  await refused(["set", "api", "K"], "NoIdentity", 4, { as: "nobody", env: { ZOPP_TRUST: pin } });
  await refused(["set", "api", "K"], "NotPinned", 3, { as: "nobody" });
  await refused(["set", "api", "K"], "WrongPassphrase", 6, { env: { ZOPP_PASSPHRASE_FILE: bench.path("zopp.yaml") } });
  await refused(["set", "api", "K", "--from-file", "missing"], "NotFound", 4);
  await refused(["set", "api", "BIG"], "TooLarge", 5, { stdin: new Uint8Array(64 * 1024 + 1) });
  await refused(["set", "prod/api", "K"], "NamespaceNotAllowed", 3);
  await refused(["unset", "api", "MISSING"], "NotFound", 4);
  await refused(["get", "api", "MISSING"], "NotFound", 4);
  await refused(["get", "nothing"], "NotFound", 4);
  await refused(["set", "api", "K", "-e", "shop/other"], "UnknownEnvironment", 4);
  const submitted = await bench.must(["set", "api", "IMAGE_TAG"], { as: "ci", stdin: "v7" });
  t.match(submitted.out, "IMAGE_TAG");
  t.equal((await bench.must(["get", "api", "IMAGE_TAG"])).out, "v7");
});

t.test("a removed key leaves a signed tombstone, and can be set again", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "K"], { stdin: "one" });
  await bench.must(["unset", "api", "K"]);
  t.match(bench.read(BUNDLE), /retired: true/);
  t.equal((await bench.run(["get", "api", "K"])).code, 4);
  t.equal((await bench.run(["unset", "api", "K"])).code, 4);
  await bench.must(["set", "api", "K"], { stdin: "two" });
  t.equal((await bench.must(["get", "api", "K"])).out, "two");
  await bench.must(["verify"]);
});

t.test("a changed byte is never opened, and setting the value again repairs it", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "A"], { stdin: "a" });
  await bench.must(["set", "api", "B"], { stdin: "b" });
  const flipped = bench
    .read(BUNDLE)
    .replace(
      /(A:\n(?:.*\n)*?\s+sealed: .{40})(.)/,
      (_, head: string, char: string) => head + (char === "A" ? "B" : "A"),
    );
  bench.write(BUNDLE, flipped);
  const got = await bench.run(["get", "api", "A"]);
  t.match(got.err, "SignatureInvalid");
  t.equal(got.out, "");
  t.equal((await bench.must(["get", "api", "B"])).out, "b", "the other key still opens");
  await bench.must(["set", "api", "A"], { stdin: "again" });
  t.equal((await bench.must(["get", "api", "A"])).out, "again");
});

t.test("a bundle that was moved to another namespace or key is refused as that", async (t) => {
  const bench = new Workbench(t);
  await bench.init("--namespace", "shop-dev", "--namespace", "shop-test");
  await bench.must(["set", "shop-dev/api", "A"], { stdin: "a" });
  const text = bench.read(BUNDLE);
  bench.write(BUNDLE, text.replace("namespace: shop-dev", "namespace: shop-test"));
  t.match((await bench.run(["get", "api", "A"])).err, "PlaceMismatch");
  t.match((await bench.run(["set", "api", "A"], { stdin: "x" })).err, "PlaceMismatch");
  bench.write(BUNDLE, text.replace(/^ {4}A:/m, "    B:"));
  t.match((await bench.run(["get", "api", "B"])).err, /PlaceMismatch|SignatureInvalid/);
});

t.test("a bundle that does not say its namespace is refused, also by get and set", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "A"], { stdin: "a" });
  bench.write(BUNDLE, bench.read(BUNDLE).replace(/^ {2}namespace: .*\n/m, ""));
  for (const words of [["get", "api", "A"], ["set", "api", "A"], ["verify"], ["status", "api"]]) {
    const ran = await bench.run(words, { stdin: "x" });
    t.equal(ran.code, 5, words.join(" "));
    t.match(ran.out + ran.err, /Malformed.*metadata\.namespace/s);
    t.match(ran.out + ran.err, join("zopp", "shop-dev", "api.yaml"));
  }
});

t.test("a brokered environment is written like any other, and opened by nobody here", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const keyring = identityFromSeed(newSeed());
  const cluster = {
    name: "eu-1",
    signingKey: keyring.signing.verifyKey.text,
    encryptionKey: keyring.encryption.publicKey.text,
    log: "log-1",
  };
  await bench.amend((content) => ({ ...content, clusters: [cluster] }));
  await bench.must(["environment", "create", "shop/production", "-n", "shop-prod", "--kem", "x25519"]);
  await bench.must(["set", "web", "K", "-e", "shop/production"], { stdin: CANARY });
  const got = await bench.run(["get", "web", "K"]);
  t.equal(got.code, 8);
  t.match(got.err, /error: KeyringUnavailable: .* is brokered/);
  t.notMatch(got.out + got.err, CANARY);
  await bench.must(["verify"]);
});
