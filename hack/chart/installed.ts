// Owns the chart on a control plane for tests, as `helm install` would put it there: all but hooks, and no pod runs.
// Does not own the processes.
import type { Test } from "tap";
import { type ApiClient, connect } from "../../operator/kube/client.js";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.js";
import { must } from "../control-plane/kubectl.js";
import { eventually } from "../eventually.js";
import { isHook, type Rendered, render, SYSTEM, type Values } from "./chart.js";

/** Namespaces that are there; the chart's values list some of them. */
const NAMESPACES = ["shop-prod", "shop-staging", "shop-other"];

/** A control plane with the chart's objects. */
export interface Installed {
  readonly cp: ControlPlane;
  readonly admin: ApiClient;
  /** A client with the token of one of the chart's accounts. */
  clientOf(account: string): Promise<ApiClient>;
}

/** Starts a control plane, applies the chart and waits until its policy is in force. All ends with the test. */
export async function installChart(t: Test, helm: string, values: Values): Promise<Installed> {
  const cp = await startControlPlane();
  t.teardown(() => cp.stop());
  await applyChart(cp, helm, values);
  const client = async (file: string) => {
    const made = await connect({ file });
    t.teardown(() => made.close());
    return made;
  };
  return {
    cp,
    admin: await client(cp.kubeconfig),
    clientOf: async (account) => client(await cp.serviceAccountKubeconfig(SYSTEM, account)),
  };
}

/** Applies the chart, in namespaces that are made where they are missing, and waits until its policy is in force. */
export async function applyChart(cp: ControlPlane, helm: string, values: Values): Promise<void> {
  const namespaces = [SYSTEM, ...NAMESPACES].map((name) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name },
  }));
  const objects = (await render(helm, values)).filter((object) => !isHook(object));
  for (const all of [namespaces, objects]) {
    const input = all.map((object) => JSON.stringify(object)).join("\n---\n");
    await must(cp.kubectl(["apply", "--server-side", "--filename", "-"], { input }));
  }
  await inForce(cp, objects);
}

/** Waits for each policy that was applied: the API server takes them up by the second, and one can come a second after the other. */
async function inForce(cp: ControlPlane, objects: readonly Rendered[]): Promise<void> {
  const label = "helm.sh/probe";
  const probe = { apiVersion: "v1", kind: "Secret", metadata: { name: "probe", labels: { [label]: "x" } } };
  const account = `system:serviceaccount:${SYSTEM}:zopp`;
  const args = ["create", "--dry-run=server", "--namespace", "shop-prod", "--as", account, "--filename", "-"];
  const refused = (object: object, why: RegExp) =>
    eventually(async () => why.test((await cp.kubectl(args, { input: JSON.stringify(object) })).stderr), {
      message: `the admission policy is in force: ${why}`,
    });
  await refused(probe, /zopp sets no label/);
  if (!objects.some(({ kind, metadata }) => kind === "ValidatingAdmissionPolicy" && metadata.name.endsWith("-history")))
    return;
  const revision = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: { name: "probe" },
    revision: 1,
    data: {},
  };
  await refused(revision, /only ControllerRevisions of its own/);
}
