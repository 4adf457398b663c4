import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Workbench } from "../run.case.js";

const DIGEST = "ab".repeat(32);
const OTHER = "cd".repeat(32);

t.test("a pin is added, shown, raised, and forgotten", async (t) => {
  const bench = new Workbench(t);
  await bench.must(["trust", `acme@7:${DIGEST}`]);
  t.equal((await bench.must(["trust"])).out, `acme@7:${DIGEST}\n`);
  await bench.must(["trust", `acme@9:${DIGEST}`]);
  await bench.must(["trust", `acme@8:${DIGEST}`]);
  t.same(
    JSON.parse((await bench.must(["trust", "-o", "json"])).out),
    { pins: [`acme@9:${DIGEST}`] },
    "a pin's version only rises",
  );
  await bench.must(["trust", "--remove", "acme"]);
  t.equal((await bench.run(["trust", "--remove", "acme"])).code, 4);
});

t.test("the pin of one of several workspaces is shown alone; one that is not pinned is not found", async (t) => {
  const bench = new Workbench(t);
  await bench.must(["trust", `acme@7:${DIGEST}`]);
  await bench.must(["trust", `other@8:${OTHER}`]);
  t.equal((await bench.must(["trust", "acme"])).out, `acme@7:${DIGEST}\n`);
  t.same(JSON.parse((await bench.must(["trust", "other", "-o", "json"])).out), { pins: [`other@8:${OTHER}`] });
  for (const name of ["third", "__proto__"]) {
    const ran = await bench.run(["trust", name]);
    t.equal(ran.code, 4, name);
    t.equal(ran.out, "", name);
    t.match(ran.err, "WORKSPACE@VERSION:DIGEST", name);
  }
  t.equal((await bench.run(["trust", "acme", "--replace"])).code, 2);
});

t.test("other owners take a pin's place only when told so", async (t) => {
  const bench = new Workbench(t);
  await bench.must(["trust", `acme@7:${DIGEST}`]);
  const ran = await bench.run(["trust", `acme@7:${OTHER}`]);
  t.equal(ran.code, 3);
  t.match(ran.err, "PinMismatch");
  t.match((await bench.must(["trust"])).out, DIGEST);
  await bench.must(["trust", `acme@7:${OTHER}`, "--replace"]);
  t.match((await bench.must(["trust"])).out, OTHER);
});

t.test("a flag without the pin or workspace that it is for is a usage error, not a list of pins", async (t) => {
  const bench = new Workbench(t);
  await bench.must(["trust", `acme@7:${DIGEST}`]);
  for (const flag of ["--remove", "--replace"]) {
    const ran = await bench.run(["trust", flag]);
    t.equal(ran.code, 2, flag);
    t.equal(ran.out, "", flag);
    t.match(ran.err, `error: Usage: ${flag} needs `);
  }
});

t.test("what is no pin is refused with its form", async (t) => {
  const bench = new Workbench(t);
  for (const text of [
    "acme@7",
    `acme:${DIGEST}`,
    `acme@x:${DIGEST}`,
    `acme@7:${DIGEST}0`,
    `Acme@7:${DIGEST}`,
    "__proto__@1:x",
  ]) {
    const ran = await bench.run(["trust", text]);
    t.equal(ran.code, 2, text);
    t.match(ran.err, "WORKSPACE@VERSION:DIGEST");
  }
});

t.test("pins are private to their owner, and a damaged file is said to be that", async (t) => {
  const bench = new Workbench(t);
  await bench.must(["trust", `acme@7:${DIGEST}`]);
  const home = join(bench.folder, "people", "alice", ".zopp");
  const file = join(home, "known-workspaces");
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(statSync(home).mode & 0o777, 0o700);
  writeFileSync(file, readFileSync(file, "utf8").slice(0, 20));
  const ran = await bench.run(["trust"]);
  t.equal(ran.code, 5);
  t.match(ran.err, "known-workspaces in the identity directory is damaged");
});
