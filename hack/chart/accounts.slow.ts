// Both processes, with the accounts that the chart makes for them and no other rights, go through a bundle's whole life in
// each mode; and the API server's audit log says that they used every right they have.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { readWorkspace } from "../../crds/policy/workspace.js";
import type { ZoppBaseline, ZoppLedger } from "../../crds/types.gen.js";
import { ROTATION_LABEL } from "../../operator/controllers/rotation.plan.js";
import { readyOf } from "../../operator/kube/conditions.js";
import { type KubeObject, type ObjectMeta, PODS, ZOPP_BASELINES, ZOPP_LEDGERS } from "../../operator/kube/resources.js";
import type { Child } from "../child.js";
import { eventually } from "../eventually.js";
import { baseline } from "../fixtures.baseline.js";
import { withValue } from "../fixtures.js";
import { startTestbed, type Testbed } from "../testbed.js";
import { kubectlOf, quiet, readMetrics } from "../testbed.look.js";
import type { OwnPorts } from "../testbed.operator.js";
import { fivePorts } from "../testbed.ports.js";
import { USES, Workloads } from "../workloads.js";
import { MODES, render, SYSTEM } from "./chart.js";
import { applyChart } from "./installed.js";
import { findHelm } from "./programs.js";
import { hasUsed, judgeRights } from "./used-rights.js";

const found = await findHelm();
const skip = "skip" in found && `no Helm: ${found.skip}`;
const helm = "skip" in found ? "" : found.program;

/** Enough records for the keyring to write its ledger twice: it does so after 256 of them. */
const [MANY, CHANGES] = [140, ["one", "two", "three", "four"]];

/** Everything that may be restarted is. */
const RESTARTS = ["deployments", "statefulsets", "daemonsets", "rollouts"] as const;

/** How many operators divide the work; the second one works or stands by. */
const SHARDS = { sidecar: 1, deployment: 1, all: 2 } as const;

/** A policy by which the API server records who of zopp's asked for what. */
const AUDIT = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata", userGroups: [`system:serviceaccounts:${SYSTEM}`] }, { level: "None" }],
};

/** A bundle's life, so that everything that the operator and the keyring ever do is done. */
async function live(t: Test, bed: Testbed, others: readonly OwnPorts[]): Promise<void> {
  const kubectl = kubectlOf(bed);
  await bed.applyBundle(bed.seal({ A: "one" }));
  await bed.settled("Synced");
  await bed.applyBundle(withValue(await written(bed, "api"), "A", "two", bed.writing()));
  await eventually(async () => (await bed.secret()).data?.["A"] === "two");
  await vouched(bed);
  // before whoever plays the node for the workloads says that every pod runs
  await rotated(bed);
  await restarted(t, bed);
  await kubectl("patch", "secret", "api", "--patch", '{"data":{"STRANGE":"eA=="}}');
  await eventually(async () => JSON.stringify((await bed.secret()).data) === '{"A":"two"}', {
    message: "a stranger's key is removed",
  });
  for (const [how, name] of [
    ["adopt", "adopted"],
    ["merge", "merged"],
  ] as const) {
    await kubectl("create", "secret", "generic", name, "--from-literal=THEIRS=1");
    await kubectl("annotate", "secret", name, `zopp.dev/${how}=${name}`);
    await bed.applyBundle(bed.seal({ A: "ours" }, { name }));
    await bed.settled("Synced", name);
  }
  await kubectl("create", "secret", "generic", "foreign", "--from-literal=THEIRS=1");
  await bed.applyBundle(bed.seal({ A: "ours" }, { name: "foreign" }));
  await bed.settled("TargetConflict", "foreign");
  t.match(await kubectl("get", "events", "--output", "name"), /event\/foreign/);
  const names = Array.from({ length: MANY }, (_, at) => `many-${at}`);
  // changed, not sealed anew: within a second that would be the same version with another value
  let many = names.map((name) => bed.seal({ A: "none" }, { name }));
  for (const value of CHANGES) {
    many = many.map((bundle) => withValue(bundle, "A", value, bed.writing()));
    await Promise.all(many.map((bundle) => bed.applyBundle(bundle)));
    await eventually(async () => (await bed.secret(names.at(-1))).data?.["A"] === value, { timeoutMs: 60_000 });
    await quiet(bed);
  }
  await eventually(async () => (await ledgerParts(bed)).some(isWrittenAgain), {
    timeoutMs: 60_000,
    message: "the ledger was written again",
  });
  await bed.keyring.stop();
  await bed.startKeyring();
  // which has to look what is kept of the bundle
  await bed.operator.stop();
  await bed.startOperator();
  await bed.applyBundle(withValue(await written(bed, "api"), "A", "three", bed.writing()));
  await eventually(async () => (await bed.secret()).data?.["A"] === "three", { timeoutMs: 60_000 });
  // by the one that leads now: where another one stood by, that is it
  await eventually(
    async () => {
      const read = await Promise.all([bed.ports, ...others].map(({ metrics }) => readMetrics(metrics)));
      return read.some((numbers) => numbers.sum("zopp_history_total", { result: "dropped" }) > 0);
    },
    { timeoutMs: 60_000, message: "the oldest state is dropped" },
  );
}

/** A second operator, which follows the Lease of the first; where the work is divided it has a part of its own. */
async function standBy(t: Test, bed: Testbed): Promise<OwnPorts> {
  const { child, ports } = await bed.startReplica("zopp-1");
  await standsBy(t, child);
  return ports;
}

/** A second keyring, which follows the Lease of the first: once it is seen to watch it, its part is done. */
async function standByForKeyring(t: Test, bed: Testbed, auditLog: string): Promise<void> {
  const child = bed.keyringAt(await fivePorts());
  await standsBy(t, child);
  // it says that it stands by once it has read the Lease, before it watches it
  await eventually(() => hasUsed(auditLog, "zopp-keyring", `${SYSTEM} watch leases.coordination.k8s.io`), {
    message: "it watches the Lease",
  });
  t.equal(await child.stop(), 0);
}

async function standsBy(t: Test, child: Child): Promise<void> {
  t.teardown(() => child.stop());
  const says = () => child.lines.some((line) => line.includes("standing by"));
  await eventually(says, { timeoutMs: 60_000, message: "it stands by" });
}

/** A baseline comes into force, and says so. */
async function vouched(bed: Testbed): Promise<void> {
  const policy = { workspace: readWorkspace(bed.workspace), environment: bed.environment };
  const { metadata } = await bed.apply(
    ZOPP_BASELINES,
    baseline(policy, [await written(bed, "api")], { now: new Date() }),
  );
  const isAccepted = async () => {
    const { status } = await bed.client.get<ZoppBaseline>(ZOPP_BASELINES, metadata);
    return readyOf(status)?.reason === "Accepted";
  };
  await eventually(isAccepted, { timeoutMs: 60_000, message: "the baseline is accepted" });
}

/** A workload of each kind is restarted. */
async function restarted(t: Test, bed: Testbed): Promise<void> {
  const workloads = new Workloads(bed.client, "shop-prod");
  t.teardown(() => workloads.stop());
  await workloads.prepare();
  await bed.applyBundle(bed.seal({ A: "one" }, { name: "restarting", restart: "auto" }));
  await bed.settled("Synced", "restarting");
  for (const kind of RESTARTS) await workloads.make(kind, "api", USES.envFrom("restarting"));
  await bed.applyBundle(withValue(await written(bed, "restarting"), "A", "two", bed.writing()));
  for (const kind of RESTARTS) {
    const isRestarted = async () => (await workloads.restarts(kind, "api")).count === 1;
    await eventually(isRestarted, { timeoutMs: 60_000, message: `${kind} are restarted` });
  }
}

/** A Job runs before new values are published; the Job controller makes its pod, and that it ends well is said here in a node's place. */
async function rotated(bed: Testbed): Promise<void> {
  const generate = { TOKEN: { version: 1, kind: "uuid", previous: "OLD_TOKEN" } } as const;
  await bed.applyBundle(bed.seal({}, { name: "rotating", generate, rotation: { image: "registry.example/rotate:1" } }));
  const [pod] = await eventually(
    async () => {
      const { items } = await bed.client.list(PODS, { namespace: "shop-prod", labelSelector: ROTATION_LABEL });
      return items.length > 0 && items;
    },
    { timeoutMs: 60_000, message: "the Job has a pod" },
  );
  const ended = { metadata: { namespace: "shop-prod", name: pod?.metadata.name }, status: { phase: "Succeeded" } };
  await bed.client.apply(PODS, ended as KubeObject, { fieldManager: "kubelet", subresource: "status" });
  await bed.settled("Synced", "rotating", "shop-prod", 60_000);
}

async function ledgerParts({ client }: Testbed): Promise<readonly ZoppLedger[]> {
  return (await client.list<ZoppLedger>(ZOPP_LEDGERS, { namespace: SYSTEM })).items;
}

function isWrittenAgain({ spec, metadata }: ZoppLedger): boolean {
  return spec.kind === "Places" && ((metadata as ObjectMeta).generation ?? 0) > 1;
}

async function written(bed: Testbed, name: string) {
  const { metadata, status: _, ...rest } = await bed.bundle(name);
  return { ...rest, metadata: { name: metadata.name, namespace: "shop-prod" } } as Awaited<
    ReturnType<Testbed["bundle"]>
  >;
}

for (const mode of ["sidecar", "deployment", "all"] as const) {
  t.test(`mode ${mode}: the rights of its accounts are those that are needed, and no more`, { skip }, async (t) => {
    const shards = SHARDS[mode];
    const operatorValues = { replicas: shards, operator: { restarts: [...RESTARTS], rotationJobs: true, shards } };
    const values = { ...MODES[mode], ...(mode === "all" ? {} : { namespaces: ["shop-prod"] }), ...operatorValues };
    const folder = t.testdir();
    const [policy, log] = [join(folder, "policy.json"), join(folder, "audit.log")];
    writeFileSync(policy, JSON.stringify(AUDIT));
    const [operator, keyring] = ["zopp", mode === "sidecar" ? "zopp" : "zopp-keyring"];
    const bed = await startTestbed({
      kem: "x25519",
      apart: mode !== "sidecar",
      env: {
        ZOPP_OPERATOR_HISTORY: "2",
        ZOPP_OPERATOR_RESTARTS: RESTARTS.join(","),
        ZOPP_OPERATOR_ROTATION_JOBS: "on",
        ZOPP_OPERATOR_SHARDS: String(shards),
        ...(mode === "all" ? {} : { ZOPP_OPERATOR_NAMESPACES: "shop-prod" }),
        // as the chart has them: beside its operator a keyring deletes no segment, and needs no right to see that it is alone
        ...(mode === "sidecar"
          ? { ZOPP_KEYRING_AUDIT_KEEP: "0" }
          : {
              ZOPP_OPERATOR_LEADER_ELECT: `${SYSTEM}/zopp-operator`,
              ZOPP_KEYRING_LEADER_ELECT: `${SYSTEM}/zopp-keyring`,
            }),
      },
      apiServerArgs: [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`],
      kubeconfig: async (cp) => {
        await applyChart(cp, helm, values);
        return {
          keyring: await cp.serviceAccountKubeconfig(SYSTEM, keyring),
          operator: await cp.serviceAccountKubeconfig(SYSTEM, operator),
        };
      },
    });
    t.teardown(() => bed.stop());
    if (mode !== "sidecar") await standByForKeyring(t, bed, log);
    await live(t, bed, mode === "sidecar" ? [] : [await standBy(t, bed)]);
    const said = [...bed.operator.lines, ...bed.keyring.lines].filter((line) =>
      /forbidden|"status":403|Forbidden/.test(line),
    );
    t.strictSame(said, [], "nothing was refused");
    const objects = await render(helm, values);
    for (const account of new Set([operator, keyring])) {
      t.strictSame(judgeRights(objects, log, account), { lacking: [], unused: [], refused: [] }, account);
    }
  });
}
