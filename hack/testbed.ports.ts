// The ports that operator and keyring listen on, in testbeds and in the demo.
import { freePort } from "./control-plane/processes.js";

/** What listens where on 127.0.0.1. */
export interface Ports {
  readonly keyring: number;
  readonly keyringHealth: number;
  readonly keyringMetrics: number;
  readonly health: number;
  readonly metrics: number;
}

/** Free ports for both processes. */
export async function fivePorts(): Promise<Ports> {
  const [keyring = 0, keyringHealth = 0, keyringMetrics = 0, health = 0, metrics = 0] = await Promise.all(
    Array.from({ length: 5 }, () => freePort()),
  );
  return { keyring, keyringHealth, keyringMetrics, health, metrics };
}
