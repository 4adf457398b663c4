// What a keyring works with once its memory was read: log, archive, upkeep, export and policy, put together.
// Also how it takes in what other replicas have recorded. The calls that use all this are keyring.ts'.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, ZoppError } from "../../crds/errors.js";
import { versionAt } from "../../crds/policy/versions.js";
import { type BackoffLimits, backoffMs } from "../kube/backoff.js";
import type { Log } from "../kube/observe.js";
import { Archive } from "./archive.js";
import { Export } from "./export.js";
import type { KeyringOptions } from "./keyring.types.js";
import { AuditLog } from "./log.js";
import type { LogEnd, Sharing } from "./log.types.js";
import { PolicyBook } from "./policy.js";
import type { AuditRecord, Fact } from "./records.js";
import type { Remembered } from "./replay.js";
import type { SoleWriter } from "./sole.js";
import type { Store } from "./store.js";
import { Upkeep } from "./upkeep.js";

const NO_ANSWER: ReadonlySet<ErrorCode> = new Set(["ApiUnreachable", "Overloaded"]);
const RETRY: BackoffLimits = { firstMs: 250, capMs: 5_000 };

/** What there is once the memory was read. */
export interface Running {
  readonly log: AuditLog;
  readonly archive: Archive;
  readonly upkeep: Upkeep;
  readonly exported: Export;
  readonly book: PolicyBook;
  readonly memory: Remembered;
}

/** What it is put together with. */
export interface RunningOptions extends KeyringOptions {
  readonly store: Store;
  readonly sole: SoleWriter;
  /** Notes a refusal in the log, once. */
  refuse(log: AuditLog, fact: Fact): void;
  /** Has the policy in the API judged again. */
  review(): void;
}

/**
 * Reads the log of this key back; where there is none, one begins with this fact, and `isNew` says so. Waits for an API server that
 * does not answer: a container that ends for it is started again later and later. `sole` claims that nobody else writes it. Throws LogBroken,
 * Api*.
 */
export async function remember(
  store: Store,
  log: Log,
  startOf: (id: string) => Fact,
  sole?: SoleWriter,
): Promise<{ readonly memory: Remembered; readonly isNew: boolean }> {
  const id = `${versionAt(new Date())}-${randomBytes(8).toString("hex")}`;
  for (let failures = 1; ; ) {
    try {
      // first: who claims it later has read what was written until then
      await sole?.claim();
      const memory = await store.load(() => id);
      if (!memory.fresh) return { memory, isNew: memory.end.log === id };
      await store.begin(id, startOf(id));
    } catch (err) {
      if (!(err instanceof ZoppError && NO_ANSWER.has(err.code))) throw err;
      log.warn({ err }, "cannot read the log yet; trying again");
      await sleep(backoffMs(failures++, RETRY));
    }
  }
}

/** Puts a keyring together on what it remembers. Throws LogBroken. */
export function run(memory: Remembered, options: RunningOptions): Running {
  const { client, namespace, identity, log, metrics, tracing, auditKeep: keep, store, sole } = options;
  const policies = new Map(memory.policies);
  metrics.logSize(memory.end.size);
  const archive = new Archive({ client, namespace, key: identity.signing, memory, keep });
  const exported = new Export(process.stdout, () => archive.checkpoint());
  const known = (lines: readonly string[], end: LogEnd) => {
    archive.stored(lines, end);
    exported.lines(lines);
    metrics.logSize(end.size);
  };
  const sharing: Sharing = {
    next: (end) => store.next(end, policies),
    onTaken: ({ lines, end }) =>
      wholly(() => {
        memory.ledger.takeBack();
        const records = lines.map((line) => JSON.parse(line) as AuditRecord);
        for (const record of records) memory.ledger.apply(record);
        known(lines, end);
        if (!records.some(({ action }) => action === "pin" || action.startsWith("accept-"))) return;
        book.restore();
        options.review();
      }),
  };
  const audit = new AuditLog({
    client,
    namespace,
    key: identity.signing,
    end: memory.end,
    log,
    tracing,
    onAppend: (record) => memory.ledger.anticipate(record),
    onStored: (lines, end) => {
      memory.ledger.settle(end.size);
      known(lines, end);
      void upkeep.run();
    },
    // the name of a segment that was deleted locks nothing: where any may be, the log has one writer
    ...(keep === 0 ? { sharing } : { sole }),
  });
  const upkeep = new Upkeep({ store, archive, audit, memory, log });
  const book = openBook({ ...memory, policies }, audit, options);
  return { log: audit, archive, upkeep, exported, book, memory };
}

/**
 * A replica has the same keys and rules, so that nothing of this can fail. If it does, the ledger is no log's and nothing may
 * be decided by it: only a start can tell why.
 */
function wholly(take: () => void): void {
  try {
    take();
  } catch (cause) {
    throw new ZoppError("LogForked", "what a replica recorded cannot be taken in here", { cause });
  }
}

function openBook(
  memory: Remembered & { readonly policies: Map<string, unknown> },
  log: AuditLog,
  { identity, trust, namespace, store, refuse, review }: RunningOptions,
): PolicyBook {
  return new PolicyBook({
    identity,
    trust,
    ledger: memory.ledger,
    remembered: memory.policies,
    reservedNamespaces: ["kube-system", namespace],
    log: memory.end.log,
    now: () => new Date(),
    accept: async (object, digest, facts) => {
      const { turn } = log;
      try {
        await store.keepPolicy(log.end, digest, object);
        // also when the record is late: it may be stored all the same
        memory.policies.set(digest, object);
        await log.append(facts, turn);
      } catch (error) {
        if (turn.isOver) review();
        throw error;
      }
    },
    refuse: (fact) => refuse(log, fact),
  });
}
