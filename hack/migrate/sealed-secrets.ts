// Owns running the controller of sealed-secrets beside a control plane, without a pod.
// Does not own the program (programs.ts), nor what it is given to unseal.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ControlPlane } from "../control-plane/control-plane.js";
import { must } from "../control-plane/kubectl.js";
import { freePort, newProcessGroup, type ProcessGroup, type Running } from "../control-plane/processes.js";
import { eventually } from "../eventually.js";
import { UNSHARE } from "./programs.js";
import { resourceType } from "./resource-type.js";

const NAMESPACE = "sealed-secrets";
const ACTIVE = "sealedsecrets.bitnami.com/sealed-secrets-key=active";
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** It reads its account where kubelet would mount it: a file system that only it sees is put there. */
const IN_A_POD = `
set -e
mount -t tmpfs tmpfs /var/run
mkdir -p ${ACCOUNT}
cp token ca.crt namespace ${ACCOUNT}/
exec "$@"
`;

/** A controller, and where it runs. Ends with its group. */
export interface SealedSecrets {
  /** The path of the certificate that kubeseal seals with. */
  readonly certificate: string;
  /** The process that runs now. */
  readonly running: StartedController;
  /** Ends it and starts it again, with these flags. */
  restart(...flags: readonly string[]): Promise<StartedController>;
  stop(): Promise<void>;
}

/** A process of the controller. */
export interface StartedController extends Running {
  /** The port of its metrics. */
  readonly metrics: number;
}

/** Starts the controller as an administrator, and waits for its sealing key. */
export async function startSealedSecrets(controlPlane: ControlPlane, controller: string): Promise<SealedSecrets> {
  const folder = mkdtempSync(join(tmpdir(), "zopp-sealed-secrets-"));
  const group = newProcessGroup(folder);
  try {
    await must(controlPlane.kubectl(["create", "namespace", NAMESPACE]));
    await must(
      controlPlane.kubectl(["apply", "-f", "-"], { input: resourceType("bitnami.com", "v1alpha1", "SealedSecret") }),
    );
    const files = { token: controlPlane.token, "ca.crt": controlPlane.ca, namespace: NAMESPACE };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
    let running = await start(group, controlPlane, controller);
    const certificate = join(folder, "certificate.pem");
    writeFileSync(certificate, await sealingKey(controlPlane));
    return {
      certificate,
      get running() {
        return running;
      },
      restart: async (...flags) => {
        await running.kill();
        running = await start(group, controlPlane, controller, flags);
        return running;
      },
      stop: () => group.end(),
    };
  } catch (error) {
    await group.end();
    throw error;
  }
}

async function start(
  group: ProcessGroup,
  { url }: ControlPlane,
  controller: string,
  flags: readonly string[] = [],
): Promise<StartedController> {
  const { hostname, port } = new URL(url);
  const server = [`KUBERNETES_SERVICE_HOST=${hostname}`, `KUBERNETES_SERVICE_PORT=${port}`];
  const metrics = await freePort();
  const listen = [`--listen-addr=127.0.0.1:${await freePort()}`, `--listen-metrics-addr=127.0.0.1:${metrics}`];
  const command = ["env", ...server, controller, ...listen, ...flags];
  // each becomes the next one, so that the process which is started is the controller
  const running = await group.start("controller", "unshare", [...UNSHARE, "sh", "-c", IN_A_POD, "sh", ...command]);
  return { ...running, metrics };
}

function sealingKey(controlPlane: ControlPlane): Promise<string> {
  const path = "jsonpath={.items[0].data.tls\\.crt}";
  const get = ["get", "secret", "--namespace", NAMESPACE, "--selector", ACTIVE, "--output", path];
  return eventually(async () => Buffer.from(await must(controlPlane.kubectl(get)), "base64").toString("utf8"), {
    timeoutMs: 60_000,
    message: "the controller of sealed-secrets has made its key",
  });
}
