import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { packageRoot } from "./package-root.js";

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
}

const text = readFileSync(join(packageRoot(), "package-lock.json"), "utf8");
const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, LockEntry>> };
const entries = Object.entries(packages).filter(([path, { link }]) => path !== "" && link !== true);

t.test("every package of the lock file is pinned by its digest, on every platform", async (t) => {
  const unpinned = entries.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""));
  t.strictSame(
    unpinned.map(([path, { version }]) => `${path} ${version}`),
    [],
    "npm leaves the digest of another platform's package out: add what `npm view NAME@VERSION dist.integrity` says",
  );
  t.ok(entries.length > 400, "the lock file was read");
});

t.test("the lock file names no registry: whoever installs decides which", async (t) => {
  t.strictSame(
    entries.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    [],
  );
});
