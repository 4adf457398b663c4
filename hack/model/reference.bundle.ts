// What the model says of a bundle: every reason to refuse it, and what of it is remembered when there is none.
import type { ErrorCode } from "../../crds/errors.js";
import type { EnvironmentSpec, WorkspaceEnvironment, WorkspaceSpec, ZoppSecret } from "../../crds/types.gen.js";
import { entryClaim, headerClaim, type Place } from "./claims.js";
import { type Known, type KnownPlace, numberOf, type Reasons, type Reference } from "./reference.js";
import { isOver, mayHe } from "./rights.js";

/** What came out of a bundle: reasons against it, or the keys that are released. */
export interface Seen {
  readonly reasons: Reasons;
  readonly released: readonly string[];
  /** What was remarkable about accepting it. */
  readonly how: ReadonlySet<How>;
}

/** Ways in which a bundle may be accepted. */
export type How =
  | "nothing new"
  | "something new"
  | "approved"
  | "goes back"
  | "lacks an entry"
  | "moves"
  | "author gone";

interface Case {
  readonly model: Reference;
  readonly secret: ZoppSecret;
  readonly policy: WorkspaceSpec;
  readonly environment: EnvironmentSpec;
  readonly rule: WorkspaceEnvironment;
  readonly known: KnownPlace | undefined;
  readonly reasons: Reasons;
  readonly how: Set<How>;
}

interface Part {
  readonly key?: string;
  readonly version: number;
  readonly by: string;
  readonly signature: string;
  readonly approvals?: Readonly<Record<string, string>> | undefined;
  readonly claim: string;
  readonly approvalClaim: string;
  readonly before: Known | undefined;
}

const TYPES = ["tls", "dockerconfigjson", "dockercfg", "basic-auth", "ssh-auth"].map((name) => `kubernetes.io/${name}`);

/** Judges a bundle, and remembers it when nothing speaks against it. */
export function seeBundle(model: Reference, secret: ZoppSecret): Seen {
  const { environment: path } = secret.spec;
  const name = path.replaceAll("/", ".");
  const reasons: Reasons = new Set("extra" in secret.spec ? ["Malformed"] : []);
  const nothing = (...codes: ErrorCode[]): Seen => ({
    reasons: new Set([...reasons, ...codes]),
    released: [],
    how: new Set(),
  });
  if (!path.startsWith("acme/")) return nothing("NotPinned");
  if (model.workspace === undefined) return nothing("NoPolicy", ...(model.waiting.get("acme") ?? []));
  const environment = model.environments.get(name)?.spec;
  if (environment === undefined) return nothing("UnknownEnvironment", ...(model.waiting.get(name) ?? []));
  const policy = model.workspace.spec;
  const rule = model.rule(policy, environment);
  if (rule === undefined) return nothing("UnknownEnvironment");
  const known = model.places.get(placeText(secret));
  const given: Case = { model, secret, policy, environment, rule, known, reasons, how: new Set() };
  againstPlace(given);
  const header = againstHeader(given);
  const entries = Object.keys(secret.spec.data ?? {}).map((key) => [key, againstEntry(given, key)] as const);
  againstWhole(given, [header, ...entries.map(([, part]) => part)]);
  if (reasons.size > 0) return { reasons, released: [], how: given.how };
  const remembered = model.places.get(placeText(secret)) ?? { environment: path, header, entries: new Map() };
  model.places.set(placeText(secret), remembered);
  remembered.environment = path;
  remembered.header = header;
  for (const [key, part] of entries) remembered.entries.set(key, part);
  const live = Object.entries(secret.spec.data ?? {}).filter(([, { retired }]) => retired !== true);
  return { reasons, released: live.map(([key]) => key), how: given.how };
}

function placeText({ metadata }: ZoppSecret): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function againstPlace({ model, secret, policy, rule, known, reasons, how }: Case): void {
  const { metadata, spec } = secret;
  const serves = (pattern: string) =>
    pattern.endsWith("*") ? metadata.namespace.startsWith(pattern.slice(0, -1)) : pattern === metadata.namespace;
  if (!rule.namespaces.some(serves)) reasons.add("NamespaceNotAllowed");
  const own = model.ownCluster(policy);
  if (own === undefined || !(rule.clusters ?? []).includes(own.name)) reasons.add("ClusterNotNamed");
  const { type, labels = {}, annotations = {} } = spec.target ?? {};
  const reserved = /(^|\.)(kubernetes\.io|k8s\.io|helm\.sh|zopp\.dev)\//;
  const foreign = type === undefined || type === "Opaque" || TYPES.includes(type) || type === "example.com/thing";
  if (!foreign || Object.keys({ ...labels, ...annotations }).some((name) => reserved.test(name)))
    reasons.add("TargetForbidden");
  if (known === undefined || known.environment === spec.environment) return;
  how.add("moves");
  const previous = model.environments.get(known.environment.replaceAll("/", "."))?.spec;
  const signer = model.holder(policy, spec.header.by);
  if (previous !== undefined && signer !== undefined && mayHe(model.where(policy, previous), signer, "header")) return;
  reasons.add("EnvironmentChanged");
}

/** Headers and tombstones are signed as the newest epoch binds, entries as their own does. */
function signedPlace({ secret, environment }: Case, to?: string): Place {
  const { namespace, name } = secret.metadata;
  const epoch = to === undefined ? environment.keys.at(-1) : environment.keys.find((key) => key.public === to);
  return epoch?.binding === "environment" ? { namespace: "*", name: "*" } : { namespace, name };
}

function againstHeader(given: Case): Known {
  const { secret, known } = given;
  const place = signedPlace(given);
  return againstPart(given, {
    ...secret.spec.header,
    claim: headerClaim(place, secret.spec),
    approvalClaim: headerClaim(place, secret.spec, true),
    before: known?.header,
  });
}

function againstEntry(given: Case, key: string): Known {
  const { secret, known, environment, reasons, model } = given;
  const entry = secret.spec.data?.[key];
  if (entry === undefined) throw new TypeError(`no entry ${key}`);
  const epoch = environment.keys.find((one) => model.outside.kid(one.public) === entry.to);
  const place = signedPlace(given, entry.to === undefined ? undefined : (epoch?.public ?? "none"));
  const { environment: path } = secret.spec;
  const claim = entryClaim(path, place, key, entry);
  const before = known?.entries.get(key);
  if (entry.to !== undefined) {
    if (epoch !== environment.keys.at(-1) && before?.claim !== claim) reasons.add("UnknownEpoch");
    const opens = epoch?.sealed.some(({ to }) => to === model.outside.cluster.sealingKid) ?? false;
    if (!opens) reasons.add("CannotOpen");
  }
  return againstPart(given, {
    ...entry,
    key,
    claim,
    approvalClaim: entryClaim(path, place, key, entry, true),
    before,
  });
}

/** What was accepted stays so; anything else is judged as of now. */
function againstPart(given: Case, part: Part): Known {
  const { model, policy, environment, rule, reasons, how } = given;
  const { key, version, by, claim, before } = part;
  const signer = model.holder(policy, by);
  if (before?.claim === claim) {
    if (signer === undefined) how.add("author gone");
    return before;
  }
  if (version > numberOf(model.now + 24 * 3600_000)) reasons.add("VersionTooFar");
  const mayGoBack = key !== undefined && environment.rollback === "allow" && !isMoved(given);
  if (before !== undefined && version <= before.version) {
    how.add("goes back");
    if (!mayGoBack) reasons.add("RollbackRefused");
  }
  if (signer === undefined) reasons.add("UnknownSigner");
  else {
    const wish = key === undefined ? "header" : "write";
    if (!mayHe(model.where(policy, environment), signer, wish, key)) reasons.add("NotAuthorised");
    if (!model.outside.notary.holds(by, part.signature, claim)) reasons.add("SignatureInvalid").add("PlaceMismatch");
    const approved = Object.entries(part.approvals ?? {});
    const count = model.approvals(policy, rule, signer.name, part.approvalClaim, approved);
    const needed = rule.approvals?.required ?? 0;
    if (needed > 0) how.add("approved");
    if (count < needed) reasons.add("PendingApproval");
  }
  return { version, claim };
}

function isMoved({ known, secret }: Case): boolean {
  return known !== undefined && known.environment !== secret.spec.environment;
}

function againstWhole(given: Case, parts: readonly Known[]): void {
  const { model, secret, policy, environment, rule, known, reasons, how } = given;
  const keys = Object.keys(secret.spec.data ?? {});
  const gone = [...(known?.entries.keys() ?? [])].some((key) => !keys.includes(key));
  if (gone) how.add("lacks an entry");
  if (gone && environment.rollback !== "allow") reasons.add("EntryMissing");
  const old = new Set([known?.header.claim, ...[...(known?.entries.values() ?? [])].map(({ claim }) => claim)]);
  const isKnown = parts.every(({ claim }) => old.has(claim));
  how.add(isKnown ? "nothing new" : "something new");
  if (isKnown) return;
  if (model.ownCluster(policy)?.log !== model.outside.cluster.log) reasons.add("LedgerLost");
  if (isOver(policy.expires, model.now)) reasons.add("PolicyExpired");
  if (model.isOutdated(environment, rule)) reasons.add("EnvironmentOutdated");
}
