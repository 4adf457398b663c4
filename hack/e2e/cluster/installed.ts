// Plays the whole story for one mode of the keyring on a cluster of its own, which is gone at the end.
import { join } from "node:path";
import type { Test } from "tap";
import type { Rendered } from "../../chart/chart.js";
import { judgeRights } from "../../chart/used-rights.js";
import { startCluster } from "../../cluster/cluster.js";
import { refusal } from "../../cluster/refusal.js";
import { auditLog } from "../../cluster/site.js";
import { archivesIn } from "../../images/build.js";
import { packageRoot } from "../../package-root.js";
import { type Attempt, attemptIn } from "./reach.js";
import { APP, Site } from "./site.js";
import {
  attack,
  change,
  drain,
  faults,
  type Installation,
  install,
  memory,
  probes,
  reinstall,
  replaceKeyring,
  replacePairs,
  upgrade,
} from "./story.js";

/** One mode of the keyring. */
export interface Mode {
  /** Flags of `helm install`. */
  readonly flags: string;
  /** Names of the chart's ServiceAccounts. */
  readonly accounts: readonly string[];
  /** The keyring has a pod of its own, and a Service that leads to it. */
  readonly apart: boolean;
  /** What a compromised operator tries, and what comes of it. */
  readonly reach: readonly (Attempt & { readonly outcome: string | RegExp })[];
}

/** Flags that every installation from this machine's images has. */
export const IMAGES = "--set image.registry=localhost --set image.pullPolicy=Never";

/** The story of a mode, a test per step; the first step that fails ends it. */
export async function playInstalled(t: Test, mode: Mode): Promise<void> {
  const why = refusal();
  if (why !== undefined) return t.plan(0, why);
  const images = Object.values(archivesIn(join(packageRoot(), "build", "images")));
  const cluster = await startCluster({ images });
  const site = new Site(cluster, (text) => t.comment(text));
  t.teardown(() => cluster.stop());
  // after a step that failed tap tears nothing down
  process.once("exit", () => site.leave());
  const flags = `${IMAGES} --set 'operator.restarts={deployments}' ${mode.flags}`;
  const installation: Installation = { flags, pin: "" };
  const step = (name: string, act: (t: Test) => Promise<void>) => t.test(name, { bail: true }, act);
  await step("helm install, a cluster in the policy, a value: a Secret", (t) => install(t, site, installation));
  await step("helm test says that it works", async () => void (await site.type("helm test zopp -n zopp-system")));
  await step("a change reaches a workload, which zopp restarts", (t) => change(t, site));
  await step("what nobody signed changes nothing", (t) => attack(t, site));
  await step("a compromised operator reaches what SECURITY.md says, and no more", async (t) => {
    await site.type(`kubectl create secret generic foreign -n ${APP.namespace} --from-literal=a=b`);
    const found = await attemptIn(site, mode.reach);
    for (const { what, outcome } of mode.reach)
      typeof outcome === "string" ? t.equal(found[what], outcome, what) : t.match(found[what], outcome, what);
  });
  await step("an upgrade and a rollback under change load", (t) => upgrade(t, site, installation, mode.apart));
  if (mode.apart) await step("no Service leads to a keyring that has ended", (t) => replaceKeyring(t, site));
  await step("processes that are killed, starved and hung", (t) => faults(t, site));
  await step("an API server that hangs, and SIGTERM twice", (t) => probes(t, site, mode.apart));
  await step("memory", (t) => memory(t, site));
  await step("a drained node", (t) => drain(t, site));
  const judged = async (account: string) => {
    const kinds = "roles,rolebindings,clusterroles,clusterrolebindings";
    const { items } = await site.get<{ items: Rendered[] }>(`${kinds} -A`);
    return judgeRights(items, auditLog(cluster.place.folder), account);
  };
  // before the chart goes: helm takes the rights away while the pods still end, and whatever these ask for then is refused
  await step("nothing that zopp asked for was refused", async (t) => {
    for (const account of mode.accounts) t.strictSame((await judged(account)).refused, [], account);
  });
  const several = mode.apart ? "" : "--set replicas=2";
  await step("uninstalled, and installed again with the kept seed", (t) => reinstall(t, site, installation, several));
  if (!mode.apart) await step("pods of operator and keyring stand by for each other", (t) => replacePairs(t, site));
  await step("every right that the chart grants was used, and none was lacking", async (t) => {
    for (const account of mode.accounts) {
      const { lacking, unused } = await judged(account);
      t.strictSame({ lacking, unused }, { lacking: [], unused: [] }, account);
    }
  });
}
