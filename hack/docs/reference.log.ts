// Owns the reference of the log: what each field of its lines is. That no other field is logged, the compiler sees of what
// our code names (LogFields), and e2e/log.fields.slow.ts of what running processes write.
import type { LogFields } from "../../operator/kube/observe.js";
import { code, table } from "./table.js";

/** What every line has. */
const ALWAYS = {
  level: "`debug`, `info`, `warn` or `error`; `--log-level` says which is the least",
  time: "when, in UTC",
  name: "`operator` or `keyring`",
  msg: "what happened, in words; the same words for the same thing",
} as const;

/** What a line may have. */
const FIELDS: Readonly<Record<keyof LogFields, string>> = {
  err: "what went wrong, see below",
  next: "what to do about it",
  version: "the version of zopp",
  instance: "the pod's name",
  namespaces: "the namespaces that are served, `*` for all",
  port: "where the keyring answers calls",
  healthPort: "where probes are answered",
  metricsPort: "where metrics are",
  signal: "which signal ends the process",
  lease: "the Lease by which operators or keyrings elect, as namespace/name",
  leader: "who holds it: the pod's name, `_`, and what no other process is called; empty: nobody",
  controller: "which controller: a kind in small letters, `history` or `restart`",
  object: "the object that is worked on, as namespace/name",
  waitMs: "when it is tried again, in milliseconds",
  failures: "how often it has failed in a row",
  resource: "the kind that is followed, in plural",
  namespace: "where it is followed; absent: everywhere",
  phase: "`list` or `watch`",
  status: "the HTTP status of what was answered there; 0: nothing was",
  error: "the name of an unexpected error",
  reason: "of an API server's answer, or of an Event that could not be said",
  ready: "whether the keyring that answers again has policy",
  seconds: "for how long the operator is enrolled",
  kid: "the id of the keyring's key",
  log: "the id of the keyring's log",
  records: "how many records it has",
  fresh: "whether it began just now",
  fingerprint: "of the keyring's keys: `zopp cluster add` shows the same",
  segment: "the name of an audit segment",
};

/** What `err` holds. */
const ERROR = {
  code: "the [reason](../troubleshooting.md), or the code of an error of the system",
  message: "in words; of zopp's own errors only",
  cause: "what it came from: another error, or of an API server's answer its `status` and `reason`",
  status: "the HTTP status of an API server's answer",
  reason: "the reason of an API server's answer",
  name: "what kind an unexpected error is",
  stack: "where it happened; empty for zopp's own",
  type: "`Object`, of the library that writes the log",
} as const;

/** What the keyring writes beside: no `level` is in these lines. */
const EXPORT = {
  audit: "a record of [the audit log](../audit.md), as it is hashed",
  checkpoint: "the signed state of that log",
} as const;

/** The page `docs/reference/log.md`, without its head. */
export function logReference(): string {
  const rows = (fields: Readonly<Record<string, string>>) =>
    table(
      ["field", "what it is"],
      Object.entries(fields).map(([name, what]) => [code(name), what]),
    ).trim();
  return [
    "## In every line",
    rows(ALWAYS),
    "## Where it applies",
    rows(FIELDS),
    "## In `err`",
    rows(ERROR),
    "## Lines of the audit log",
    "The keyring's standard output holds its audit log too, for whoever collects it. These lines have no `level`, and one of two fields:",
    rows(EXPORT),
    "",
  ].join("\n\n");
}
