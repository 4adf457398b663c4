// The files of an identity: what damage, loss and foreign eyes on them come to.
// What an identity seals and signs is crds/crypto's.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Workbench } from "./run.case.js";

/** A file of alice's identity directory. */
function homeFile(bench: Workbench, name: string): string {
  return join(bench.environmentOf("alice")["ZOPP_HOME"] ?? "", name);
}

t.test("damaged public keys are said to be that, and are written again when the identity is opened", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  const file = homeFile(bench, "identity.json");
  const whole = readFileSync(file, "utf8");
  const { signingKey } = JSON.parse(whole) as { signingKey: string };
  const damages = ["", "{", "null", "[]", '{"signingKey": 1}', whole.replace(signingKey, signingKey.slice(0, -8))];
  for (const text of damages) {
    writeFileSync(file, text);
    const ran = await bench.run(["whoami"]);
    t.equal(ran.code, 5, text);
    t.match(ran.err, `error: Malformed: ${file} is damaged: remove it`, text);
  }
  rmSync(file);
  const missing = await bench.run(["whoami"]);
  t.equal(missing.code, 5);
  t.match(missing.err, `error: Malformed: ${file} is missing`);
  await bench.must(["set", "api", "K"], { stdin: "v" });
  t.equal(readFileSync(file, "utf8"), whole);
  await bench.must(["whoami"]);
});

t.test("public keys that cannot be read hinder nothing that needs none", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "K"], { stdin: "v" });
  const file = homeFile(bench, "identity.json");
  rmSync(file);
  mkdirSync(file);
  t.equal((await bench.must(["get", "api", "K"])).out, "v");
  t.match((await bench.run(["whoami"])).err, `error: NotFound: cannot read ${file}`);
});

t.test("an identity that group or others could read or write is refused, as ssh refuses a private key", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "K"], { stdin: "v" });
  const file = homeFile(bench, "identity.age");
  for (const mode of [0o640, 0o604, 0o620, 0o602]) {
    chmodSync(file, mode);
    const ran = await bench.run(["get", "api", "K"]);
    t.equal(ran.code, 3, mode.toString(8));
    t.match(ran.err, `error: FileExposed: ${file} has mode ${mode.toString(8)}`);
    t.match(ran.err, "next: let nobody but yourself read or write the file: chmod 600");
    t.equal(ran.out, "");
  }
  for (const mode of [0o600, 0o400]) {
    chmodSync(file, mode);
    t.equal((await bench.must(["get", "api", "K"])).out, "v", mode.toString(8));
  }
});

t.test("an identity that is a link counts as what it leads to", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "K"], { stdin: "v" });
  const file = homeFile(bench, "identity.age");
  const kept = join(bench.folder, "kept-elsewhere");
  renameSync(file, kept);
  symlinkSync(kept, file);
  t.equal((await bench.must(["get", "api", "K"])).out, "v");
  chmodSync(kept, 0o644);
  t.match((await bench.run(["get", "api", "K"])).err, "error: FileExposed: ");
});
