// One changed value: from the API server's answer to the edit until the Secret that a workload would see.
// Measured idle, and while a large backlog is being worked off.
import { setEntry } from "../../crds/bundle/edit.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { ZOPP_SECRETS } from "../../operator/kube/resources.js";
import { identityOf } from "../fixtures.js";
import { percentile } from "./figures.js";
import { SecretWatch } from "./secret-watch.js";
import { nameOf, type World } from "./world.js";

/** Latencies in milliseconds. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Edits `edits` bundles of a synced namespace one after another, each when the Secret of the one before has come. Throws when one is not right. */
export async function changes(world: World, namespace: string, edits: number): Promise<Latency> {
  const latencies: number[] = [];
  const watching = new SecretWatch(world.testbed.client, namespace);
  await watching.start();
  for (let at = 0; at < edits; at += 1) latencies.push(await change(world, watching, namespace, nameOf(at)));
  watching.stop();
  return { p50Ms: percentile(latencies, 50), p99Ms: percentile(latencies, 99) };
}

async function change(
  { testbed, environments }: World,
  watching: SecretWatch,
  namespace: string,
  name: string,
): Promise<number> {
  const present = await testbed.client.get<ZoppSecret>(ZOPP_SECRETS, { namespace, name });
  const plain = { ...present, metadata: { name, namespace } };
  const writing = { environment: environments.xwing, signingKey: identityOf("alice").signing, now: new Date() };
  const value = `changed ${Math.random()}`;
  const entry = setEntry(plain, "KEY_0", utf8(value), writing);
  const data = { ...present.spec.data, KEY_0: entry };
  const written = watching.next(name);
  await testbed.client.replace(ZOPP_SECRETS, { ...present, spec: { ...present.spec, data } } as ZoppSecret, {
    metadataOnly: true,
  });
  const answered = performance.now();
  const tookMs = Math.max(0, (await written) - answered);
  const secret = await testbed.secret(name, namespace);
  if (secret.data?.["KEY_0"] !== value) {
    throw new Error(`the Secret ${namespace}/${name} does not hold what was written last`);
  }
  return tookMs;
}
