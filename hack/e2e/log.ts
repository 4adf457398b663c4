// Reads a keyring's whole log back from the API, checked segment by segment.
// For tests that ask what was recorded, and in which order.
import { parseVerifyKey } from "../../crds/crypto/keys.js";
import type { ZoppAuditSegment, ZoppLedger } from "../../crds/types.gen.js";
import type { AuditRecord } from "../../operator/keyring/records.js";
import { logThatCounts, readBack } from "../../operator/keyring/replay.js";
import { ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../../operator/kube/resources.js";
import type { Testbed } from "../testbed.js";

/** All records that are kept, in order. Throws LogBroken when the segments are not one unbroken chain of this keyring's. */
export async function readLog(bed: Testbed, namespace = "zopp-system"): Promise<readonly AuditRecord[]> {
  return (await readStored(bed, namespace)).lines.map((line) => JSON.parse(line) as AuditRecord);
}

/** The newest log as it is stored: its lines, and what stands for those before. Throws as `readLog`. */
export async function readStored({ client, keyringKey }: Testbed, namespace = "zopp-system") {
  const key = parseVerifyKey(keyringKey);
  if (key === null) throw new Error("the keyring's public file holds no key");
  // in this order, as a keyring reads them: what is folded meanwhile is missing from neither
  const { items: parts } = await client.list<ZoppLedger>(ZOPP_LEDGERS, { namespace });
  const { items: segments } = await client.list<ZoppAuditSegment>(ZOPP_AUDIT_SEGMENTS, { namespace });
  const log = logThatCounts(segments) ?? "";
  const of = <T extends ZoppAuditSegment | ZoppLedger>(all: readonly T[]) => all.filter(({ spec }) => spec.log === log);
  return { ...readBack(log, of(segments), of(parts), key), segments: of(segments) };
}
