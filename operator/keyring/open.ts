// Opens bundles: parse, verify against policy and ledger, record, and only then release the entry keys.
// No plaintext is made here: the caller opens the boxes.
import type { BundleCase, Policy } from "../../crds/bundle/case.js";
import { signedPlace } from "../../crds/bundle/statements.js";
import { examineBundle, type Verified } from "../../crds/bundle/verify.js";
import { entryKey } from "../../crds/crypto/entry.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { parseSecret } from "../../crds/validate.js";
import { earlierCase, refuseEarlier, refuseWaiting } from "./earlier.js";
import { acceptedValues, generatedKeys, type HeldValues, heldValues, NOTHING_GENERATED } from "./generated.js";
import type { Caller, Opened, OpenOptions, SentBundle } from "./open.types.js";
import type { PolicyBook } from "./policy.js";
import type { ServedEnvironment } from "./policy.types.js";
import { readableKeys } from "./readers.js";
import type { Fact } from "./records.js";

/** Opens bundles in order; resolves when the records of all releases are durable. Throws AuditUnavailable, LogForked. */
export async function openBundles(
  sent: readonly SentBundle[],
  caller: Caller,
  options: OpenOptions,
): Promise<readonly Opened[]> {
  const opened: Opened[] = [];
  const refused: Fact[] = [];
  try {
    for (const bundle of sent) {
      const { result, fact } = openOne(bundle, caller, options);
      opened.push(result);
      // appended before anything else is verified, so that the next bundle sees it in the ledger
      if (result.ok) options.note(fact);
      else refused.push(fact);
      // other calls and probes get their turn between bundles
      await new Promise((resolve) => setImmediate(resolve));
    }
    // a release finds out by being recorded, which a refusal does not wait for
    if (refused.length > 0) await options.upToDate();
    for (const fact of refused) options.refuse(fact);
    // one write for all of them; nothing leaves before it is durable
    if (opened.some(({ ok }) => ok)) await options.durable();
    return opened;
  } catch (error) {
    forgetKeys(opened);
    throw error;
  }
}

/** Zeroes what was opened and goes to nobody. */
export function forgetKeys(opened: readonly Opened[]): void {
  for (const result of opened) if (result.ok) for (const key of result.keys.values()) key.fill(0);
}

function openOne(bundle: SentBundle, caller: Caller, options: OpenOptions): { result: Opened; fact: Fact } {
  const place = `${bundle.namespace}/${bundle.name}`;
  const { request, reader: readerIn } = caller;
  let policy: readonly string[] = [];
  let [digest, environment]: (string | undefined)[] = [];
  let { actor } = caller;
  const told = () => ({
    action: readerIn === undefined ? ("open" as const) : ("read" as const),
    evidence: readerIn === undefined ? ("delegated" as const) : ("proved" as const),
    actor,
    request,
    object: place,
    digest,
    policy,
    environment,
  });
  try {
    const secret = parseSent(bundle);
    environment = secret.spec.environment;
    const served = options.book.policyFor(secret.spec.environment);
    policy = policyOf(served);
    const reader = readerIn?.(served);
    actor = reader?.actor ?? actor;
    if (readerIn !== undefined && reader === undefined)
      throw new ZoppError("NotAuthorised", `${actor} is nobody whom workspace ${served.workspace.name} names here`);
    // before the content is looked at: who may not read it learns nothing of it
    const only = reader && readableKeys(secret, served, reader, bundle.keys, options.now());
    if (bundle.earlier === true) refuseEarlier(secret, served, reader, options.now());
    const given = caseOf(secret, served, options);
    const verified = examineBundle(bundle.earlier === true ? earlierCase(given) : given);
    digest = verified.digest;
    const [problem] = verified.problems;
    // who may read may look at what he is asked to approve; it changes nothing that runs
    const waits = reader?.isPerson === true && problem?.code === "PendingApproval" ? problem : undefined;
    if (problem !== waits) throw problem;
    if (bundle.earlier === true) refuseWaiting(secret, verified);
    const wanted = only ?? wantedOf(bundle);
    const generated =
      bundle.earlier === true ? NOTHING_GENERATED : heldValues(secret, served, reader === undefined, options);
    const keys = new Map([
      ...releasedKeys(secret, verified.sealed, served, wanted),
      ...generatedKeys(secret, generated, served, wanted),
    ]);
    const warnings = waits === undefined ? verified.warnings : [...verified.warnings, waits];
    const fact: Fact = {
      ...told(),
      decision: "released",
      keys: [...keys.keys()],
      versions: versionsOf(secret, keys, reader === undefined ? verified.acceptedEntries : new Map(), generated),
      content: bundle.earlier === true ? "earlier" : waits && "waiting",
      // what a person reads is accepted by nobody
      ...(reader === undefined ? { ...acceptance(verified), generated: acceptedValues(generated) } : {}),
    };
    return { result: { ok: true, digest, keys, policy, warnings }, fact };
  } catch (thrown) {
    const error = asZoppError(thrown, "opening the bundle");
    return { result: { ok: false, error, policy }, fact: { ...told(), decision: "refused", reason: error.code } };
  }
}

/** Digests of what decides. */
export function policyOf({ workspace, environment, baseline }: ServedEnvironment): readonly string[] {
  return [workspace, environment, baseline].flatMap((each) => (each === undefined ? [] : [each.digest]));
}

function wantedOf({ keys }: SentBundle): ReadonlySet<string> | undefined {
  return keys.length === 0 ? undefined : new Set(keys);
}

/** Parsed once: the object that is verified is the one whose entries are opened. */
export function parseSent({ namespace, name, spec, generated }: SentBundle): ZoppSecret {
  const what = `bundle ${namespace}/${name}`;
  const isGiven = generated !== undefined && generated.length > 0;
  return parseSecret({
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: { namespace, name },
    spec: parseJson(spec, `${what}: spec`),
    ...(isGiven ? { status: { generated: parseJson(generated, `${what}: status.generated`) } } : {}),
  });
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new ZoppError("Malformed", `${what} is not JSON`);
  }
  // members that stand twice would leave open which one the caller uses
  if (JSON.stringify(parsed) !== text) throw new ZoppError("Malformed", `${what} is not canonical JSON`);
  return parsed;
}

/** What a bundle is verified against now. */
export function caseOf(
  secret: ZoppSecret,
  served: ServedEnvironment,
  { book, ledger, now }: Pick<OpenOptions, "book" | "ledger" | "now">,
): BundleCase {
  const { namespace, name } = secret.metadata;
  const known = ledger.place(`${namespace}/${name}`);
  const moved = known !== undefined && known.environment !== secret.spec.environment;
  return {
    secret,
    workspace: served.workspace,
    environment: served.environment,
    ledger: known,
    previous: moved ? previousPolicy(book, known.environment) : undefined,
    now: now(),
    // a cluster that policy does not name has no name of its own
    cluster: served.cluster?.name ?? "",
    acceptsNew: book.acceptsNew(served),
    baseline: served.baseline,
    otherPlaces: ledger.places(secret.spec.environment),
  };
}

function previousPolicy(book: PolicyBook, path: string): Policy | undefined {
  return book.environment(path.replaceAll("/", "."));
}

/** The keys of exactly the entries that were verified, or of some of them. */
function releasedKeys(
  secret: ZoppSecret,
  sealed: Verified["sealed"],
  served: ServedEnvironment,
  only: ReadonlySet<string> | undefined,
): ReadonlyMap<string, Uint8Array> {
  const keys = new Map<string, Uint8Array>();
  try {
    for (const [key, entry] of Object.entries(secret.spec.data ?? {})) {
      const bytes = sealed.get(key);
      if (bytes === undefined || entry.to === undefined || only?.has(key) === false) continue;
      keys.set(key, keyOf(secret, { key, version: entry.version, to: entry.to }, bytes, served));
    }
    return keys;
  } catch (error) {
    for (const key of keys.values()) key.fill(0);
    throw error;
  }
}

function keyOf(
  secret: ZoppSecret,
  { key, version, to }: { readonly key: string; readonly version: number; readonly to: string },
  sealed: Uint8Array,
  served: ServedEnvironment,
): Uint8Array {
  const { workspace, project, environment } = served.environment.object.spec;
  const epoch = served.environment.epochs.get(to);
  const opens = served.keys.get(to);
  if (epoch === undefined || opens === undefined) {
    throw new ZoppError("CannotOpen", `spec.data.${key}.to: that environment key is not wrapped to this cluster`);
  }
  const { namespace, name } = signedPlace(secret, epoch.facts.binding);
  const context = { workspace, project, environment, epoch: epoch.facts.epoch, namespace, name, key, version };
  return entryKey(opens, context, sealed);
}

/** The versions of released entries, of those that the record does not name as new: who read what can be asked years later. */
function versionsOf(
  { spec }: ZoppSecret,
  keys: ReadonlyMap<string, Uint8Array>,
  accepted: Verified["acceptedEntries"],
  generated: HeldValues,
): Fact["versions"] {
  const entries = Object.entries(spec.data ?? {}).filter(([key]) => !accepted.has(key));
  const made = [...generated].map(([key, { value }]) => [key, value] as const);
  const known = [...entries, ...made].filter(([key]) => keys.has(key));
  return known.length === 0 ? undefined : Object.fromEntries(known.map(([key, { version }]) => [key, version]));
}

/** What of a verified bundle is new to the ledger: the record of the opening is the ledger's line. */
function acceptance({ acceptedHeader, acceptedEntries }: Verified): Pick<Fact, "header" | "entries"> {
  return {
    header: acceptedHeader,
    ...(acceptedEntries.size === 0 ? {} : { entries: Object.fromEntries(acceptedEntries) }),
  };
}
