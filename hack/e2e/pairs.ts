// Pairs of an operator and its own keyring, as in the chart's pods in mode sidecar, of which one works: started, kept alive as
// kubelet does, told apart. Of a testbed whose own processes have ended. Does not own what is done to them.
import { join } from "node:path";
import { Child } from "../child.js";
import { createOperatorPod, renewToken } from "../control-plane/operator-pod.js";
import { eventually } from "../eventually.js";
import { KeptAlive } from "../kept-alive.js";
import type { Testbed } from "../testbed.js";
import { readMetrics } from "../testbed.look.js";
import { operatorFlags } from "../testbed.operator.js";
import { COMPILED } from "../testbed.policy.js";
import { fivePorts, type Ports } from "../testbed.ports.js";
import { ELECTING } from "./standing-by.js";

const SYSTEM = "zopp-system";
const LEASE = `${SYSTEM}/zopp-operator`;
/** More than a Lease lasts after its holder is gone, and its next start. */
const PATIENCE_MS = 90_000;

/** An operator and its keyring, which share a pod. */
export interface Pair {
  readonly ports: Ports;
  readonly keyring: KeptAlive;
  readonly operator: KeptAlive;
}

/** Pairs of the testbed's seed, those that run. */
export class Pairs {
  readonly #bed: Testbed;
  readonly running = new Set<Pair>();
  readonly #all: Pair[] = [];

  constructor(bed: Testbed) {
    this.#bed = bed;
  }

  /** Starts one as kubelet does, the keyring first, and waits until the operator is ready. */
  async start(): Promise<Pair> {
    const { controlPlane, folder, publicFile } = this.#bed;
    const name = `zopp-${this.#all.length + 1}`;
    const pod = await createOperatorPod(controlPlane, { namespace: SYSTEM, serviceAccount: "zopp", name });
    const ports = await fivePorts();
    const token = join(folder, `token-${name}`);
    await renewToken(pod, token);
    const serve = async () => this.#bed.keyringAt(ports, ELECTING, pod.podUid);
    const keyring = await KeptAlive.begin(`keyring of ${name}`, serve);
    await keyring.child.healthy(ports.keyringHealth, "/startz");
    const more = ["--leader-elect", LEASE, "--keyring-elects", "on"];
    const { kubeconfig } = controlPlane;
    const args = operatorFlags({ kubeconfig, keyringPort: ports.keyring, key: publicFile, token, ports, more });
    const operator = await KeptAlive.begin(name, async () => new Child({ ...COMPILED.operator, name, args }));
    const pair = { ports, keyring, operator };
    this.running.add(pair);
    this.#all.push(pair);
    await operator.child.healthy(ports.health, "/readyz", PATIENCE_MS);
    return pair;
  }

  /** Ends one for good, as kubelet ends a pod, the operator first; gives both exit codes. */
  async end(pair: Pair, signal?: NodeJS.Signals): Promise<readonly (number | null)[]> {
    const codes = [await pair.operator.stop(signal), await pair.keyring.stop(signal)];
    this.running.delete(pair);
    return codes;
  }

  /** Waits until the operator of one says that it leads, and its keyring does, and nobody else's. */
  working(timeoutMs = PATIENCE_MS): Promise<Pair> {
    return eventually(
      async () => {
        const [operators, keyrings] = [await this.#leading("metrics"), await this.#leading("keyringMetrics")];
        const [operator, keyring] = [operators[0], keyrings[0]];
        return operators.length === 1 && keyrings.length === 1 && operator === keyring && operator;
      },
      { timeoutMs, message: "one pair works, and no other" },
    );
  }

  /** How often keyrings of these pairs have begun to serve. */
  get served(): number {
    return this.lines.filter((line) => line.includes('"msg":"serving"')).length;
  }

  /** All that the processes of all pairs wrote. */
  get lines(): readonly string[] {
    return this.#all.flatMap(({ operator, keyring }) => [...operator.lines, ...keyring.lines]);
  }

  /** Ends those that run, one after the other. */
  async stop(): Promise<void> {
    for (const pair of this.running) await this.end(pair);
  }

  async #leading(port: "metrics" | "keyringMetrics"): Promise<readonly Pair[]> {
    const found: Pair[] = [];
    for (const pair of this.running) {
      // one that is being started again leads nothing
      const numbers = await readMetrics(pair.ports[port]).catch(() => undefined);
      if (numbers?.sum("leader_election_master_status") === 1) found.push(pair);
    }
    return found;
  }
}
