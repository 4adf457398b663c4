// Records of a keyring's log as a reader sees them: one JSON line each, what they belong to, and which are asked for.
// What a keyring writes into them is the keyring's business; a reader takes fields of later versions as they are.
import { ZoppError } from "../errors.js";

/** A record that was read. */
export interface LoggedRecord {
  readonly index: number;
  readonly time: string;
  readonly action: string;
  readonly decision: string;
  readonly actor: string;
  /** proved: whoever asked proved who he is, for himself. delegated: the operator asked, to reconcile. */
  readonly evidence?: string;
  readonly object?: string;
  readonly environment?: string;
  readonly version?: number;
  readonly digest?: string;
  readonly keys?: readonly string[];
  /** Versions of the keys: those that were new to the keyring, and the others. */
  readonly entries?: Readonly<Record<string, { readonly version: number }>>;
  readonly versions?: Readonly<Record<string, number>>;
  readonly reason?: string;
  /** What a person was given that does not run: earlier, waiting. */
  readonly content?: string;
  readonly pod?: string;
  readonly request?: string;
}

/** The record of a line. Throws LogChanged where it is none. */
export function parseRecord(line: string): LoggedRecord {
  try {
    const record = JSON.parse(line) as LoggedRecord;
    if (Number.isSafeInteger(record.index) && typeof record.action === "string" && typeof record.actor === "string")
      return record;
  } catch {
    // said below
  }
  throw new ZoppError("LogChanged", "a line of the log is no record");
}

/** What a record belongs to: an environment (`workspace/project/environment`), a workspace, or the keyring itself. */
export function scopeOf({ action, environment, object }: LoggedRecord): {
  readonly workspace?: string;
  readonly path?: string;
} {
  // the object of a join is an invite: workspace/name
  if (action === "join" && object !== undefined) return { workspace: object.replace(/\/.*$/, "") };
  // names of environments have two dots, places of bundles a slash, and names of workspaces neither
  const path =
    environment ?? (object?.includes(".") && !object.includes("/") ? object.replaceAll(".", "/") : undefined);
  const workspace = path?.split("/")[0] ?? (object?.includes("/") ? undefined : object);
  return { ...(path === undefined ? {} : { path }), ...(workspace === undefined ? {} : { workspace }) };
}

/** Which records are asked for; what is absent or empty asks for all. */
export interface RecordFilter {
  /** The principal, `principal/device`, or the whole name of an account. */
  readonly principal?: string | undefined;
  /** namespace/name of a bundle, or its name. */
  readonly secret?: string | undefined;
  /** The full path, `project/environment`, or the environment. */
  readonly environment?: string | undefined;
  readonly action?: string | undefined;
  readonly decision?: string | undefined;
  /** RFC 3339; records from then on, and before then. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** Whether a record is asked for. */
export function isAskedFor(record: LoggedRecord, filter: RecordFilter): boolean {
  const { principal, secret, environment, action, decision, since, until } = filter;
  const { path } = scopeOf(record);
  return (
    endsLike(principal, record.actor, (actor, wanted) => actor.startsWith(`${wanted}/`)) &&
    endsLike(secret, record.object?.includes("/") ? record.object : undefined, isTail) &&
    endsLike(environment, path, isTail) &&
    (!action || record.action === action) &&
    (!decision || record.decision === decision) &&
    (!since || Date.parse(record.time) >= Date.parse(since)) &&
    (!until || Date.parse(record.time) < Date.parse(until))
  );
}

function isTail(whole: string, wanted: string): boolean {
  return whole.endsWith(`/${wanted}`);
}

function endsLike(
  wanted: string | undefined,
  is: string | undefined,
  isPart: (whole: string, wanted: string) => boolean,
): boolean {
  return !wanted || (is !== undefined && (is === wanted || isPart(is, wanted)));
}
