// The seed of a cluster's keyring: made once, as two shares in a Secret and a ConfigMap, and never read through the API.
// The shares are read where kubelet mounted them, so that the account that makes them may create Secrets and nothing else.
// kubelet goes on mounting an immutable object that was deleted while a pod that had it is there: the API server is asked.
// Two shares, because an operator of all namespaces may read every Secret: what it finds in one of them is noise.
import { existsSync } from "node:fs";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import { type Identity, newSeed } from "../../crds/crypto/identity.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import { ZoppError } from "../../crds/errors.js";
import type { ApiClient } from "../kube/client.js";
import { hasStatus } from "../kube/errors.js";
import { CONFIG_MAPS, type KubeObject, type Resource, SECRETS } from "../kube/resources.js";
import { identityFromShares, readSeed, readShare } from "./keys.js";

/** The data key of both shares. */
export const SEED_KEY = "seed";
/** The data key of the public key, one line `ed25519:…`. */
export const PUBLIC_KEY = "keyring.pub";
/** On all three objects, with which of them it is: `kubectl get secret,configmap -l zopp.dev/seed` is the whole backup. */
export const SEED_LABEL = "zopp.dev/seed";
const SECRET_TYPE = "zopp.dev/seed";
const FIELD_MANAGER = "zopp-keyring";

/** Where the seed of a keyring is, and where it is mounted once it is there. */
export interface InstallConfig {
  readonly namespace: string;
  /** Names: of the Secret and the ConfigMap that hold a share each, and of the ConfigMap with the public key. */
  readonly secret: string;
  readonly shareConfigMap: string;
  readonly publicConfigMap: string;
  /** Files of the two shares; absent before the first installation. */
  readonly mountedSecret: string;
  readonly mountedShare: string;
}

/** The keyring that is installed, and whether its seed is new. */
export interface Installed {
  readonly identity: Identity;
  readonly fresh: boolean;
}

/**
 * Makes the seed unless it is there, and publishes its public key. Nothing is ever overwritten but that key. Throws
 * SeedMissing when the Secret stands without the ConfigMap, one is mounted that is not there any more, or only the public
 * key is left of a seed; SeedExists when one is there that is not mounted; Malformed, Api*.
 */
export async function install(client: ApiClient, config: InstallConfig): Promise<Installed> {
  const { mountedSecret, mountedShare } = config;
  if (existsSync(mountedSecret)) await stillThere(client, config, SECRETS, object(config, config.secret, "secret"));
  if (existsSync(mountedShare))
    await stillThere(client, config, CONFIG_MAPS, object(config, config.shareConfigMap, "share"));
  const fresh = !existsSync(mountedSecret);
  if (!fresh && !existsSync(mountedShare)) {
    const what = `Secret ${config.secret} is there without ConfigMap ${config.shareConfigMap}, the other share of the seed`;
    throw new ZoppError("SeedMissing", `${what}: put it back from a backup; nothing was changed`);
  }
  const identity = fresh ? await make(client, config) : await readSeed([mountedSecret, mountedShare]);
  const published = object(config, config.publicConfigMap, "public");
  const data = { [PUBLIC_KEY]: `${identity.signing.verifyKey.text}\n` };
  await client.apply(CONFIG_MAPS, { ...published, data } as KubeObject, { fieldManager: FIELD_MANAGER });
  return { identity, fresh };
}

/** What it may create it may ask for by name: a creation for show is refused where the object is. */
async function isThere(client: ApiClient, resource: Resource, object: KubeObject): Promise<boolean> {
  try {
    await client.create(resource, object, { dryRun: true, metadataOnly: true });
    return false;
  } catch (error) {
    if (hasStatus(error, 409)) return true;
    throw error;
  }
}

async function stillThere(
  client: ApiClient,
  { publicConfigMap }: InstallConfig,
  resource: Resource,
  object: KubeObject,
): Promise<void> {
  if (await isThere(client, resource, object)) return;
  const { namespace, name } = object.metadata;
  const what = `${resource.kind} ${namespace}/${name} was deleted and is still mounted, as long as pods that had it are there`;
  const next = `put it back from a backup; for another seed let them end, and delete ConfigMap ${publicConfigMap} too`;
  throw new ZoppError("SeedMissing", `${what}: nothing was changed; ${next}`);
}

/** The public key is published when the seed is whole: where it is and the Secret is not, that was lost. */
async function neverThere(client: ApiClient, config: InstallConfig): Promise<void> {
  const { namespace, secret, publicConfigMap } = config;
  // asked first: a share that is made beside a Secret would be another seed's
  const seed = object(config, secret, "secret");
  if (await isThere(client, SECRETS, seed)) throw unmounted(SECRETS, seed.metadata);
  if (!(await isThere(client, CONFIG_MAPS, object(config, publicConfigMap, "public")))) return;
  const what = `ConfigMap ${namespace}/${publicConfigMap} is of a seed whose Secret ${secret} is gone`;
  const next = "put it back from a backup; for another seed, which no policy names yet, delete that ConfigMap first";
  throw new ZoppError("SeedMissing", `${what}: nothing was changed; ${next}`);
}

function unmounted({ kind }: Resource, { namespace, name }: KubeObject["metadata"]): ZoppError {
  const what = `${kind} ${namespace}/${name} is there, and was not when this pod started`;
  return new ZoppError("SeedExists", `${what}: it is never overwritten; try again`);
}

/** The Secret comes last: where it never was, nothing was sealed to this seed, and another try may begin anew. */
async function make(client: ApiClient, config: InstallConfig): Promise<Identity> {
  await neverThere(client, config);
  const isShared = existsSync(config.mountedShare);
  const share = isShared ? await readShare(config.mountedShare) : newSeed();
  if (!isShared) {
    const data = { [SEED_KEY]: lineOf(share) };
    await createOnly(client, CONFIG_MAPS, { ...object(config, config.shareConfigMap, "share"), immutable: true, data });
  }
  const secret = newSeed();
  const data = { [SEED_KEY]: encodeBase64(utf8(lineOf(secret))) };
  const metadata = object(config, config.secret, "secret");
  await createOnly(client, SECRETS, { ...metadata, type: SECRET_TYPE, immutable: true, data });
  return identityFromShares([secret, share]);
}

function lineOf(share: Uint8Array): string {
  return `${encodeBase64(share)}\n`;
}

function object({ namespace }: InstallConfig, name: string, which: string): KubeObject {
  return { metadata: { name, namespace, labels: { "app.kubernetes.io/part-of": "zopp", [SEED_LABEL]: which } } };
}

/** Only its metadata comes back. */
async function createOnly<T extends KubeObject>(client: ApiClient, resource: Resource, object: T): Promise<void> {
  try {
    await client.create(resource, object, { metadataOnly: true });
  } catch (error) {
    throw hasStatus(error, 409) ? unmounted(resource, object.metadata) : error;
  }
}
