// Refusals on their way into the log: each once, so that whoever is refused again and again does not fill it.
// Appending is log.ts'.
import { ZoppError } from "../../crds/errors.js";
import { baselineStatement, environmentStatement, workspaceStatement } from "../../crds/statement.js";
import type { BaselineSpec, EnvironmentSpec, WorkspaceSpec } from "../../crds/types.gen.js";
import type { Log } from "../kube/observe.js";
import type { KubeObject } from "../kube/resources.js";
import { KeyedRates, Rate } from "./limits.js";
import type { AuditLog } from "./log.js";
import type { Kind } from "./policy.types.js";
import type { Fact } from "./records.js";

/** Refusals that were recorded are remembered up to this many; then some are recorded twice. */
const MAX_REMEMBERED = 10_000;
const HOUR_MS = 3_600_000;
/** How much of the log one caller may fill with refusals: so many at once, and then one in ten seconds. */
const PATIENCE = { perSecond: 0.1, atOnce: 100 } as const;
/** `namespace/name` of a bundle, the longest name that anything has; what a caller sends may be longer. */
const MAX_NAME = 63 + 1 + 253;

/** The way into the log. */
type Queue = Pick<AuditLog, "note" | "flush">;

/** What was refused since this keyring started. */
export class Refusals {
  readonly #seen = new Set<string>();
  readonly #patience = new KeyedRates(() => new Rate(PATIENCE.perSecond, undefined, PATIENCE.atOnce), MAX_REMEMBERED);
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Throws Overloaded for a caller of whose requests too many new ones were refused: it is not judged again until later. */
  admit(caller: string): void {
    if (!this.#patience.of(caller).used) return;
    throw new ZoppError("Overloaded", `too many requests of ${caller} were refused: wait a minute, and look at why`);
  }

  /** Records a refusal at a caller's cost, once per action, actor, object, recipient, digest, policy and reason. */
  note(audit: Queue, told: Fact, caller = told.actor): void {
    const fact = { ...told, object: told.object?.slice(0, MAX_NAME), to: told.to?.slice(0, MAX_NAME) };
    const { action, actor, object, to, digest, policy, reason } = fact;
    if (this.#once(audit, fact, [action, actor, object, to, digest, policy, reason])) this.#patience.of(caller).take();
  }

  /** Records the refusal of somebody unknown, who can take a new key for each try: once an hour and cause, whoever it was. */
  noteStranger(audit: Queue, fact: Fact, why: string): void {
    this.#once(audit, fact, [fact.action, why, Math.floor(Date.now() / HOUR_MS)]);
  }

  /**
   * False for one that is on record already, or cannot be queued for it: that is tried when it comes again. What could not be
   * recorded was not refused, and is tried again too.
   */
  #once(audit: Queue, fact: Fact, what: readonly unknown[]): boolean {
    if (fact.reason === "AuditUnavailable") return false;
    const name = JSON.stringify(what);
    if (this.#seen.has(name)) return false;
    try {
      audit.note(fact);
    } catch (err) {
      this.#log.warn({ err }, "a refusal is not recorded");
      return false;
    }
    if (this.#seen.size >= MAX_REMEMBERED) this.#seen.clear();
    this.#seen.add(name);
    audit.flush().catch((err: unknown) => this.#log.warn({ err }, "a refusal is not recorded yet"));
    return true;
  }
}

const HASHES: { readonly [K in Kind]: (name: string, spec: never) => string } = {
  workspaces: (name, spec: WorkspaceSpec) => workspaceStatement(name, spec).hash,
  environments: (_, spec: EnvironmentSpec) => environmentStatement(spec).hash,
  baselines: (_, spec: BaselineSpec) => baselineStatement(spec).hash,
};

/** What a refused object of policy is called: nothing of it was verified, and it may not even have a digest. */
export function namesOf(kind: Kind, object: KubeObject): Pick<Fact, "object" | "version" | "digest"> {
  const { name } = object.metadata;
  const { spec } = object as { spec?: { readonly version?: unknown } };
  const version = Number.isSafeInteger(spec?.version) ? Number(spec?.version) : undefined;
  try {
    return { object: name, version, digest: HASHES[kind](name, spec as never) };
  } catch {
    return { object: name, version };
  }
}
