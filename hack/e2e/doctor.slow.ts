// `zopp doctor` on a real API server with real processes: whole, then broken in one way after the other.
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { Finding } from "../../cli/doctor.plan.js";
import { formatToken } from "../../crds/crypto/token.js";
import { type KubeObject, LEASES, PODS } from "../../operator/kube/resources.js";
import { eventually } from "../eventually.js";
import { flip, withEntry } from "../fixtures.bundle.js";
import { digestOfOwners, seedOf } from "../fixtures.js";
import { runProgram } from "../run-program.js";
import { startTestbed } from "../testbed.js";
import { kubectlOf, workspaceInForce } from "../testbed.look.js";

const ZOPP = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const SYSTEM = "zopp-system";

const bed = await startTestbed();
t.teardown(() => bed.stop());
const kubectl = kubectlOf(bed, SYSTEM);
const ADDRESS = ["--keyring", `127.0.0.1:${bed.ports.keyring}`];

/** Runs the doctor as alice (or nobody), on the cluster as an administrator or as somebody else. */
function doctor(env: Readonly<Record<string, string>> = {}, ...words: readonly string[]) {
  return run(env, ...ADDRESS, ...words);
}

function run(env: Readonly<Record<string, string>>, ...words: readonly string[]) {
  return runProgram([process.execPath, ZOPP, "doctor", "--store", "cluster", ...words], {
    env: {
      PATH: process.env["PATH"],
      HOME: join(bed.folder, "home"),
      KUBECONFIG: bed.controlPlane.kubeconfig,
      ZOPP_TOKEN: formatToken(seedOf("alice"), digestOfOwners(bed.workspace)),
      ...env,
    },
    cwd: bed.folder,
  });
}

/** `state about reason` of all that is not well. */
async function complaints(env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const { stdout, stderr, code } = await doctor(env, "-o", "json");
  if (stdout === "") throw new Error(stderr);
  const { findings, healthy } = JSON.parse(stdout) as { findings: readonly Finding[]; healthy: boolean };
  if (healthy !== (code === 0)) throw new Error(`exit code ${code}, and healthy: ${healthy}`);
  return findings.flatMap(({ state, about, reason }) =>
    state === "ok" ? [] : [`${state} ${about}${reason === undefined ? "" : ` ${reason}`}`],
  );
}

/** What a kubelet would say of the pod that stands for the chart's. */
async function kubeletSays(operatorReady: boolean): Promise<void> {
  const container = (name: string, ready: boolean) => ({ name, ready, image: "", imageID: "", restartCount: 0 });
  const containerStatuses = [container("operator", operatorReady), container("keyring", true)];
  const patch = JSON.stringify({ status: { phase: "Running", containerStatuses } });
  await kubectl("patch", "pod", "zopp-0", "--subresource=status", "--type=merge", "--patch", patch);
}

t.test("of a cluster where everything works, it says so", async (t) => {
  await kubectl("label", "pod", "zopp-0", "app.kubernetes.io/name=zopp");
  await kubeletSays(true);
  await bed.applyBundle(bed.seal({ A: "a" }));
  await bed.settled("Synced");
  await workspaceInForce(bed);
  const ran = await doctor();
  t.equal(ran.code, 0, ran.stdout + ran.stderr);
  t.match(
    ran.stdout,
    /^ok {7}resource types: 6 kinds, as this version has them$/m,
    "as a real API server gives them back",
  );
  t.match(ran.stdout, /^ok {7}keyring: the keyring of eu-1 is ready/m);
  t.match(ran.stdout, /\nnothing is broken\n$/);
});

t.test("bundles that are refused are told by their reason, with what to do", async (t) => {
  const good = bed.seal({ A: "a" }, { name: "bad" });
  await bed.applyBundle(withEntry(good, "A", { signature: flip(good.spec.data?.["A"]?.signature ?? "") }));
  await bed.settled("SignatureInvalid", "bad");
  const ran = await doctor();
  t.equal(ran.code, 1);
  t.match(
    ran.stdout,
    /^PROBLEM {2}bundles: SignatureInvalid: 1 bundle not ready: shop-prod\/bad\n +next: find who changed it/m,
  );
  await kubectlOf(bed)("delete", "zs", "bad");
  t.strictSame(await complaints(), []);
});

t.test("resource types of another version are told before they drop what was signed", async (t) => {
  const patchTypes = (change: object) =>
    kubectl("patch", "crd", "zoppsecrets.zopp.dev", "--type=json", "--patch", JSON.stringify([change]));
  const path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/expiring";
  const crd = JSON.parse(await kubectl("get", "crd", "zoppsecrets.zopp.dev", "--output=json"));
  await patchTypes({ op: "remove", path });
  t.strictSame(await complaints(), ["problem resource types"]);
  const { properties } = crd.spec.versions[0].schema.openAPIV3Schema.properties.status;
  await patchTypes({ op: "add", path, value: { ...properties.expiring, description: "Other words." } });
  t.strictSame(await complaints(), [], "what only says it otherwise is no other version");
});

t.test(
  "who was told no pin, has no identity or may not look is told so, and nothing else is called good",
  async (t) => {
    const none = { ZOPP_TOKEN: "" };
    t.ok((await complaints(none)).includes("problem policy NotPinned"));
    await kubectl("create", "serviceaccount", "nobody");
    const KUBECONFIG = await bed.controlPlane.serviceAccountKubeconfig(SYSTEM, "nobody");
    t.strictSame(await complaints({ KUBECONFIG }), [
      "unknown resource types ApiRefused",
      "unknown processes ApiRefused",
      "unknown policy ApiRefused",
    ]);
  },
);

t.test("operators that elect a leader and have none are told, and why by the Lease", async (t) => {
  const NAME = "zopp-system/zopp-operator";
  const args = [`--leader-elect=${NAME}`];
  const spec = { containers: [{ name: "operator", image: "never-runs.invalid/operator", args }] };
  const labels = { "app.kubernetes.io/name": "zopp" };
  // the name of the process that runs is the machine's, as in a pod
  const metadata = { name: hostname(), namespace: SYSTEM, labels };
  await bed.client.create(PODS, { metadata, spec } as KubeObject);
  await bed.client.apply(
    PODS,
    { metadata: { name: hostname(), namespace: SYSTEM }, status: { phase: "Running" } } as never,
    { fieldManager: "kubelet", subresource: "status" },
  );
  const leader = async () => (await doctor()).stdout.split("\n").find((line) => / leader: /.test(line)) ?? "";
  t.match(
    await leader(),
    /^PROBLEM {2}leader: no operator leads.*: the lease zopp-system\/zopp-operator is not there$/,
  );
  await bed.operator.stop();
  await bed.startOperator(["--leader-elect", NAME]);
  await eventually(async () => (await leader()).startsWith(`ok       leader: the operator in pod ${hostname()} leads`));
  await bed.operator.stop("SIGKILL");
  await eventually(async () => /last held by .* ran out \d+ s ago/.test(await leader()), { timeoutMs: 60_000 });
  await kubectl("delete", "pod", hostname());
  await kubectl("delete", "lease", "zopp-operator");
  await bed.startOperator();
});

t.test("of several pods with a keyring the one whose keyring serves is asked", async (t) => {
  const LEASE = `${SYSTEM}/zopp-keyring`;
  const image = "never-runs.invalid/zopp";
  const args = ["serve", `--leader-elect=${LEASE}`];
  const spec = {
    initContainers: [{ name: "keyring", image, restartPolicy: "Always", args }],
    containers: [{ name: "operator", image }],
  };
  for (const name of ["zopp-a", "zopp-b"]) {
    const metadata = { name, namespace: SYSTEM, labels: { "app.kubernetes.io/name": "zopp" } };
    await bed.client.create(PODS, { metadata, spec } as KubeObject);
    const initContainerStatuses = [{ name: "keyring", ready: true, image: "", imageID: "", restartCount: 0 }];
    const patch = JSON.stringify({ status: { phase: "Running", initContainerStatuses } });
    await kubectl("patch", "pod", name, "--subresource=status", "--type=merge", "--patch", patch);
  }
  const held = { holderIdentity: "zopp-b_f81d", leaseDurationSeconds: 15, renewTime: "2026-11-27T12:00:00.000000Z" };
  await bed.client.create(LEASES, { metadata: { name: "zopp-keyring", namespace: SYSTEM }, spec: held } as KubeObject);
  const { stdout } = await run({});
  t.match(stdout, /does not answer at pod zopp-system\/zopp-b \(by port-forward\)/);
  await kubectl("delete", "pod", "zopp-a", "zopp-b");
  await kubectl("delete", "lease", "zopp-keyring");
});

t.test("a process that does not work is named; so is a keyring that does not answer", async (t) => {
  await kubeletSays(false);
  t.strictSame(await complaints(), ["problem processes"]);
  await bed.keyring.stop();
  const ran = await doctor();
  t.equal(ran.code, 1);
  t.match(ran.stdout, /PROBLEM {2}processes: operator in pod zopp-0 is not ready/);
  t.match(ran.stdout, /PROBLEM {2}keyring: KeyringUnavailable: the keyring of cluster eu-1 does not answer at 127/);
});

t.test("it is about clusters: a directory is `zopp verify`'s", async (t) => {
  const ran = await doctor({}, "--store", bed.folder);
  t.match([ran.code, ran.stderr], [2, /zopp verify/]);
});
