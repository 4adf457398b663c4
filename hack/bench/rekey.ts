// A rekey as people do it: bundles of five values in a directory under git, offline, by the program that is shipped.
// What may differ afterwards is a test's business (cli/commands/environment-rekey.test.ts); here it is listed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDirectory } from "../../cli/store/directory.js";
import { change } from "../../cli/store/store.js";
import { formatToken } from "../../crds/crypto/token.js";
import { wrapEnvironmentKey } from "../../crds/crypto/wrap.js";
import { newEnvironment, newWorkspace } from "../../crds/policy/edit.js";
import { readEnvironment } from "../../crds/policy/environment.js";
import { bundledPrograms } from "../bundle.js";
import { acmeContent, digestOfOwners, environmentKey, identityOf, seedOf } from "../fixtures.js";
import { packageRoot } from "../package-root.js";
import { runProgram } from "../run-program.js";
import { signing } from "../testbed.policy.js";
import { nameOf, sealedBundle } from "./world.js";

/** What a rekey took. */
export interface Rekeyed {
  readonly bundles: number;
  readonly msPerBundle: number;
  /** The fields that differ in the bundles' files. */
  readonly changed: readonly string[];
}

const SCOPE = { workspace: "acme", project: "shop", environment: "production" } as const;

/** Rekeys so many X-Wing bundles of five values once. */
export async function rekey(bundles: number): Promise<Rekeyed> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-rekey-"));
  try {
    const owners = await layOutFiles(folder, bundles);
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@shop.example", ...args], {
        cwd: folder,
        encoding: "utf8",
        maxBuffer: 1 << 30,
      });
    git("init", "-q");
    git("add", ".");
    git("commit", "-q", "-m", "before");
    const env = { PATH: process.env["PATH"], HOME: folder, ZOPP_TOKEN: formatToken(seedOf("alice"), owners) };
    const begun = performance.now();
    const words = ["environment", "rekey", "acme/shop/production", "--store", "zopp"];
    const ran = await runProgram([process.execPath, bundledPrograms(packageRoot()).cli, ...words], {
      env,
      cwd: folder,
    });
    const ms = performance.now() - begun;
    if (ran.code !== 0) throw new Error(`the rekey failed: ${ran.stderr}`);
    const diff = git("diff", "-U0", "--", "zopp/xwing-rekey");
    const fields = new Set([...diff.matchAll(/^[+-] +(\w+):/gm)].map(([, field = ""]) => field));
    return { bundles, msPerBundle: ms / bundles, changed: [...fields].sort() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Policy with a direct environment that alice opens, and the bundles. Gives the owners' digest. */
async function layOutFiles(folder: string, bundles: number): Promise<string> {
  const rules = [{ name: "shop/production", namespaces: ["xwing-rekey"] }];
  const workspace = newWorkspace("acme", acmeContent({ clusters: [], environments: rules }), signing());
  const { privateKey, public: made } = environmentKey.xwing;
  const sealed = [wrapEnvironmentKey(identityOf("alice").encryption.publicKey, { ...SCOPE, epoch: 1 }, privateKey)];
  const keys = [{ epoch: 1, binding: "object" as const, public: made.text, sealed }];
  const object = newEnvironment({ ...SCOPE, access: "direct", keys }, signing());
  const environment = readEnvironment(object);
  const now = new Date();
  await openDirectory({ root: join(folder, "zopp"), cwd: folder }).write([
    change("ZoppWorkspace", { name: "acme" }, () => workspace),
    change("ZoppEnvironment", { name: object.metadata.name }, () => object),
    ...Array.from({ length: bundles }, (_, at) => {
      const place = { namespace: "xwing-rekey", name: nameOf(at) };
      return change("ZoppSecret", place, () => sealedBundle(environment, { ...place, mark: nameOf(at), now }));
    }),
  ]);
  return digestOfOwners(workspace);
}
