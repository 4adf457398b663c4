// A testbed whose processes reach the API server through a proxy that can spoil what passes.
// What it spoils is faulting-proxy.ts'.
import type { Test } from "tap";
import { FaultingProxy } from "./faulting-proxy.js";
import { startTestbed, type Testbed } from "./testbed.js";
import type { TestbedOptions } from "./testbed.policy.js";

/** How it is started. */
export interface ProxiedOptions extends Omit<TestbedOptions, "kubeconfig"> {
  /** The operator alone goes through the proxy. */
  readonly keyringDirect?: boolean;
}

/** Starts a testbed behind a proxy for all tests of a file; both end with them. */
export async function startProxiedTestbed(
  t: Pick<Test, "teardown">,
  { keyringDirect = false, ...options }: ProxiedOptions = {},
): Promise<{ readonly bed: Testbed; readonly proxy: FaultingProxy }> {
  let proxy: FaultingProxy | undefined;
  const bed = await startTestbed({
    ...options,
    async kubeconfig(controlPlane) {
      proxy = await FaultingProxy.start(controlPlane);
      return keyringDirect ? { operator: proxy.kubeconfig, keyring: controlPlane.kubeconfig } : proxy.kubeconfig;
    },
  });
  t.teardown(async () => {
    await bed.stop();
    await proxy?.stop();
  });
  if (proxy === undefined) throw new TypeError("the testbed asked for no kubeconfig");
  return { bed, proxy };
}
