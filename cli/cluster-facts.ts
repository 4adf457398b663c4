// What a keyring publishes about itself, and how a person checks that it is the keyring's and not somebody else's.
// The object alone proves nothing: whoever can write it can sign it with keys of their own.
import { parseEncryptionKey, parseVerifyKey } from "../crds/crypto/keys.js";
import { ZoppError } from "../crds/errors.js";
import { type ClusterFacts, clusterStatement, verifyStatement } from "../crds/statement.js";
import type { ApiClient } from "../operator/kube/client.js";
import { CONFIG_MAPS, type KubeObject, NAMESPACES } from "../operator/kube/resources.js";
import type { Context } from "./context.js";
import { readInput } from "./input.js";
import { readManifests } from "./store/yaml.read.js";

/** Where the chart puts keyrings. */
export const KEYRING_NAMESPACE = "zopp-system";
const CONFIG_MAP = "zopp-cluster";
const FIELDS = ["signingKey", "encryptionKey", "log", "clusterUid", "signature"] as const;

/** Reads the ConfigMap of a keyring's namespace, and checks that it speaks of this cluster. Throws NotFound, KeyringMismatch, as checkFacts. */
export async function factsFromCluster(client: ApiClient, namespace: string): Promise<ClusterFacts> {
  const found = await client.get<KubeObject & { data?: unknown }>(CONFIG_MAPS, { namespace, name: CONFIG_MAP });
  const facts = checkFacts(found.data);
  const system = await client.get(NAMESPACES, { name: "kube-system" }, { metadataOnly: true });
  if (facts.clusterUid !== system.metadata.uid) {
    throw new ZoppError("KeyringMismatch", `ConfigMap ${namespace}/${CONFIG_MAP} was published in another cluster`);
  }
  return facts;
}

/** Reads the ConfigMap, or its data alone, from a YAML or JSON file; `-` is stdin. Throws as checkFacts. */
export async function factsFromFile(context: Context, file: string): Promise<ClusterFacts> {
  const text = Buffer.from(await readInput(context, file)).toString("utf8");
  const value = readManifests(text, file)[0]?.value as { data?: unknown } | undefined;
  return checkFacts(value?.data ?? value);
}

/** Strict shape and the self-signature. Throws Malformed or SignatureInvalid. */
export function checkFacts(data: unknown): ClusterFacts {
  const given = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>;
  const [signingKey, encryptionKey, log, clusterUid, signature] = FIELDS.map((field) => {
    const text = given[field];
    if (typeof text === "string") return text;
    throw new ZoppError("Malformed", `${CONFIG_MAP}: ${field} is missing`);
  }) as [string, string, string, string, string];
  const key = parseVerifyKey(signingKey);
  if (key === null || parseEncryptionKey(encryptionKey) === null)
    throw new ZoppError("Malformed", `${CONFIG_MAP}: a key is not usable`);
  const facts = { signingKey, encryptionKey, log, clusterUid };
  if (!verifyStatement(key, clusterStatement(facts), signature)) {
    throw new ZoppError("SignatureInvalid", `${CONFIG_MAP}: its signature is not by the key that it names`);
  }
  return facts;
}
