// The story that both modes of the keyring live through on a real node: installed, used, upgraded under load, rolled back,
// killed, moved, removed and installed again with the kept seed. One test per step, in order; each builds on the last.

import type { Test } from "tap";
import type { ZoppSecret } from "../../../crds/types.gen.js";
import { RESTARTED_ANNOTATION, type WorkloadObject } from "../../../operator/controllers/workload.js";
import { CHART, RELEASE, SYSTEM } from "../../chart/chart.js";
import { eventually } from "../../eventually.js";
import { flip } from "../../fixtures.bundle.js";
import { judgeLoad } from "../../load.js";
import { packageRoot } from "../../package-root.js";
import { endTwice, exhaust, hang, kill } from "./faults.js";
import { underLoad } from "./load.js";
import { APP, type Shown, type Site, THEIRS } from "./site.js";

/** tap's assertions, as far as the story needs them. */
export type Assertions = Pick<Test, "equal" | "ok" | "strictSame" | "comment">;

/** How zopp is installed. */
export interface Installation {
  /** Flags of `helm install` besides the pin. */
  readonly flags: string;
  /** The pin, once there is a workspace. */
  pin: string;
}

const WORKLOAD = `${packageRoot()}/examples/workload/deployment.yaml`;
const APPLY = "kubectl apply --server-side -R -f zopp";
/** Somebody else's hand in the Secret: mending it takes the keyring. */
const DRIFT = `kubectl patch secret ${APP.name} -n ${APP.namespace} -p '{"data":{"STRANGE":"eA=="}}'`;
/** Deployment and Service of a keyring that has a pod of its own. */
const KEYRING = `${RELEASE}-keyring`;
const MIB = 2 ** 20;

/** Installs or upgrades with the mode's flags and some more. */
export function helm(verb: "install" | "upgrade", { flags, pin }: Installation, more = ""): string {
  return `helm ${verb} ${RELEASE} ${CHART} -n ${SYSTEM} --create-namespace --wait --timeout 10m --set 'trust={${pin}}' ${flags} ${more}`;
}

/** From nothing to zopp with a cluster in its policy. */
export async function begin(site: Site, installation: Installation): Promise<void> {
  await site.type("git init -q -b main && kubectl create namespace shop-prod");
  const made = await site.type(
    "zopp init acme/shop/production --namespace shop-prod --device laptop --recovery-file recovery.txt",
  );
  installation.pin = /acme@\d+:[0-9a-f]{64}/.exec(made)?.[0] ?? "";
  await site.type(helm("install", installation));
  const { pod } = await site.container("keyring");
  const log = await site.type(`kubectl logs ${pod} -n ${SYSTEM} -c keyring`);
  const fingerprint = /"fingerprint":"([0-9a-f-]{29})"/.exec(log)?.[1];
  await site.type(`zopp cluster add eu-1 --fingerprint ${fingerprint}`);
}

/** From nothing to a Secret in a pod. */
export async function install(t: Assertions, site: Site, installation: Installation): Promise<void> {
  const begun = performance.now();
  await begin(site, installation);
  await site.type(`printf s3cret-one | zopp set ${APP.namespace}/${APP.name} DB_PASSWORD --restart auto`);
  await site.type(APPLY);
  await site.shows({ DB_PASSWORD: "s3cret-one" });
  t.comment(`from nothing to the first Secret: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  t.strictSame(
    await site.ready(),
    { operator: 0, keyring: 0 },
    "waiting for a policy was no reason to be started again",
  );
  await site.settled("Synced");
}

/** A value changes in git; the Secret follows, and zopp restarts the workload that uses it. A baseline comes into force. */
export async function change(t: Assertions, site: Site): Promise<void> {
  await site.type(`kubectl apply -f ${WORKLOAD}`);
  await site.type(`kubectl rollout status deployment/api -n ${APP.namespace} --timeout 5m`);
  const answer = `kubectl exec deploy/api -n ${APP.namespace} -- /nodejs/bin/node -p process.env.DB_PASSWORD`;
  t.equal((await site.type(answer)).trim(), "s3cret-one", "the pod has the value");
  await site.type(`printf s3cret-two | zopp set ${APP.namespace}/${APP.name} DB_PASSWORD`);
  await site.type(APPLY);
  await site.shows({ DB_PASSWORD: "s3cret-two" });
  await eventually(
    async () => {
      const { spec } = await site.get<WorkloadObject>(`deployment api -n ${APP.namespace}`);
      return spec?.template?.metadata?.annotations?.[RESTARTED_ANNOTATION] !== undefined;
    },
    { message: "zopp has restarted the workload" },
  );
  await site.type(`kubectl rollout status deployment/api -n ${APP.namespace} --timeout 5m`);
  t.equal((await site.type(answer)).trim(), "s3cret-two", "the restarted pod has the new value");
  await eventually(
    async () => /DB_PASSWORD changed/.test(await site.type(`zopp history ${APP.namespace}/${APP.name} -C cluster`)),
    {
      message: "the history shows the change",
    },
  );
  await site.type("zopp baseline create --all");
  await site.type(APPLY);
  await site.type("kubectl wait --for=condition=Ready zoppbaseline/acme.shop.production --timeout=5m");
}

/** Somebody who may write to the API, but not sign: the last good Secret stays. */
export async function attack(t: Assertions, site: Site): Promise<void> {
  const before = await site.secret();
  const place = `zs ${APP.name} -n ${APP.namespace}`;
  const { spec } = await site.get<ZoppSecret>(place);
  const sealed = flip(spec.data?.["DB_PASSWORD"]?.sealed ?? "");
  const forged = JSON.stringify({ spec: { data: { DB_PASSWORD: { sealed } } } });
  await site.type(`kubectl patch ${place} --type merge -p '${forged}'`);
  await site.settled("SignatureInvalid");
  t.strictSame(await site.secret(), before, "a forged entry changes nothing");
  await site.type(`kubectl delete secret ${APP.name} -n ${APP.namespace} && ${APPLY} --force-conflicts`);
  await site.shows(before.values);
  await site.settled("Synced");
  await site.type(DRIFT);
  await site.shows(before.values);
  const init = "zopp init evil/shop/production --namespace shop-prod --recovery-file recovery.txt";
  await site.type(`ZOPP_HOME=$PWD/home ${init} && ${APPLY}`, THEIRS);
  await eventually(async () => /NotPinned/.test(await site.type("kubectl get events -n default")), {
    message: "an event tells of the workspace that nobody pinned",
  });
}

/** An upgrade and the way back, while twenty values change every second; where operators elect, to two that divide the work, and two keyrings. */
export async function upgrade(t: Assertions, site: Site, installation: Installation, apart: boolean): Promise<void> {
  const more = apart ? ",replicas=2,operator.shards=2,keyring.replicas=2" : "";
  await writes(t, site, "upgraded and rolled back", async () => {
    const outcome = await underLoad(site, async () => {
      await site.type(
        helm("upgrade", installation, `--set operator.workers=32,operator.history=2,keyring.logLevel=debug${more}`),
      );
      await site.type(`helm rollback ${RELEASE} 1 -n ${SYSTEM} --wait --timeout 10m`);
      await site.ready();
    });
    judgeLoad(t, outcome);
  });
}

/** A keyring that is asked to end: its Service leads to it no longer before it has ended, and until then it answers. */
export async function replaceKeyring(t: Assertions, site: Site): Promise<void> {
  const { values } = await site.secret();
  const { pod } = await site.container("keyring");
  const pid = await site.pid("keyring");
  const runs = async () => (await site.attempt(`kill -0 ${pid}`)).code === 0;
  await site.type(`kubectl rollout restart deployment/${KEYRING} -n ${SYSTEM}`);
  await eventually(async () => !(await site.podsBehind(KEYRING)).includes(pod), {
    message: `the Service ${KEYRING} leads to ${pod} no longer`,
  });
  t.ok(await runs(), "its Service leads to it no longer while it runs");
  await site.type(DRIFT);
  await site.shows(values);
  t.ok(await runs(), "and it opens what it is asked to open until it ends");
  await site.type(`kubectl rollout status deployment/${KEYRING} -n ${SYSTEM} --timeout 5m`);
  await site.ready();
  await site.settled("Synced");
}

/** What kubelet and zopp make of processes that die, starve and hang. */
export async function faults(t: Assertions, site: Site): Promise<void> {
  await writes(t, site, "the keyring killed", () => kill(site, "keyring"));
  await writes(t, site, "the operator killed", () => kill(site, "operator"));
  await writes(t, site, "the keyring out of memory", () => exhaust(site, "keyring"));
  await writes(t, site, "the keyring hung", () => hang(site, "keyring"));
}

/**
 * An API server that hangs is no reason to be started again, but for those that lead by a Lease: they cannot renew that, and
 * end before another one may lead. And who is asked to end twice ends.
 */
export async function probes(t: Assertions, site: Site, elects: boolean): Promise<void> {
  const before = await site.ready();
  await writes(t, site, "the API server hung", async () => {
    // kubelet's patience: three probes, 5 s apart, and 5 s for an answer
    await site.type("pkill -STOP kube-apiserver; sleep 20; pkill -CONT kube-apiserver");
    for (const part of ["operator", "keyring"] as const) {
      if (elects) await eventually(async () => (await site.ready())[part] > before[part], { timeoutMs: 60_000 });
      t.equal((await site.ready())[part] > before[part], elects, `the ${part} ends where it leads by a Lease only`);
    }
  });
  for (const part of ["operator", "keyring"] as const)
    await writes(t, site, `the ${part} asked twice to end`, () => endTwice(site, part));
}

/** The node is emptied and comes back. */
export async function drain(t: Assertions, site: Site): Promise<void> {
  await writes(t, site, "the node drained", async () => {
    await site.type("kubectl drain node1 --ignore-daemonsets --delete-emptydir-data --force --timeout 90s");
    await site.type("kubectl uncordon node1");
    await site.ready();
  });
}

/** zopp is removed: what it made stays. Installed again, with these flags too, it has the same keys, and finds nothing to do. */
export async function reinstall(t: Assertions, site: Site, installation: Installation, more = ""): Promise<void> {
  const before = await site.secret();
  await site.type(`helm uninstall ${RELEASE} -n ${SYSTEM} --wait --timeout 10m`);
  t.strictSame(await site.secret(), before, "the Secret outlives zopp");
  t.ok(await site.get("crd zoppsecrets.zopp.dev"), "so do the resource types");
  await writes(t, site, "installed again", async () => {
    await site.type(helm("install", installation, more));
    await site.ready();
  });
}

/** Several pods of operator and keyring: one of them works, whichever of them are replaced. */
export async function replacePairs(t: Assertions, site: Site): Promise<void> {
  await writes(t, site, "pods of both replaced", async () => {
    await site.type(`kubectl rollout restart deployment/${RELEASE} -n ${SYSTEM}`);
    await site.type(`kubectl rollout status deployment/${RELEASE} -n ${SYSTEM} --timeout 90s`);
  });
}

/** Does something that no Secret may notice, and then shows that zopp still follows a change. */
async function writes(t: Assertions, site: Site, what: string, act: () => Promise<void>): Promise<void> {
  const before = await site.secret();
  await act();
  t.strictSame(await site.secret(), before, `${what}: the Secret was not written`);
  const value = `after ${what}`;
  await site.type(`printf '${value}' | zopp set ${APP.namespace}/${APP.name} DB_PASSWORD && ${APPLY}`);
  const shown: Shown = await site.shows({ DB_PASSWORD: value });
  t.equal(shown.uid, before.uid, `${what}: the Secret follows a change, and is the same object`);
}

/** Memory of zopp's pods as kubelet measures it. */
export async function memory(t: Assertions, site: Site): Promise<void> {
  const stats = JSON.parse(await site.type("kubectl get --raw /api/v1/nodes/node1/proxy/stats/summary")) as Stats;
  const ours = stats.pods.filter(({ podRef }) => podRef.namespace === SYSTEM);
  const parts = ours.flatMap(({ containers }) =>
    containers.map(({ name, memory }) => [name, memory.workingSetBytes / MIB]),
  );
  t.comment(`working set: ${parts.map(([name, mib]) => `${name} ${Number(mib).toFixed(0)} MiB`).join(", ")}`);
  const bundles = await site.get<{ items: ZoppSecret[] }>("zs -A");
  t.comment(`with ${bundles.items.length} bundles`);
}

interface Stats {
  readonly pods: readonly {
    readonly podRef: { readonly namespace: string };
    readonly containers: readonly { readonly name: string; readonly memory: { readonly workingSetBytes: number } }[];
  }[];
}
