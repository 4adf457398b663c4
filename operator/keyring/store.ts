// The keyring's memory in the API: read at start, followed while replicas add to it, and folded into snapshots now and then.
// Appending to the log is log.ts, what is made of it at start replay.ts, which segments stay archive.ts.
import type { SigningKey } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment, ZoppLedger } from "../../crds/types.gen.js";
import { parseAuditSegment, parseLedger } from "../../crds/validate.js";
import type { ApiClient } from "../kube/client.js";
import { hasStatus, orAbsent } from "../kube/errors.js";
import { type KubeObject, type Resource, ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../kube/resources.js";
import type { Ledger } from "./ledger.js";
import type { LogEnd, Taken } from "./log.types.js";
import { type Head, headPart, placeParts, policyIn, policyPart } from "./parts.js";
import { type AuditRecord, type Fact, lineOf } from "./records.js";
import { forgetful, logThatCounts, type Remembered, replay, strip } from "./replay.js";
import { checkSegment, linesOf, makeSegment, NO_SEGMENT, segmentName } from "./segment.js";

const PAGE = 100;
/** Read back between two looks at what else waits: some are small, some 300 KiB. */
const SEGMENTS_A_TURN = 10;

/** A segment, and where in the history of the API server it was created. */
interface Created {
  readonly segment: ZoppAuditSegment;
  readonly at: bigint;
}

/** The memory of one keyring in its namespace. */
export class Store {
  readonly #client: ApiClient;
  readonly #namespace: string;
  readonly #key: SigningKey;
  /** A set of shards never gets smaller: one with fewer would be older than it looks. */
  #shards = 1;

  constructor(client: ApiClient, namespace: string, key: SigningKey) {
    this.#client = client;
    this.#namespace = namespace;
    this.#key = key;
  }

  /**
   * Reads the log that this key signed and folds it. `newLog` names a new one where there is none. Throws LogBroken when
   * anything of it is missing or changed.
   */
  async load(newLog: () => string): Promise<Remembered> {
    // before the segments: a replica may add to both meanwhile, and no snapshot may know more than the segments that are read
    const all = await this.#all(ZOPP_LEDGERS, parseLedger);
    const created = await this.#segments();
    const log = ownLog(created);
    if (log === undefined) return forgetful(newLog());
    const own = created.map(({ segment }) => segment).filter(({ spec }) => spec.log === log);
    const parts = all.filter(({ spec }) => spec.log === log);
    const memory = await inTurns(replay(log, own, parts, this.#key.verifyKey));
    this.#shards = memory.shards;
    return { ...memory, policies: await this.#withNewer(memory) };
  }

  /** The accepted objects, also those that a replica has stored since. */
  async #withNewer({ policies, ledger, end }: Remembered): Promise<ReadonlyMap<string, unknown>> {
    const found = new Map(policies);
    for (const accepted of [ledger.workspaces, ledger.environments, ledger.baselines]) {
      for (const { digest } of accepted.values()) {
        if (found.has(digest)) continue;
        const part = await this.#find(ZOPP_LEDGERS, `${end.log}-${digest}`);
        if (part !== undefined) found.set(digest, this.#policyIn(part, end.log, digest));
      }
    }
    return found;
  }

  /**
   * Begins a log where there is none. A replica may do so at the same time: load again afterwards, for the log that was begun
   * first is that of both.
   */
  async begin(log: string, fact: Fact): Promise<void> {
    const line = lineOf({ index: 0, time: new Date().toISOString(), ...fact });
    const { segment } = makeSegment(this.#namespace, { log, first: 0, previous: NO_SEGMENT }, [line], this.#key);
    await this.#client.create(ZOPP_AUDIT_SEGMENTS, segment, { metadataOnly: true });
  }

  /**
   * The segment that is stored after an end, and into `policies` what it accepts; null when there is none. Throws LogForked
   * when this key did not sign it, or it does not follow; Api*.
   */
  async next(end: LogEnd, policies: Map<string, unknown>): Promise<Taken | null> {
    const { log, size: first, previous } = end;
    const name = segmentName(log, first);
    const found = await this.#find(ZOPP_AUDIT_SEGMENTS, name);
    if (found === undefined) return null;
    const taken = ours(name, () => {
      const segment = parseAuditSegment(strip(found));
      const link = checkSegment(segment, { log, first, previous }, this.#key.verifyKey);
      const lines = linesOf(segment);
      return { lines, end: { log, size: first + lines.length, previous: link } };
    });
    for (const line of taken.lines) {
      const { action, decision, digest } = JSON.parse(line) as AuditRecord;
      const isAccepted = action.startsWith("accept-") && decision === "accepted";
      if (!isAccepted || digest === undefined || policies.has(digest)) continue;
      const part = await this.#client.get<KubeObject>(ZOPP_LEDGERS, {
        namespace: this.#namespace,
        name: `${log}-${digest}`,
      });
      policies.set(
        digest,
        ours(name, () => this.#policyIn(part, log, digest)),
      );
    }
    return taken;
  }

  /** Stores an accepted workspace or environment whole, before the record that accepts it. */
  async keepPolicy(end: LogEnd, digest: string, object: object): Promise<void> {
    const part = policyPart(this.#at(end), digest, object, this.#key);
    try {
      await this.#client.create(ZOPP_LEDGERS, part, { metadataOnly: true });
    } catch (error) {
      if (!hasStatus(error, 409)) throw error;
      this.#policyIn(await this.#client.get<KubeObject>(ZOPP_LEDGERS, part.metadata), end.log, digest);
    }
  }

  #policyIn(part: KubeObject, log: string, digest: string): unknown {
    return policyIn(parseLedger(strip(part)), log, digest, this.#key.verifyKey);
  }

  /** Writes snapshots of the ledger as of `end`, so that a start need not read the whole log. */
  async fold(ledger: Ledger, end: LogEnd): Promise<void> {
    const parts = placeParts(this.#at(end), ledger.stored(), this.#key, this.#shards);
    for (const part of parts) await this.#put(part);
    this.#shards = parts.length;
  }

  /** Remembers where the log begins in the cluster; only after a snapshot of what was before. */
  async behead(head: Head, end: LogEnd): Promise<void> {
    await this.#put(headPart(this.#at(end), head, this.#key));
  }

  #at({ log, size }: LogEnd) {
    return { namespace: this.#namespace, log, through: size };
  }

  async #put(part: ZoppLedger): Promise<void> {
    try {
      await this.#client.create(ZOPP_LEDGERS, part, { metadataOnly: true });
    } catch (error) {
      if (!hasStatus(error, 409)) throw error;
      const found = await this.#client.get<KubeObject>(ZOPP_LEDGERS, part.metadata, { metadataOnly: true });
      const metadata = { ...part.metadata, resourceVersion: found.metadata.resourceVersion ?? "" };
      await this.#client.replace(ZOPP_LEDGERS, { ...part, metadata }, { metadataOnly: true });
    }
  }

  #find(resource: Resource, name: string): Promise<KubeObject | undefined> {
    return orAbsent(this.#client.get<KubeObject>(resource, { namespace: this.#namespace, name }));
  }

  /** Segments of the logs that this key signed; those of other keyrings in the namespace are not ours to judge. */
  async #segments(): Promise<readonly Created[]> {
    const all = await this.#all(ZOPP_AUDIT_SEGMENTS, (value, { metadata }) => ({
      segment: parseAuditSegment(value),
      at: BigInt(metadata.resourceVersion ?? 0),
    }));
    const logs = new Set<string>();
    for (const { segment } of all) {
      const { log, first, previous } = segment.spec;
      if (!logs.has(log) && isSigned(segment, { log, first, previous }, this.#key)) logs.add(log);
    }
    return all.filter(({ segment }) => logs.has(segment.spec.log));
  }

  async #all<T>(resource: Resource, parse: (value: unknown, stored: KubeObject) => T): Promise<readonly T[]> {
    const found: T[] = [];
    let next: string | undefined;
    do {
      const page = await this.#client.list<KubeObject>(resource, {
        namespace: this.#namespace,
        limit: PAGE,
        continue: next,
      });
      for (const item of page.items)
        found.push(parse(strip({ apiVersion: "zopp.dev/v1alpha1", kind: resource.kind, ...item }), item));
      next = page.metadata.continue === "" ? undefined : page.metadata.continue;
    } while (next !== undefined);
    return found;
  }
}

/**
 * The log that counts; of those that have just been begun, the first one, and each replica sees the same: whoever lists after
 * having begun one sees all of a lower resourceVersion, so two replicas can only agree.
 *
 * Somebody who may write the API can change that order (a label is enough, or to delete and create) and can take segments
 * away, but forge none: what he gets a keyring to take is a log that this key did begin, and that holds nothing but its
 * start. Nothing old is released by an empty ledger, since a keyring accepts under a policy that names its log alone
 * (PolicyBook.acceptsNew): one that the owners did not sign in is LedgerLost. Two replicas that were brought to write two
 * logs are two histories of which that policy names one at most. It costs service, which he can have by deleting too; only
 * the log that is named, cut down to its start, must be told by a checkpoint from outside, as any cut (docs/audit.md).
 */
function ownLog(created: readonly Created[]): string | undefined {
  const segments = created.map(({ segment }) => segment);
  if (segments.some(({ spec }) => spec.first + spec.count > 1)) return logThatCounts(segments);
  const [first] = [...created].sort((a, b) => (a.at < b.at ? -1 : 1));
  return first?.segment.spec.log;
}

/** Probes get their turn: a long log takes seconds, after which kubelet would take the keyring for one that hangs. */
async function inTurns<T>(steps: Generator<void, T, void>): Promise<T> {
  for (let taken = 1; ; taken += 1) {
    const { done, value } = steps.next();
    if (done) return value;
    if (taken % SEGMENTS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What is not as a replica of ours writes it is a fork. */
function ours<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new ZoppError("LogForked", `audit segment ${name} does not go on from what this keyring knows`, { cause });
  }
}

function isSigned(
  segment: ZoppAuditSegment,
  place: { log: string; first: number; previous: string },
  key: SigningKey,
): boolean {
  try {
    checkSegment(segment, place, key.verifyKey);
    return true;
  } catch {
    return false;
  }
}
