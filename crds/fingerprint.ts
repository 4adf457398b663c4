// Fingerprints: what people compare by another way than the one a key came by. Of a keyring, between its own log and
// `zopp cluster add`; of a device that joins, between `zopp join` and `zopp principal approve`.
import { type ClusterFacts, clusterStatement } from "./statement.js";

const GROUPS = 6;
const GROUP_DIGITS = 4;

/** Six groups of four hex digits, joined by `-`: the first 96 bits of a statement's hash, for people to compare. */
export function fingerprintOf(hash: string): string {
  return Array.from({ length: GROUPS }, (_, at) => hash.slice(at * GROUP_DIGITS, (at + 1) * GROUP_DIGITS)).join("-");
}

/** The fingerprint of the cluster statement, which covers the keyring's keys, its log and the cluster's uid. */
export function clusterFingerprint(facts: ClusterFacts): string {
  return fingerprintOf(clusterStatement(facts).hash);
}
