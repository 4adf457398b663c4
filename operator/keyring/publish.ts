// The ConfigMap `zopp-cluster`: a keyring's public keys and log, signed by itself, for `zopp cluster add` to read.
// It is a convenience and no proof: people compare its fingerprint with the keyring's log.
import type { Identity } from "../../crds/crypto/identity.js";
import { type ClusterFacts, clusterStatement, signStatement } from "../../crds/statement.js";
import type { ApiClient } from "../kube/client.js";
import { CONFIG_MAPS, type KubeObject, NAMESPACES } from "../kube/resources.js";

/** The ConfigMap's name. */
export const CLUSTER_CONFIG_MAP = "zopp-cluster";
const FIELD_MANAGER = "zopp-keyring";

/** Writes the ConfigMap; one that says the same is not written again. Gives what it says. Throws Api*. */
export async function publish(
  client: ApiClient,
  namespace: string,
  identity: Identity,
  log: string,
): Promise<ClusterFacts> {
  const system = await client.get<KubeObject>(NAMESPACES, { name: "kube-system" }, { metadataOnly: true });
  const facts = {
    signingKey: identity.signing.verifyKey.text,
    encryptionKey: identity.encryption.publicKey.text,
    log,
    clusterUid: system.metadata.uid ?? "",
  };
  const signature = signStatement(identity.signing, clusterStatement(facts));
  const configMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: CLUSTER_CONFIG_MAP, namespace },
    data: { ...facts, signature },
  };
  await client.apply(CONFIG_MAPS, configMap, { fieldManager: FIELD_MANAGER, metadataOnly: true });
  return facts;
}
