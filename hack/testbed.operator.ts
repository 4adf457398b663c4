// What an operator of a testbed is told. Starting it is testbed.ts'.
import type { Child } from "./child.js";
import type { Ports } from "./testbed.ports.js";

/** The ports of one operator. */
export type OwnPorts = Pick<Ports, "health" | "metrics">;

/** One more operator. */
export interface Replica {
  readonly child: Child;
  readonly ports: OwnPorts;
}

/** What an operator is told. */
export interface Told {
  readonly kubeconfig: string;
  readonly keyringPort: number;
  /** Path of the keyring's public key. */
  readonly key: string;
  /** Path of the token to enrol with. */
  readonly token: string;
  readonly ports: OwnPorts;
  /** Further flags; of one that is given again the last counts. */
  readonly more: readonly string[];
}

/** The flags that say so. */
export function operatorFlags({ kubeconfig, keyringPort, key, token, ports, more }: Told): readonly string[] {
  const args = ["--kubeconfig", kubeconfig, "--keyring", `127.0.0.1:${keyringPort}`];
  args.push("--keyring-key", key, "--token-file", token, "--bind-address", "127.0.0.1");
  args.push("--health-port", String(ports.health), "--metrics-port", String(ports.metrics));
  return [...args, ...more];
}
