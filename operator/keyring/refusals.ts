// Refusals on their way into the log: each once, so that whoever is refused again and again does not fill it.
// Appending is log.ts'.
import { baselineStatement, environmentStatement, workspaceStatement } from "../../crds/statement.js";
import type { BaselineSpec, EnvironmentSpec, WorkspaceSpec } from "../../crds/types.gen.js";
import type { Log } from "../kube/observe.js";
import type { KubeObject } from "../kube/resources.js";
import type { AuditLog } from "./log.js";
import type { Kind } from "./policy.types.js";
import type { Fact } from "./records.js";

/** Refusals that were recorded are remembered up to this many; then some are recorded twice. */
const MAX_REMEMBERED = 10_000;
const HOUR_MS = 3_600_000;

/** What was refused since this keyring started. */
export class Refusals {
  readonly #seen = new Set<string>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Records a refusal, once per action, actor, object, recipient, digest, policy and reason. */
  note(audit: AuditLog, fact: Fact): void {
    const { action, actor, object, to, digest, policy, reason } = fact;
    this.#once(audit, fact, [action, actor, object, to, digest, policy, reason]);
  }

  /** Records the refusal of somebody unknown, who can take a new key for each try: once an hour and cause, whoever it was. */
  noteStranger(audit: AuditLog, fact: Fact, why: string): void {
    this.#once(audit, fact, [fact.action, why, Math.floor(Date.now() / HOUR_MS)]);
  }

  #once(audit: AuditLog, fact: Fact, what: readonly unknown[]): void {
    const name = JSON.stringify(what);
    if (this.#seen.has(name)) return;
    if (this.#seen.size >= MAX_REMEMBERED) this.#seen.clear();
    this.#seen.add(name);
    audit.append([fact]).catch((err: unknown) => this.#log.warn({ err }, "a refusal is not recorded yet"));
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
