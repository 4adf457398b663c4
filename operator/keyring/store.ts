// The keyring's memory in the API: read and checked at start, folded into snapshots now and then.
// Appending to the log is log.ts.
import type { SigningKey } from "../../crds/crypto/identity.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppAuditSegment, ZoppLedger } from "../../crds/types.gen.js";
import { parseAuditSegment, parseLedger } from "../../crds/validate.js";
import type { ApiClient } from "../kube/client.js";
import { hasStatus } from "../kube/errors.js";
import { type KubeObject, type Resource, ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../kube/resources.js";
import { Ledger, type StoredPlace } from "./ledger.js";
import { emptyLog, type LogEnd } from "./log.js";
import { contentOf, placeParts, policyPart } from "./parts.js";
import type { AuditRecord } from "./records.js";
import { checkSegment, linesOf, NO_SEGMENT } from "./segment.js";

const PAGE = 100;

/** What was found at start. */
export interface Remembered {
  readonly ledger: Ledger;
  readonly end: LogEnd;
  /** Accepted workspaces and environments, whole, by digest. */
  readonly policies: ReadonlyMap<string, unknown>;
  /** True when there was no log: `end` is that of a new one. */
  readonly fresh: boolean;
  /** Records below this index are in a snapshot. */
  readonly folded: number;
}

/** The memory of one keyring in its namespace. */
export class Store {
  readonly #client: ApiClient;
  readonly #namespace: string;
  readonly #key: SigningKey;

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
    const segments = await this.#segments();
    const newest = segments.at(-1)?.spec.log;
    if (newest === undefined) return { ...fresh(newLog()), policies: new Map() };
    const own = segments.filter(({ spec }) => spec.log === newest);
    const parts = (await this.#all(ZOPP_LEDGERS, parseLedger)).filter(({ spec }) => spec.log === newest);
    return this.#replay(newest, own, parts);
  }

  /** Stores an accepted workspace or environment whole, before the record that accepts it. */
  async keepPolicy(end: LogEnd, digest: string, object: object): Promise<void> {
    const part = policyPart({ namespace: this.#namespace, log: end.log, through: end.size }, digest, object, this.#key);
    try {
      await this.#client.create(ZOPP_LEDGERS, part, { metadataOnly: true });
    } catch (error) {
      if (!hasStatus(error, 409)) throw error;
      contentOf(parseLedger(strip(await this.#client.get(ZOPP_LEDGERS, part.metadata))), this.#key.verifyKey);
    }
  }

  /** Writes snapshots of the ledger as of `end`, so that a start need not read the whole log. */
  async fold(ledger: Ledger, end: LogEnd): Promise<void> {
    const place = { namespace: this.#namespace, log: end.log, through: end.size };
    for (const part of placeParts(place, ledger.stored(), this.#key)) await this.#put(part);
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

  /** Segments that this key signed, in order; those of other keyrings in the namespace are not ours to judge. */
  async #segments(): Promise<readonly ZoppAuditSegment[]> {
    const all = await this.#all(ZOPP_AUDIT_SEGMENTS, parseAuditSegment);
    const logs = new Set<string>();
    for (const { spec } of all) {
      if (logs.has(spec.log)) continue;
      const { log, first, previous } = spec;
      const found = all.find(
        (segment) => segment.spec.log === log && isSigned(segment, { log, first, previous }, this.#key),
      );
      if (found !== undefined) logs.add(log);
    }
    const own = all.filter(({ spec }) => logs.has(spec.log));
    return own.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  #replay(log: string, segments: readonly ZoppAuditSegment[], parts: readonly ZoppLedger[]): Remembered {
    const ledger = new Ledger();
    const { places, policies, through } = this.#restore(parts);
    for (const [name, { stored }] of places) ledger.restore(name, stored);
    let end: LogEnd = emptyLog(log);
    for (const segment of segments) {
      const expected = { log, first: end.size, previous: end.previous };
      const previous = checkSegment(segment, expected, this.#key.verifyKey);
      end = { log, size: end.size + segment.spec.count, previous };
      for (const line of linesOf(segment)) {
        const record = JSON.parse(line) as AuditRecord;
        const known = record.action === "open" && record.index < (places.get(record.object ?? "")?.through ?? 0);
        if (!known) ledger.apply(record);
      }
    }
    if (end.size < through)
      throw new ZoppError("LogBroken", `log ${log} ends at ${end.size}, its snapshot at ${through}`);
    return { ledger, end, policies, fresh: false, folded: through };
  }

  /** Parts by what they hold; of two shards that know a place, the one that was written later counts. */
  #restore(parts: readonly ZoppLedger[]) {
    const places = new Map<string, { readonly stored: StoredPlace; readonly through: number }>();
    const policies = new Map<string, unknown>();
    let through = 0;
    for (const part of parts) {
      const content = contentOf(part, this.#key.verifyKey);
      if (part.spec.kind === "Policy") policies.set(part.spec.name, content);
      else {
        through = Math.max(through, part.spec.through);
        for (const [name, stored] of Object.entries(content as Record<string, StoredPlace>)) {
          if ((places.get(name)?.through ?? -1) < part.spec.through)
            places.set(name, { stored, through: part.spec.through });
        }
      }
    }
    return { places, policies, through };
  }

  async #all<T>(resource: Resource, parse: (value: unknown) => T): Promise<readonly T[]> {
    const found: T[] = [];
    let next: string | undefined;
    do {
      const page = await this.#client.list<KubeObject>(resource, {
        namespace: this.#namespace,
        limit: PAGE,
        continue: next,
      });
      for (const item of page.items)
        found.push(parse(strip({ apiVersion: "zopp.dev/v1alpha1", kind: resource.kind, ...item })));
      next = page.metadata.continue === "" ? undefined : page.metadata.continue;
    } while (next !== undefined);
    return found;
  }
}

function fresh(log: string): Omit<Remembered, "policies"> {
  return { ledger: new Ledger(), end: { log, size: 0, previous: NO_SEGMENT }, fresh: true, folded: 0 };
}

/** Only what zopp wrote: the API server's own fields are not part of the object. */
function strip({ apiVersion, kind, metadata, ...rest }: KubeObject): unknown {
  return { apiVersion, kind, metadata: { name: metadata.name, namespace: metadata.namespace }, ...rest };
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
