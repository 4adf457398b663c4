// The audit log's share of a first sync: of all writes, as the processes count them, and of the time that it took.
// The time is that of the same records written once more by themselves, with nothing to share the waiting: an upper bound.
import { newSigningKey } from "../../crds/crypto/identity.js";
import { Archive } from "../../operator/keyring/archive.js";
import { AuditLog } from "../../operator/keyring/log.js";
import type { AuditRecord } from "../../operator/keyring/records.js";
import { forgetful } from "../../operator/keyring/replay.js";
import { silentLog } from "../../operator/kube/observe.js";
import { NAMESPACES } from "../../operator/kube/resources.js";
import { readMetrics } from "../testbed.look.js";
import type { World } from "./world.js";

const RECORD = '{"audit":';
const WRITES = ["POST", "PUT", "PATCH", "DELETE"];

/** How many writes a process has asked the API server for. */
export async function writesOf(metricsPort: number): Promise<number> {
  const metrics = await readMetrics(metricsPort);
  return WRITES.reduce((sum, method) => sum + metrics.sum("rest_client_requests_total", { method }), 0);
}

/** The openings among the lines that a keyring exported, by the call that they were made in. */
function callsIn(lines: readonly string[]): readonly (readonly AuditRecord[])[] {
  const calls = new Map<string, AuditRecord[]>();
  for (const line of lines) {
    if (!line.startsWith(RECORD)) continue;
    const record = JSON.parse(line.slice(RECORD.length, -1)) as AuditRecord;
    if (record.action !== "open") continue;
    const call = calls.get(record.request ?? "") ?? [];
    calls.set(record.request ?? "", [...call, record]);
  }
  return [...calls.values()];
}

/** Writes the openings among these lines into a log of their own, call after call; gives the seconds that it took. */
export async function auditSeconds({ testbed: { client } }: World, namespace: string, lines: readonly string[]) {
  const calls = callsIn(lines);
  const [key, memory] = [newSigningKey(), forgetful(namespace)];
  await client.create(NAMESPACES, { metadata: { name: namespace } });
  const archive = new Archive({ client, namespace, key, memory, keep: 512 });
  const log = new AuditLog({
    client,
    namespace,
    key,
    end: memory.end,
    log: silentLog,
    onAppend: (record) => memory.ledger.apply(record),
    onStored: (stored, end) => archive.stored(stored, end),
  });
  const begun = performance.now();
  for (const records of calls) {
    await log.append(records);
    archive.checkpoint();
  }
  return (performance.now() - begun) / 1000;
}
