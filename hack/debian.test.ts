import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { ensureDebian, missingDebian } from "./debian.js";

/** A machine with one program in PATH, `present`, and its environment. */
function machine(t: Test): { readonly folder: string; readonly env: NodeJS.ProcessEnv } {
  const folder = mkdtempSync(join(tmpdir(), "zopp-debian-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "present"), "", { mode: 0o755 });
  return { folder, env: { PATH: folder, XDG_CACHE_HOME: folder } };
}

t.test("a package is there when its program is, by name or by path", async (t) => {
  const { folder, env } = machine(t);
  const packages = { one: "present", two: join(folder, "present"), three: "no-such-program", four: join(folder, "no") };
  t.strictSame(missingDebian(packages, env), ["three", "four"]);
});

t.test("nothing is done where nothing is missing, whoever asks", async (t) => {
  const { env } = machine(t);
  const lines: string[] = [];
  await ensureDebian({ one: "present" }, { env, log: (line) => lines.push(line) });
  t.strictSame(lines, []);
});

t.test("where apt-get is not, the error names the missing programs and their packages", async (t) => {
  const { env } = machine(t);
  const wanted = { one: "present", "a-package": "a-program", "b-package": "/usr/lib/b/program" };
  const expected =
    "these programs are missing, and there is no apt-get here; install them: " +
    "a-program (Debian's package a-package), /usr/lib/b/program (Debian's package b-package)";
  await t.rejects(ensureDebian(wanted, { env }), new Error(expected));
});

t.test("an installation that fails shows what apt-get wrote", async (t) => {
  const { folder, env } = machine(t);
  const text = "E: Unable to locate package a-package";
  writeFileSync(join(folder, "apt-get"), `#!/bin/sh\necho '${text}' >&2\nexit 100\n`, { mode: 0o755 });
  const lines: string[] = [];
  const isRoot = process.getuid?.() === 0;
  const expected = isRoot
    ? new RegExp(`install a-package failed \\(exit code 100\\):\n${text}`)
    : /only root can install/;
  await t.rejects(ensureDebian({ "a-package": "a-program" }, { env, log: (line) => lines.push(line) }), expected);
  if (isRoot) t.match(lines, ["installing a-package of Debian with apt-get: under a minute, once"]);
});
