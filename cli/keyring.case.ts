// For tests only: what a keyring publishes, without one that runs, and the policy that is written of it.
import { identityFromSeed, newSeed } from "../crds/crypto/identity.js";
import { clusterFingerprint } from "../crds/fingerprint.js";
import { type ClusterFacts, clusterStatement, signStatement } from "../crds/statement.js";
import type { Workbench } from "./run.case.js";
import { openDirectory } from "./store/directory.js";

/** A keyring as people see it, which runs nowhere. */
export interface Keyring {
  readonly facts: ClusterFacts;
  readonly configMap: string;
  readonly fingerprint: string;
}

/** What a keyring publishes; `changes` come after it was signed. */
export function keyring(changes: Record<string, string> = {}, seed = newSeed(), log = "log-1"): Keyring {
  const { signing, encryption } = identityFromSeed(seed);
  const facts = {
    signingKey: signing.verifyKey.text,
    encryptionKey: encryption.publicKey.text,
    log,
    clusterUid: "uid",
  };
  const data = { ...facts, signature: signStatement(signing, clusterStatement(facts)), ...changes };
  const configMap = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "zopp-cluster" }, data });
  return { facts, configMap, fingerprint: clusterFingerprint(facts) };
}

/** The policy in the checkout of a workbench: the workspace acme, and one of its environments. */
export async function policyOf(bench: Workbench, environmentName = "acme.shop.dev") {
  const store = openDirectory({ root: bench.path("zopp"), cwd: bench.checkout });
  const workspace = await store.read("ZoppWorkspace", { name: "acme" });
  const environment = await store.read("ZoppEnvironment", { name: environmentName });
  if (workspace === undefined || environment === undefined) throw new Error("no policy");
  return { workspace: workspace.spec, environment: environment.spec };
}
