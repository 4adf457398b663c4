// Reads a keyring's whole log back from the API, checked segment by segment.
// For tests that ask what was recorded, and in which order.
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import type { ZoppAuditSegment } from "../../crds/types.gen.js";
import type { AuditRecord } from "../../operator/keyring/records.js";
import { checkSegment, linesOf, NO_SEGMENT } from "../../operator/keyring/segment.js";
import { ZOPP_AUDIT_SEGMENTS } from "../../operator/kube/resources.js";
import type { Testbed } from "../testbed.js";

/** All records in order. Throws LogBroken when the segments are not one unbroken chain of this keyring's. */
export async function readLog(
  { client, keyringKey }: Testbed,
  namespace = "zopp-system",
): Promise<readonly AuditRecord[]> {
  const key = parseVerifyKey(keyringKey);
  if (key === null) throw new Error("the keyring's public file holds no key");
  const { items } = await client.list<ZoppAuditSegment>(ZOPP_AUDIT_SEGMENTS, { namespace });
  const segments = [...items].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const records: AuditRecord[] = [];
  let previous = NO_SEGMENT;
  for (const segment of segments) {
    previous = checkSegment(segment, { log: segment.spec.log, first: records.length, previous }, key);
    records.push(...linesOf(segment).map((line) => JSON.parse(line) as AuditRecord));
  }
  return records;
}
