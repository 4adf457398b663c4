import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { goFolder } from "../go-programs.js";
import { noMountsOfOwn, SEALED_SECRETS } from "../migrate/programs.js";
import { runProgram } from "../run-program.js";
import { programsOf } from "./peers.programs.js";

const folder = t.testdir({ "no-program": "", empty: {} });
const [none, full] = [join(folder, "empty"), join(folder, "full")];

/** Where a cache's programs lie. */
const inCacheAt = (cache: string) => {
  const place = goFolder(SEALED_SECRETS, { XDG_CACHE_HOME: cache });
  return { controller: join(place, "controller"), kubeseal: join(place, "kubeseal") };
};

function program(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "#!/bin/sh\n", { mode: 0o755 });
  return path;
}

const named = { controller: program(join(folder, "my-controller")), kubeseal: program(join(folder, "my-kubeseal")) };
const [built, absent] = [inCacheAt(full), inCacheAt(none)];
for (const path of Object.values(built)) program(path);
const lacking = (...paths: readonly string[]) =>
  `no ${paths.join(", no ")}: name the programs by SEALED_SECRETS_CONTROLLER and KUBESEAL, or let \`make slow\` build them`;

t.test("programs that are named come before those in the cache, and what is lacking is said by its path", async (t) => {
  const notOne = join(folder, "no-program");
  const found = (programs: typeof named) => noMountsOfOwn() || programs;
  const cases = [
    ["none", none, {}, lacking(absent.controller, absent.kubeseal)],
    ["those in the cache", full, {}, found(built)],
    ["nothing named", full, { SEALED_SECRETS_CONTROLLER: "", KUBESEAL: "" }, found(built)],
    ["both", none, { SEALED_SECRETS_CONTROLLER: named.controller, KUBESEAL: named.kubeseal }, found(named)],
    ["one", full, { KUBESEAL: named.kubeseal }, found({ ...built, kubeseal: named.kubeseal })],
    ["one, and no other", none, { SEALED_SECRETS_CONTROLLER: named.controller }, lacking(absent.kubeseal)],
    ["no program", full, { KUBESEAL: notOne }, lacking(notOne)],
    ["a folder", full, { SEALED_SECRETS_CONTROLLER: folder }, lacking(folder)],
  ] as const;
  for (const [what, cache, given, expected] of cases) {
    t.strictSame(programsOf({ XDG_CACHE_HOME: cache, ...given }), expected, what);
  }
});

t.test("without the programs it says so, measures nothing, and that is no failure", async (t) => {
  const main = fileURLToPath(new URL("./peers.js", import.meta.url));
  const env = { PATH: process.env["PATH"], XDG_CACHE_HOME: none };
  const { code, stdout, stderr } = await runProgram([process.execPath, main], { env });
  t.equal(code, 0, stderr);
  t.equal(stdout, `skipped: ${lacking(absent.controller, absent.kubeseal)}\n`);
});
