// Decides about restarts: whether a change of a Secret calls for one, which workloads it concerns, and what each of them
// gets: a new mark on its pods' template, a wait, or nothing. Pure; reading and patching is restart.ts'.
import { createHash } from "node:crypto";
import { canonicalFields } from "../../crds/crypto/jcs.js";
import type { ZoppError } from "../../crds/errors.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import { condition, RESTART_PENDING, type Wanted } from "../kube/conditions.js";
import { isApplied, type Outcome } from "./secret.status.js";
import type { Workload } from "./workload.js";

/** What a bundle's status keeps of restarts. */
export type Restarts = NonNullable<SecretStatus["restarts"]>;

/** What is known of a bundle when its status is made. */
export interface RestartSituation {
  /** What its data and templates are now: {@link contentDigest}; undefined unless its header says `restart: auto`. */
  readonly content: string | undefined;
  readonly previous: SecretStatus | undefined;
  readonly outcome: Outcome;
  /** The name of the Secret that the bundle asks for. */
  readonly secret: string;
  /** The digest for which every workload is done. */
  readonly done: string | undefined;
}

/**
 * What the status says next. A restart is due when other content was applied and the Secret is not as the last status
 * knew it: so a first appearance, the same values sealed again, labels and repairs call for none, and a crash between
 * writing the Secret and writing the status loses none.
 */
export function nextRestarts({ content, previous, outcome, secret, done }: RestartSituation): Restarts | undefined {
  const before = previous?.restarts;
  // what is not applied says nothing of the Secret that stays
  if (!isApplied(previous, outcome)) return before && restartsOf(before.content, before.due, done);
  if (content === undefined) return undefined;
  const last = previous?.target;
  if (before === undefined || last?.name !== secret) return { content };
  // one that was deleted and made again is another version too: pods go on with what the one before held
  const written = outcome.kind === "synced" ? outcome.target : last;
  const isWritten = written.uid !== last.uid || written.resourceVersion !== last.resourceVersion;
  return restartsOf(content, isWritten && before.content !== content ? content : before.due, done);
}

function restartsOf(content: string, due: string | undefined, done: string | undefined): Restarts {
  return due === undefined || due === done ? { content } : { content, due };
}

/**
 * A digest of what a bundle makes a Secret's data of: its signed entries and its templates. It is made of public bytes
 * alone, since it stands where whoever sees a workload can read it: one of the values would be guessed. `values`: the digest
 * of those that the keyring made.
 */
export function contentDigest(
  spec: ZoppSecret["spec"],
  entries: ReadonlyMap<string, { readonly hash: string }>,
  values?: string,
): string {
  const hashes = Object.fromEntries([...entries].map(([key, { hash }]) => [key, hash]));
  const text = canonicalFields({ entries: hashes, render: spec.render ?? {}, values });
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** Digests by the name of the Secret that changed, in one namespace. */
export type Due = ReadonlyMap<string, string>;

/** What becomes of one workload in one round. */
export interface Decision {
  readonly workload: Workload;
  /** The Secrets for which it is concerned. */
  readonly secrets: readonly string[];
  readonly step:
    | { readonly do: "restart"; readonly mark: string }
    | { readonly do: "wait" | "skip"; readonly why: string }
    | { readonly do: "refused"; readonly why: string; readonly next: string };
}

/** Decides about each workload that uses a changed Secret and was not restarted for it. At most `allowed` are restarted now. */
export function planRestarts(workloads: readonly Workload[], due: Due, allowed: number): Decision[] {
  let left = allowed;
  return workloads.flatMap((workload) => {
    const known = readMark(workload.mark);
    const secrets = workload.secrets.filter((name) => due.has(name) && known.get(name) !== due.get(name));
    if (secrets.length === 0) return [];
    const step = stepOf(workload, left > 0 ? markOf(workload, known, due) : undefined);
    if (step.do === "restart") left -= 1;
    return [{ workload, secrets, step }];
  });
}

function stepOf({ idle, trouble }: Workload, mark: string | undefined): Decision["step"] {
  if (idle !== undefined) return { do: "skip", why: idle };
  if (trouble !== undefined) return { do: "wait", why: trouble };
  if (mark === undefined) return { do: "wait", why: "many are restarted in this namespace; it comes after them" };
  return { do: "restart", mark };
}

/** `secret=digest,…` for every Secret that it uses and was restarted for: one mark, so that a burst is one restart. */
function markOf({ secrets }: Workload, known: ReadonlyMap<string, string>, due: Due): string {
  return secrets
    .map((name) => [name, due.get(name) ?? known.get(name)])
    .filter(([, digest]) => digest !== undefined)
    .map((pair) => pair.join("="))
    .join(",");
}

function readMark(mark: string): Map<string, string> {
  return new Map(mark.split(",").map((pair) => pair.split("=") as [string, string]));
}

/** The condition for what still waits; undefined when nothing does. */
export function pending(secret: string, open: readonly Decision[]): Wanted | undefined {
  const [first] = open;
  if (first === undefined) return undefined;
  const isRefused = open.some(({ step }) => step.do === "refused");
  const said = open
    .slice(0, NAMED)
    .map(({ workload, step }) => `${nameOf(workload)} (${"why" in step ? step.why : ""})`);
  const more = open.length > NAMED ? ` and ${open.length - NAMED} more` : "";
  const next = isRefused ? nextOf(open) : "nothing, if the rollout ends by itself; else mend it";
  const text = `the Secret ${secret} has changed and these are not restarted: ${said.join(", ")}${more}; next: ${next}`;
  return condition(RESTART_PENDING, true, isRefused ? "RestartRefused" : "RolloutUnfinished", text);
}

const NAMED = 5;

/** What to do about those that were refused, each step once. */
export function nextOf(decisions: readonly Decision[]): string {
  const steps = decisions.flatMap(({ step }) => (step.do === "refused" ? [step.next] : []));
  return [...new Set(steps)].join("; ");
}

const OPT_OUT = "or set `zopp.dev/restart: none` on the workload";

/** A workload that changed or went meanwhile is looked at again; what may not be done is said. */
export function notRestarted(error: ZoppError): Decision["step"] {
  if (error.code === "ApiRefused") {
    const next = `give the operator the right to patch it (operator.restarts in the chart's values); if it has that, see which admission webhook refuses it, ${OPT_OUT}`;
    return { do: "refused", why: "the operator may not restart it", next };
  }
  if (error.code === "ApiInvalid") {
    const next = `see which admission policy or webhook is against it, or mend the workload, ${OPT_OUT}`;
    return { do: "refused", why: "the API server does not accept its restart", next };
  }
  return {
    do: "wait",
    why: error.code === "ApiConflict" ? "it changed meanwhile" : "the API server could not be asked",
  };
}

/** `deployment/api`, as kubectl names it. */
export function nameOf({ kind, name }: Pick<Workload, "kind" | "name">): string {
  return name === "" ? kind : `${kind.slice(0, -1)}/${name}`;
}
