// `zopp status --watch`: the state of bundles in a cluster, said again whenever it changes, until it is interrupted.
// What the state is, is status.ts'; here is when it is looked at, and what of it is news.
import { setTimeout as sleep } from "node:timers/promises";
import { ERRORS, isErrorCode, ZoppError } from "../crds/errors.js";
import { CERTIFICATE_PENDING, RESTART_PENDING, ROTATION_PENDING } from "../operator/kube/conditions.js";
import { Informer } from "../operator/kube/informer.js";
import { type Log, silentLog } from "../operator/kube/observe.js";
import { contextClient } from "./keyring-call.js";
import { jsonText, printable, type Result } from "./output.js";
import type { Session } from "./session.js";
import { foundIn, RESOURCES } from "./store/cluster.js";
import type { Contents, Kind, Store } from "./store/store.js";

/** Changes of one moment are looked at together. */
const TOGETHER_MS = 200;
const CLEAR = "\u001b[H\u001b[2J";

/** The state of bundles, as `zopp status` gives it. */
export interface Status extends Result {
  readonly data: { readonly bundles: readonly BundleStatus[]; readonly problems: readonly object[] };
}

/** One bundle of it, as far as this file reads it. */
export interface BundleStatus {
  readonly bundle: string;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

/** Where what is watched lies; `namespace`: of bundles, those of this one alone. */
export interface Watched {
  readonly store: Store;
  readonly namespace: string | undefined;
}

/** Says the state now and after every change, until the process ends. Throws Usage, why the cluster cannot be read, and as `look`. */
export async function watchStatus(
  session: Session,
  { store, namespace }: Watched,
  look: (contents: Contents) => Status,
): Promise<never> {
  const { context, options } = session;
  const asLines = options.output === "json";
  if (store.kind !== "cluster")
    throw new ZoppError("Usage", "--watch is for a cluster: --store cluster, or --context NAME");
  if (!asLines && (options.output ?? "human") !== "human")
    throw new ZoppError("Usage", "--watch shows text, or lines of JSON with -o json");
  // whoever may not read hears it at once, and why
  await store.contents(namespace);
  let before: Status | undefined;
  return follow(session, { store, namespace }, (contents) => {
    const now = look(contents);
    const isTerminal = context.stdout.isTTY === true && !asLines;
    const lines = asLines ? jsonNews(before, now) : isTerminal ? inWords(now) : textNews(before, now);
    const text = lines.map((line) => `${printable(line)}\n`).join("");
    before = now;
    if (text !== "") context.stdout.write(isTerminal ? CLEAR + text : text);
  });
}

/** Calls back with everything once it was listed, and after every change, until that throws; throws what it throws. */
async function follow(
  session: Session,
  { store, namespace }: Watched,
  changed: (contents: Contents) => void,
): Promise<never> {
  const client = await contextClient(session);
  const log: Log = {
    ...silentLog,
    warn: (_, message) => session.context.stderr.write(`note: ${message}; trying again\n`),
  };
  const kinds = Object.keys(RESOURCES) as Kind[];
  const informers = kinds.map((kind) => {
    const resource = RESOURCES[kind];
    const namespaces = resource.namespaced && namespace !== undefined ? [namespace] : undefined;
    return { kind, informer: new Informer({ client, resource, namespaces, log }) };
  });
  let isDue = false;
  const look = (): void => {
    isDue = false;
    const objects = informers.flatMap(({ kind, informer }) =>
      [...informer.list()].map((object) => foundIn(kind, object, store.title)),
    );
    changed({ objects, problems: [] });
  };
  const failed = Promise.withResolvers<never>();
  const soon = (): void => {
    if (isDue) return;
    isDue = true;
    sleep(TOGETHER_MS).then(look).catch(failed.reject);
  };
  try {
    for (const { informer } of informers) informer.start();
    await Promise.all(informers.map(({ informer }) => informer.synced()));
    look();
    for (const { informer } of informers) informer.onChange((_old, _now, initial) => initial || soon());
    return await failed.promise;
  } finally {
    await Promise.all(informers.map(({ informer }) => informer.stop()));
    await client.close();
  }
}

/** A line of JSON for each bundle and problem that is new or not as it was, and for each bundle that is gone. */
export function jsonNews(before: Status | undefined, now: Status): readonly string[] {
  const linesOf = ({ data }: Status) => [
    ...data.bundles.map((each) => jsonText(each)),
    ...data.problems.map((problem) => jsonText({ problem })),
  ];
  const known = new Set(before === undefined ? [] : linesOf(before));
  const present = new Set(now.data.bundles.map(({ bundle }) => bundle));
  const gone = (before?.data.bundles ?? []).filter(({ bundle }) => !present.has(bundle));
  return [
    ...linesOf(now).filter((line) => !known.has(line)),
    ...gone.map(({ bundle }) => jsonText({ bundle, gone: true })),
  ];
}

/** The lines that were not there before: where nothing can be drawn over. */
export function textNews(before: Status | undefined, now: Status): readonly string[] {
  const known = new Set(before === undefined ? [] : inWords(before));
  return inWords(now).filter((line) => !known.has(line));
}

/** What stands beside Ready=True and waits for somebody. */
const BESIDE_READY = new Set(["Expiring", RESTART_PENDING, ROTATION_PENDING, CERTIFICATE_PENDING]);

interface Said {
  readonly code: string;
  readonly message: string;
}

/** What is wrong, and below it what to do, which the message of a condition brings along. */
function linesOf(bundle: string, { code, message }: Said): readonly string[] {
  const [what, next = isErrorCode(code) ? ERRORS[code].next : undefined] = message.split("; next: ", 2);
  return [`${bundle}: ${code}: ${what}`, ...(next === undefined ? [] : [`  next: ${next}`])];
}

/** The table, and below it what is wrong, or waited for, and what to do, of each bundle of which there is anything to say. */
export function inWords({ human, notes = [], data }: Status): readonly string[] {
  const wrong = data.bundles.flatMap(({ bundle, problems, conditions }) => {
    const said = conditions.filter(({ type, status }) =>
      type === "Ready" ? status !== "True" : status === "True" && BESIDE_READY.has(type),
    );
    const of: readonly Said[] = [
      ...problems.map(({ code, message }) => ({ code, message: `this machine: ${message}` })),
      ...said.map(({ reason, message }) => ({ code: reason, message: `the cluster: ${message}` })),
    ];
    // Ready says for a bundle that was never applied what it waits for, as the condition beside it does
    return [...new Map(of.map((each) => [`${each.code} ${each.message}`, each])).values()].flatMap((each) =>
      linesOf(bundle, each),
    );
  });
  return [...human, ...notes.map((note) => `note: ${note}`), ...wrong];
}
