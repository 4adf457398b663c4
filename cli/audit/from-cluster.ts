// A log from the ZoppAuditSegment objects of a cluster: for whoever may list them, with no keyring that runs.

import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment, ZoppLedger } from "../../crds/types.gen.js";
import { parseAuditSegment, parseLedger } from "../../crds/validate.js";
import { logThatCounts, readBack, strip } from "../../operator/keyring/replay.js";
import type { ApiClient } from "../../operator/kube/client.js";
import { type KubeObject, type Resource, ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../../operator/kube/resources.js";
import { KEYRING_NAMESPACE } from "../cluster-facts.js";
import { contextClient } from "../keyring-call.js";
import type { Session } from "../session.js";
import { type FoundLog, keyOfLog, type SourceOptions } from "./found.js";

const PAGE = 100;

/** The newest log there, or the one that is named. Throws LogBroken when anything of it is missing, changed or of another key. */
export async function fromCluster(session: Session, options: SourceOptions): Promise<FoundLog> {
  const { keyringNamespace: namespace = KEYRING_NAMESPACE } = options;
  const client = await contextClient(session);
  try {
    const segments = await all(client, namespace, ZOPP_AUDIT_SEGMENTS, parseAuditSegment);
    const log = options.log ?? logThatCounts(segments);
    if (log === undefined || !segments.some(({ spec }) => spec.log === log))
      throw new ZoppError("NotFound", `namespace ${namespace} holds ${log === undefined ? "no log" : `no log ${log}`}`);
    const parts = await all(client, namespace, ZOPP_LEDGERS, parseLedger);
    const of = <T extends ZoppAuditSegment | ZoppLedger>(objects: readonly T[]) =>
      objects.filter((each) => each.spec.log === log);
    const key = await keyOfLog(session, log, options.keyringKey);
    const { first: start, lines } = readBack(log, of(segments), of(parts), key);
    const title = `the segments in namespace ${namespace}`;
    return { title, log, start, records: lines.map((line) => ({ line })), checkpoints: [] };
  } finally {
    await client.close();
  }
}

async function all<T>(
  client: ApiClient,
  namespace: string,
  resource: Resource,
  parse: (value: unknown) => T,
): Promise<readonly T[]> {
  const found: T[] = [];
  let next: string | undefined;
  do {
    const page = await client.list<KubeObject>(resource, { namespace, limit: PAGE, continue: next });
    for (const item of page.items)
      found.push(parse(strip({ apiVersion: "zopp.dev/v1alpha1", kind: resource.kind, ...item })));
    next = page.metadata.continue || undefined;
  } while (next !== undefined);
  return found;
}
