// The keyring's memory in the API: read at start, and the ledger folded into snapshots now and then.
// Appending to the log is log.ts, what is made of it at start replay.ts, which segments stay archive.ts.
import type { SigningKey } from "../../crds/crypto/identity.js";
import type { ZoppAuditSegment, ZoppLedger } from "../../crds/types.gen.js";
import { parseAuditSegment, parseLedger } from "../../crds/validate.js";
import type { ApiClient } from "../kube/client.js";
import { hasStatus } from "../kube/errors.js";
import { type KubeObject, type Resource, ZOPP_AUDIT_SEGMENTS, ZOPP_LEDGERS } from "../kube/resources.js";
import type { Ledger } from "./ledger.js";
import type { LogEnd } from "./log.js";
import { contentOf, type Head, headPart, placeParts, policyPart } from "./parts.js";
import { forgetful, type Remembered, replay, strip } from "./replay.js";
import { checkSegment } from "./segment.js";

const PAGE = 100;

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
    const segments = await this.#segments();
    const newest = segments.at(-1)?.spec.log;
    if (newest === undefined) return forgetful(newLog());
    const own = segments.filter(({ spec }) => spec.log === newest);
    const parts = (await this.#all(ZOPP_LEDGERS, parseLedger)).filter(({ spec }) => spec.log === newest);
    const memory = replay(newest, own, parts, this.#key.verifyKey);
    this.#shards = memory.shards;
    return memory;
  }

  /** Stores an accepted workspace or environment whole, before the record that accepts it. */
  async keepPolicy(end: LogEnd, digest: string, object: object): Promise<void> {
    const part = policyPart(this.#at(end), digest, object, this.#key);
    try {
      await this.#client.create(ZOPP_LEDGERS, part, { metadataOnly: true });
    } catch (error) {
      if (!hasStatus(error, 409)) throw error;
      contentOf(parseLedger(strip(await this.#client.get(ZOPP_LEDGERS, part.metadata))), this.#key.verifyKey);
    }
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
