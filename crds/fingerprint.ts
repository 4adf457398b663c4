// The fingerprint of a keyring: what a person compares between the keyring's own log and `zopp cluster add`.
// Everything else that is said of a keyring before policy names it is hearsay.
import { type ClusterFacts, clusterStatement } from "./statement.js";

const GROUPS = 6;
const GROUP_DIGITS = 4;

/**
 * Six groups of four hex digits, joined by `-`: the first 96 bits of the hash of the cluster statement, which covers
 * the keyring's keys, its log and the cluster's uid (docs/format.md, "Cluster").
 */
export function clusterFingerprint(facts: ClusterFacts): string {
  const { hash } = clusterStatement(facts);
  return Array.from({ length: GROUPS }, (_, at) => hash.slice(at * GROUP_DIGITS, (at + 1) * GROUP_DIGITS)).join("-");
}
