// A log's upkeep after each stored segment: snapshots of the ledger now and then, segments folded, old ones dropped.
// How each is done is store.ts' and archive.ts'; that it never stops the keyring is this one's.
import type { Log } from "../kube/observe.js";
import type { Archive } from "./archive.js";
import type { AuditLog } from "./log.js";
import type { Remembered } from "./replay.js";
import type { Store } from "./store.js";

/**
 * A snapshot is written when so many records are not in one, and no fewer than it holds places: it is written whole, so that
 * its cost stays a share of the log's, however many places there are.
 */
const SNAPSHOT_RECORDS = 256;
/** After a failure this long nothing is tried: what is refused now is refused for the next record too. */
const REST_MS = 60_000;

/** What is kept in order. */
export interface UpkeepOptions {
  readonly store: Store;
  readonly archive: Archive;
  readonly audit: AuditLog;
  readonly memory: Pick<Remembered, "ledger" | "folded">;
  readonly log: Log;
}

/** The upkeep of one log; one round at a time. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  #folded: number;
  #round: Promise<void> | null = null;
  #notBefore = 0;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#folded = options.memory.folded;
  }

  /** Does what is due; never throws. A round that is under way is the round. */
  run(): Promise<void> {
    this.#round ??= this.#guarded().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  async #guarded(): Promise<void> {
    if (performance.now() < this.#notBefore) return;
    try {
      await this.#options.archive.fold();
      await this.#snapshot();
    } catch (err) {
      this.#notBefore = performance.now() + REST_MS;
      this.#options.log.warn({ err }, "cannot put the audit log in order; it is complete, and grows meanwhile");
    }
  }

  /**
   * The ledger runs ahead of the log while records wait: a snapshot must not hold what never became durable. Segments are
   * dropped only when all that was accepted in them is in the snapshot, and where the log now begins is stored.
   */
  async #snapshot(): Promise<void> {
    const { store, archive, audit, memory } = this.#options;
    const { ledger } = memory;
    const { end } = audit;
    const isDue = end.size - this.#folded >= Math.max(SNAPSHOT_RECORDS, ledger.size);
    if (!audit.quiet || !(isDue || archive.isFull)) return;
    const policies = ledger.storedPolicies();
    await store.fold(ledger, end);
    this.#folded = end.size;
    const cut = archive.cut();
    if (cut === null || cut.size > end.size) return;
    await store.behead({ ...cut, ...policies }, end);
    await archive.drop(cut.size);
  }
}
