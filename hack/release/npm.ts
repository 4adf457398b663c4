// Owns the npm package: the bundled command line, which needs no other package, under the names `zopp` and `kubectl-zopp`.
// Does not own bundling (bundle.ts). The checkout's own package.json stays private: what is published is made here only.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "../bundle.js";

/** What the package's own package.json says, taken from the checkout's. */
const SAME = ["name", "version", "description", "license", "type", "engines"] as const;
const PROGRAM = "cli.mjs";

/** Writes the package into a folder, and gives the path of the tarball. The same sources give the same bytes. */
export async function packNpm(root: string, out: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-npm-"));
  try {
    await bundle(root, "cli", folder);
    const content = join(folder, "cli");
    const ours = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const bin = Object.fromEntries(Object.keys(ours.bin).map((name) => [name, PROGRAM]));
    const said = { ...Object.fromEntries(SAME.map((field) => [field, ours[field]])), bin };
    writeFileSync(join(content, "package.json"), `${JSON.stringify(said, null, 2)}\n`);
    for (const file of ["README.md", "LICENSE"]) copyFileSync(join(root, file), join(content, file));
    // npm makes a bin executable itself; krew takes the archive's mode
    chmodSync(join(content, PROGRAM), 0o755);
    mkdirSync(out, { recursive: true });
    const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", out], {
      cwd: content,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
    // the chart's archive has that name too
    const archive = join(out, `zopp-cli-${ours.version}.tgz`);
    renameSync(join(out, filename), archive);
    return archive;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
