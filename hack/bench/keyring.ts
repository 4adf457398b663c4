// The keyring by itself: how many entries it opens when a caller keeps it busy, and what of its CPU that takes.
// Nothing else works meanwhile but the API server, which stores the records of what is released.
import { decryptionKeyFromRaw, identityFromSeed, newEnvironmentKey, newSeed } from "../../crds/crypto/identity.js";
import { decapsulate, encapsulate } from "../../crds/crypto/kem.js";
import { verify } from "../../crds/crypto/keys.js";
import { randomBytes } from "../../crds/crypto/primitives.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { connectKeyring } from "../../operator/keyring/client.js";
import type { KeyringClient } from "../../operator/keyring/client.types.js";
import { silentLog } from "../../operator/kube/observe.js";
import { cpuMs } from "./process.js";
import { nameOf, sealedBundle, VALUES, type World } from "./world.js";

/** About as long as an entry's statement. */
const STATEMENT_BYTES = 400;

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

/**
 * The limit: entries per CPU second of this process when nothing is done but the primitives that a first opening cannot do
 * without, an X-Wing decapsulation and a signature an entry, and the header's signature a bundle.
 */
export function primitivesAlone(bundles: number): number {
  const pair = newEnvironmentKey("xwing");
  const [key, { enc }] = [decryptionKeyFromRaw("xwing", pair.privateKey), encapsulate(pair.public)];
  const { signing } = identityFromSeed(newSeed());
  const message = randomBytes(STATEMENT_BYTES);
  const signature = signing.sign(message);
  const before = process.cpuUsage();
  for (let bundle = 0; bundle < bundles; bundle += 1) {
    verify(signing.verifyKey, message, signature);
    for (let entry = 0; entry < VALUES; entry += 1) {
      verify(signing.verifyKey, message, signature);
      decapsulate(key, enc);
    }
  }
  const { user, system } = process.cpuUsage(before);
  return (bundles * VALUES) / ((user + system) / 1e6);
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
