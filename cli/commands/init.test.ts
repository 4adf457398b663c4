// `zopp init`: what it makes, for whose eyes, and that it takes nothing over.
// That the policy it signs holds is judged by other commands' runs.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Workbench } from "../run.case.js";

t.test("init makes an identity, a signed policy and settings, and prints the pin of a keyring", async (t) => {
  const bench = new Workbench(t);
  const ran = await bench.must(["init", "acme/shop/dev", "--recovery-file", "recovery.txt"]);
  t.match(ran.out, /--trust acme@\d{14}:[0-9a-f]{64}/);
  const recovery = bench.read("recovery.txt");
  t.match(recovery, /^AGE-SECRET-KEY-/m);
  for (const file of bench.files()) {
    if (!file.endsWith("recovery.txt")) t.notMatch(readFileSync(file, "utf8"), "AGE-SECRET-KEY-", file);
  }
  t.notMatch(ran.out + ran.err, "AGE-SECRET-KEY-");
  const home = bench.environmentOf("alice")["ZOPP_HOME"] ?? "";
  t.equal(statSync(home).mode & 0o777, 0o700);
  t.equal(statSync(join(home, "identity.age")).mode & 0o777, 0o600);
  t.equal(statSync(bench.path("recovery.txt")).mode & 0o777, 0o600);
  t.match(readFileSync(join(home, "identity.age"), "utf8"), "-----BEGIN AGE ENCRYPTED FILE-----");
  await bench.must(["verify"]);
  t.match((await bench.must(["whoami"])).out, "alice");
});

t.test("a file for the recovery key that is there already is refused before anybody is asked, and kept", async (t) => {
  const bench = new Workbench(t);
  bench.write("recovery.txt", "another workspace's\n");
  // nobody is there to be asked for a passphrase
  const ran = await bench.run(["init", "acme", "--recovery-file", "recovery.txt"], {
    env: { ZOPP_PASSPHRASE_FILE: "" },
  });
  t.equal(ran.code, 7);
  t.match(ran.err, `error: AlreadyExists: ${bench.path("recovery.txt")} is there already`);
  t.equal(bench.read("recovery.txt"), "another workspace's\n");
  t.notOk(existsSync(bench.environmentOf("alice")["ZOPP_HOME"] ?? ""));
});

t.test("init refuses what is there already, and loses nothing", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const before = bench.read("zopp/acme.yaml");
  const again = await bench.run(["init", "acme/shop/dev", "--recovery-file", "second.txt"]);
  t.equal(again.code, 7);
  t.match(again.err, "AlreadyExists");
  t.equal(bench.read("zopp/acme.yaml"), before);
  const elsewhere = await bench.run(["init", "acme", "--store", "elsewhere", "--recovery-file", "second.txt"]);
  t.match(elsewhere.err, "AlreadyExists", "a pinned name is not taken over");
  t.equal((await bench.run(["init", "Acme"], { as: "bob" })).code, 2);
  t.equal((await bench.run(["init", "acme/shop"], { as: "bob" })).code, 2);
  t.equal(
    (await bench.run(["init", "other", "--store", "other"], { as: "bob" })).code,
    2,
    "nobody is there to be shown the recovery key",
  );
});
