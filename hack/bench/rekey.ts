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
import type { ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../../crds/types.gen.js";
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
const PATH = "acme/shop/production";

/** Rekeys so many X-Wing bundles of five values once. */
export async function rekey(bundles: number): Promise<Rekeyed> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-rekey-"));
  try {
    const ms = await rekeyed(folder, PATH, directory(bundles));
    const diff = gitIn(folder)("diff", "-U0", "--", "zopp/xwing-rekey");
    const fields = new Set([...diff.matchAll(/^[+-] +(\w+):/gm)].map(([, field = ""]) => field));
    return { bundles, msPerBundle: ms / bundles, changed: [...fields].sort() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What lies in a directory. */
export interface Manifests {
  readonly workspace: ZoppWorkspace;
  readonly environment: ZoppEnvironment;
  readonly bundles: readonly ZoppSecret[];
}

/** Commits the manifests under `zopp/` in a folder and rekeys the environment of this path there; gives the milliseconds. */
export async function rekeyed(
  folder: string,
  path: string,
  manifests: Manifests,
  cli = bundledPrograms(packageRoot()).cli,
): Promise<number> {
  const { workspace, environment, bundles } = manifests;
  await openDirectory({ root: join(folder, "zopp"), cwd: folder }).write([
    change("ZoppWorkspace", { name: workspace.metadata.name }, () => workspace),
    change("ZoppEnvironment", { name: environment.metadata.name }, () => environment),
    ...bundles.map((secret) => change("ZoppSecret", secret.metadata, () => secret)),
  ]);
  const git = gitIn(folder);
  git("init", "-q");
  git("add", ".");
  git("commit", "-q", "-m", "before");
  const token = formatToken(seedOf("alice"), digestOfOwners(workspace));
  const env = { PATH: process.env["PATH"], HOME: folder, ZOPP_TOKEN: token };
  const begun = performance.now();
  const words = ["environment", "rekey", path, "--store", "zopp"];
  const ran = await runProgram([process.execPath, cli, ...words], { env, cwd: folder });
  const ms = performance.now() - begun;
  if (ran.code !== 0) throw new Error(`the rekey failed: ${ran.stderr}`);
  return ms;
}

const gitIn =
  (folder: string) =>
  (...args: string[]): string =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@shop.example", ...args], {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 1 << 30,
    });

/** Policy with a direct environment that alice opens, and the bundles. */
function directory(count: number): Manifests {
  const rules = [{ name: "shop/production", namespaces: ["xwing-rekey"] }];
  const workspace = newWorkspace("acme", acmeContent({ clusters: [], environments: rules }), signing());
  const { privateKey, public: made } = environmentKey.xwing;
  const sealed = [wrapEnvironmentKey(identityOf("alice").encryption.publicKey, { ...SCOPE, epoch: 1 }, privateKey)];
  const keys = [{ epoch: 1, binding: "object" as const, public: made.text, sealed }];
  const environment = newEnvironment({ ...SCOPE, access: "direct", keys }, signing());
  const [accepted, now] = [readEnvironment(environment), new Date()];
  const bundles = Array.from({ length: count }, (_, at) =>
    sealedBundle(accepted, { namespace: "xwing-rekey", name: nameOf(at), mark: nameOf(at), now }),
  );
  return { workspace, environment, bundles };
}
