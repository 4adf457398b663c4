// Owns a Pod object that stands for the operator's, so that tokens can be bound to it.
// Does not own running anything: there is no node.
import { rename, writeFile } from "node:fs/promises";
import type { ControlPlane } from "./control-plane.js";
import { must } from "./kubectl.js";

/** The audience for which the keyring accepts tokens. */
const AUDIENCE = "zopp-keyring";

/** A Pod object that never runs, and tokens bound to it. */
export interface OperatorPod {
  readonly podUid: string;
  /** A new token of the service account, for the keyring's audience, bound to the Pod; valid for an hour. */
  token(): Promise<string>;
}

/** Puts a new token in the place of the one in that file, as kubelet does before its hour is over. */
export async function renewToken({ token }: Pick<OperatorPod, "token">, file: string): Promise<void> {
  await writeFile(`${file}.new`, await token(), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Names of the Pod and of the account it runs as. */
export interface OperatorPodOptions {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly name: string;
}

/**
 * Creates the Pod, and its namespace and service account where they are missing.
 *
 * @throws Error with kubectl's text when the API server refuses.
 */
export async function createOperatorPod(cp: ControlPlane, options: OperatorPodOptions): Promise<OperatorPod> {
  const { namespace, serviceAccount, name } = options;
  for (const object of objects(options)) {
    const input = JSON.stringify(object);
    await must(
      cp.kubectl(["apply", "--server-side", "--field-manager", "control-plane", "--filename", "-"], { input }),
    );
  }
  const podUid = await must(
    cp.kubectl(["get", "pod", name, "--namespace", namespace, "--output", "jsonpath={.metadata.uid}"]),
  );
  const bound = ["--bound-object-kind", "Pod", "--bound-object-name", name, "--bound-object-uid", podUid];
  const args = ["create", "token", serviceAccount, "--namespace", namespace, "--audience", AUDIENCE, ...bound];
  return { podUid, token: async () => (await must(cp.kubectl(args))).trim() };
}

function objects({ namespace, serviceAccount, name }: OperatorPodOptions): object[] {
  const spec = {
    serviceAccountName: serviceAccount,
    automountServiceAccountToken: false,
    containers: [{ name: "operator", image: "never-runs.invalid/operator" }],
  };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: serviceAccount, namespace } },
    { apiVersion: "v1", kind: "Pod", metadata: { name, namespace }, spec },
  ];
}
