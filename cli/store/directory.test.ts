// Edits of a directory store: only the entry that changes, all or nothing, clean merges in git, clear refusals.
// What the edits mean is the commands' tests' business.
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { git, Workbench } from "../run.case.js";
import { type Disk, replaceFiles } from "./files.js";

const BUNDLE = "zopp/shop-dev/api.yaml";
const KEYS = ["A", "DB_PASSWORD", "NO", "on", "tls.crt", "1.5", "2026-11-23"];

/** The lines of one entry, its key's line first. */
function linesOf(text: string, key: string): string[] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => new RegExp(`^ {4}"?${key.replaceAll(".", "\\.")}"?:`).test(line));
  const length = lines.slice(start + 1).findIndex((line) => !/^ {6}/.test(line));
  return start < 0 ? [] : lines.slice(start, start + 1 + (length < 0 ? lines.length : length));
}

/** The text without one entry's lines. */
function without(text: string, key: string): string {
  return text.replace(linesOf(text, key).join("\n"), "<entry>");
}

t.test("setting one key leaves every other byte of the file as it is, comments and layout included", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  for (const key of KEYS) await bench.must(["set", "api", key], { stdin: key });
  const plain = bench.read(BUNDLE);
  t.match(plain, /^ {4}"NO":$/m, "keys that old YAML reads as booleans are quoted");
  t.match(plain, /^ {4}"2026-11-23":$/m);
  const comment = fc.stringMatching(/^[ -~]{0,20}$/).map((text) => `# ${text}`);
  const layout = fc.record({
    key: fc.constantFrom(...KEYS),
    head: comment,
    between: comment,
    tail: comment,
    blank: fc.boolean(),
    crlf: fc.boolean(),
    document: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(layout, async ({ key, head, between, tail, blank, crlf, document }) => {
      const decorated = [
        head,
        ...(document
          ? ["apiVersion: v1", "kind: ConfigMap  # not ours", "metadata: {name: x,   namespace: y}", "---"]
          : []),
        plain
          .replace(/^kind: ZoppSecret$/m, () => `kind:   ZoppSecret ${between}`)
          .replace(/^ {4}"?on"?:$/m, (key) => `    ${between}\n${key} ${tail}${blank ? "\n" : ""}`)
          .trimEnd(),
        tail,
        "",
      ].join("\n");
      const before = crlf ? decorated.replaceAll("\n", "\r\n") : decorated;
      bench.write(BUNDLE, before);
      await bench.must(["set", "api", key], { stdin: "changed" });
      const after = bench.read(BUNDLE);
      const unix = (text: string) => text.replaceAll("\r\n", "\n");
      if (key !== "on" || !blank) t.equal(without(unix(after), key), without(unix(before), key));
      t.equal(after.split("\r\n").length > 1, crlf);
      if (crlf) t.notMatch(after, /[^\r]\n/);
      t.equal((await bench.must(["get", "api", key])).out, "changed");
    }),
    { numRuns: 25 },
  );
});

t.test("entries stand sorted by key, wherever a new one comes", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  for (const key of ["M", "Z", "A", "Q"]) await bench.must(["set", "api", key], { stdin: "v" });
  t.same(
    [...bench.read(BUNDLE).matchAll(/^ {4}"?(\w+)"?:$/gm)]
      .map(([, key]) => key)
      .filter((key) => /^[A-Z]$/.test(key ?? "")),
    ["A", "M", "Q", "Z"],
  );
  t.match(
    linesOf(bench.read(BUNDLE), "Q").map((line) => line.trim().split(":")[0]),
    [/Q/, "version", "by", "sealed", "signature", "to"],
  );
});

t.test("two branches that set different keys merge without a conflict, and the result verifies", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  for (const key of ["A", "B", "C", "D"]) await bench.must(["set", "api", key], { stdin: "first" });
  git(bench, "init", "-q");
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "start");
  git(bench, "checkout", "-q", "-b", "other");
  await bench.must(["set", "api", "B"], { stdin: "by the branch" });
  git(bench, "commit", "-q", "-a", "-m", "B");
  git(bench, "checkout", "-q", "main");
  await bench.must(["set", "api", "C"], { stdin: "by main" });
  await bench.must(["set", "api", "E"], { stdin: "added by main" });
  git(bench, "commit", "-q", "-a", "-m", "C");
  git(bench, "merge", "-q", "other", "-m", "merge");
  t.equal((await bench.must(["get", "api", "B"])).out, "by the branch");
  t.equal((await bench.must(["get", "api", "C"])).out, "by main");
  t.match((await bench.must(["verify", "--base", "HEAD~1"])).out, "verified");
});

t.test("uncommitted edits of the policy keep the ancestors of git's HEAD", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  git(bench, "init", "-q");
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "start");
  const ancestors = () =>
    [...bench.read("zopp/acme.yaml").matchAll(/^ {2}- "?([0-9a-f]{64})"?$/gm)].map(([, digest]) => digest);
  for (const environment of ["one", "two", "three"]) {
    await bench.must([
      "environment",
      "create",
      `shop/${environment}`,
      "-n",
      `shop-${environment}`,
      "--access",
      "direct",
    ]);
    t.equal(ancestors().length, 1, "only what others can have seen");
  }
  git(bench, "add", "-A");
  git(bench, "commit", "-q", "-m", "environments");
  await bench.must(["environment", "create", "shop/four", "-n", "shop-four", "--access", "direct"]);
  t.equal(ancestors().length, 2);
  await bench.must(["verify", "--base", "HEAD"]);
  await bench.must(["verify", "--base", "HEAD~1"]);
});

t.test("a file that cannot be written stays as it is, without a temporary one beside it", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "A"], { stdin: "v" });
  const before = bench.read(BUNDLE);
  const file = bench.path(BUNDLE);
  const failing = (change: Partial<Disk>): Disk => ({ ...fs, ...change }) as Disk;
  const fail = (code: string) => (): never => {
    throw Object.assign(new Error("disk"), { code });
  };
  const disks: Record<string, Disk> = {
    "a full disk": failing({ writeSync: fail("ENOSPC") as never }),
    "a disk that fails to flush": failing({ fsyncSync: fail("EIO") as never }),
    "a read-only disk": failing({ openSync: fail("EROFS") as never }),
    "a folder that refuses the rename": failing({ renameSync: fail("EACCES") as never }),
  };
  for (const [what, disk] of Object.entries(disks)) {
    t.throws(() => replaceFiles([{ file, before, after: "new" }], disk), { code: "FileUnwritable" }, what);
    t.equal(bench.read(BUNDLE), before, what);
    t.same(fs.readdirSync(dirname(file)), ["api.yaml"], what);
  }
  t.throws(() => replaceFiles([{ file, before: "something else", after: "new" }]), { code: "ApiConflict" });
});

t.test("of two files either both change or none", (t) => {
  const bench = new Workbench(t);
  bench.write("one", "1");
  bench.write("two", "2");
  let renames = 0;
  const disk = {
    ...fs,
    renameSync: (from: string, to: string) => {
      renames += 1;
      if (renames === 2) throw Object.assign(new Error("disk"), { code: "EIO" });
      fs.renameSync(from, to);
    },
  } as Disk;
  const changes = ["one", "two"].map((name) => ({ file: bench.path(name), before: bench.read(name), after: "new" }));
  t.throws(() => replaceFiles(changes, disk), { code: "FileUnwritable" });
  t.same([bench.read("one"), bench.read("two")], ["1", "2"]);
  t.same(fs.readdirSync(bench.checkout).sort(), ["one", "two"]);
  t.end();
});

t.test("a read-only file is refused and unchanged; a writable one keeps its mode", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "A"], { stdin: "v" });
  bench.write(BUNDLE, bench.read(BUNDLE), 0o444);
  const before = bench.read(BUNDLE);
  const ran = await bench.run(["set", "api", "B"], { stdin: "v" });
  t.match(ran.err, "error: FileUnwritable: ");
  t.equal(ran.code, 1);
  t.equal(bench.read(BUNDLE), before);
  fs.chmodSync(bench.path(BUNDLE), 0o640);
  await bench.must(["set", "api", "B"], { stdin: "v" });
  t.equal(fs.statSync(bench.path(BUNDLE)).mode & 0o777, 0o640);
});

t.test("a file that is a link is refused, and links to folders outside are not followed", async (t) => {
  const bench = new Workbench(t);
  await bench.init();
  await bench.must(["set", "api", "A"], { stdin: "v" });
  fs.renameSync(bench.path(BUNDLE), join(bench.folder, "outside.yaml"));
  fs.symlinkSync(join(bench.folder, "outside.yaml"), bench.path(BUNDLE));
  const before = fs.readFileSync(join(bench.folder, "outside.yaml"), "utf8");
  t.not((await bench.run(["set", "api", "B"], { stdin: "v" })).code, 0);
  t.equal(fs.readFileSync(join(bench.folder, "outside.yaml"), "utf8"), before);
});
