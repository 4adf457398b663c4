// The keyring by itself: how many entries it opens when a caller keeps it busy, and what of its CPU that takes.
// Nothing else works meanwhile but the API server, which stores the records of what is released.
import { identityFromSeed, newSeed } from "../../crds/crypto/identity.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { connectKeyring, type KeyringClient } from "../../operator/keyring/client.js";
import { silentLog } from "../../operator/kube/observe.js";
import { cpuMs } from "./process.js";
import { nameOf, sealedBundle, VALUES, type World } from "./world.js";

/** Entries opened, by the clock and by the keyring's CPU time. */
export interface Opening {
  readonly entriesPerSecond: number;
  readonly entriesPerCpuSecond: number;
}

/** Opens `count` X-Wing bundles that the keyring never saw, and then the very same again, which it knows by its ledger. */
export async function keyringAlone(
  { testbed, environments }: World,
  count: number,
): Promise<{ readonly unseen: Opening; readonly known: Opening }> {
  const now = new Date();
  const bundles = Array.from({ length: count }, (_, at) =>
    sealedBundle(environments.xwing, { namespace: "xwing-alone", name: nameOf(at), mark: nameOf(at), now }),
  );
  const client = connectKeyring({
    address: `127.0.0.1:${testbed.ports.keyring}`,
    keyringKey: testbed.keyringKey,
    identity: identityFromSeed(newSeed()).signing,
    token: () => testbed.token(),
    log: silentLog,
  });
  try {
    await client.describe(); // connects and enrols
    const { pid } = testbed.keyring;
    return { unseen: await openAll(client, bundles, pid), known: await openAll(client, bundles, pid) };
  } finally {
    await client.close();
  }
}

async function openAll(client: KeyringClient, bundles: readonly ZoppSecret[], pid: number): Promise<Opening> {
  const [begun, before] = [performance.now(), await cpuMs(pid)];
  const results = await Promise.all(
    bundles.map(({ metadata: { namespace, name }, spec }) => client.open({ namespace, name, spec })),
  );
  const [ms, cpu] = [performance.now() - begun, (await cpuMs(pid)) - before];
  const refused = results.find(({ ok }) => !ok);
  if (refused?.ok === false) throw refused.error;
  const entries = bundles.length * VALUES;
  return { entriesPerSecond: entries / (ms / 1000), entriesPerCpuSecond: entries / (cpu / 1000) };
}
