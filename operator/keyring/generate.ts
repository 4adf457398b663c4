// Generate: makes the values that a bundle's signed header asks for, at the operator's request.
// Which are missing or due is decided here, by what was signed and what is on record; the operator only keeps what comes of it.

import { placeOf } from "../../crds/bundle/case.js";
import { certifiedParts, namesOf } from "../../crds/bundle/certificate.js";
import type { HeldValue, JudgedRule } from "../../crds/bundle/generated.js";
import { judgeGenerated, ruleHash, statementOfGenerated } from "../../crds/bundle/generated.js";
import { examineBundle } from "../../crds/bundle/verify.js";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import { sealEntry } from "../../crds/crypto/entry.js";
import type { SigningKey } from "../../crds/crypto/identity.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import { nextVersion } from "../../crds/policy/versions.js";
import { signStatement } from "../../crds/statement.js";
import type { CertificateRule, GeneratedEntry, GenerateRule, ZoppSecret } from "../../crds/types.gen.js";
import { makeCertified } from "./certificates.js";
import type { Generated, Waiting } from "./client.types.js";
import { makeValue } from "./generate.values.js";
import { contextOf, generatedCase, openHeld, refuseNews } from "./generated.js";
import { Authorities, isIssuers } from "./issuer.js";
import { caseOf, parseSent, policyOf } from "./open.js";
import type { Caller, OpenOptions, SentBundle } from "./open.types.js";
import type { ServedEnvironment } from "./policy.types.js";
import type { Fact, Issued } from "./records.js";

/** What making values needs of the rest of the keyring. */
export interface GenerateOptions extends Pick<OpenOptions, "book" | "ledger" | "now" | "refuse"> {
  /** The cluster's signing key. */
  readonly cluster: SigningKey;
  /** The bundles whose CAs sign certificates of this one, as they were sent. */
  readonly issuers: readonly SentBundle[];
  /** Appends a fact to the log; resolves when it is durable. */
  record(fact: Fact): Promise<void>;
  /** After so long no other value is begun: whoever asks gets what was made until then, and asks again. */
  readonly withinMs: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A rule whose value is to be made. */
interface Wanted {
  readonly key: string;
  readonly rule: GenerateRule;
  readonly make: NonNullable<JudgedRule["make"]>;
  /** It has a value that is good until there is another one. */
  readonly hasOne: boolean;
}

/** A value that was made. */
interface Made {
  readonly key: string;
  readonly value: GeneratedEntry;
  readonly issued: Issued | undefined;
}

/**
 * Makes what is missing or due, or a part of it, of a bundle that is good as a whole; what is made is on record before it is given away. It is
 * accepted by nobody yet: only an Open does that, so that what is lost on the way to the status can be made again. A certificate that is due
 * and whose CA does not sign holds up no other value, as long as the one before is good. Throws as
 * verifyBundle and judgeGenerated, and LedgerLost, PolicyExpired, EnvironmentOutdated, NoRecipient, IssuerPending, IssuerRefused, AuditUnavailable.
 */
export async function generateValues(
  sent: SentBundle,
  caller: Omit<Caller, "reader">,
  given: GenerateOptions,
): Promise<Generated> {
  // one moment for all of a call: what is made would else be refused as too early when the clock steps back meanwhile
  const at = given.now();
  const options = { ...given, now: () => at };
  const object = `${sent.namespace}/${sent.name}`;
  let fact: Omit<Fact, "decision"> = { action: "generate", evidence: "delegated", ...caller, object };
  try {
    const secret = parseSent(sent);
    const { environment } = secret.spec;
    fact = { ...fact, environment };
    const served = options.book.policyFor(environment);
    fact = { ...fact, policy: policyOf(served) };
    const { problems, digest } = examineBundle(caseOf(secret, served, options));
    fact = { ...fact, digest };
    if (problems[0] !== undefined) throw problems[0];
    const { wanted, restored } = wantedOf(secret, served, options);
    const kept = { ...secret.status?.generated, ...restored };
    if (wanted.length === 0) return { generated: kept, made: [], waiting: [] };
    refuseNews(served, options);
    refuseUnwrapped(served);
    const { made, waiting } = await makeSome(secret, wanted, served, options);
    for (const { error } of waiting) options.refuse({ ...fact, decision: "refused", reason: error.code });
    if (made.length === 0) return { generated: kept, made: [], waiting };
    const values = Object.fromEntries(made.map(({ key, value }) => [key, value]));
    const versions = Object.fromEntries(made.map(({ key, value }) => [key, value.version]));
    const issued = made.flatMap(({ key, issued: each }) => (each === undefined ? [] : [[key, each] as const]));
    const told = issued.length === 0 ? {} : { issued: Object.fromEntries(issued) };
    await options.record({ ...fact, decision: "done", keys: Object.keys(versions), versions, ...told });
    return { generated: onlyRules(secret, { ...kept, ...values }), made: Object.keys(versions), waiting };
  } catch (thrown) {
    const error = asZoppError(thrown, "generating values");
    if (error.code !== "AuditUnavailable" && !options.signal.aborted)
      options.refuse({ ...fact, decision: "refused", reason: error.code });
    throw error;
  }
}

function wantedOf(secret: ZoppSecret, served: ServedEnvironment, { ledger, cluster, now }: GenerateOptions) {
  const given = generatedCase(secret, served, { ledger, cluster: cluster.verifyKey, now });
  const wanted: Wanted[] = [];
  const restored: Record<string, GeneratedEntry> = {};
  for (const [key, rule] of Object.entries(secret.spec.generate ?? {})) {
    const { held, make, restore } = judgeGenerated(given, key, rule);
    if (make !== undefined) wanted.push({ key, rule, make, hasOne: (held ?? restore) !== undefined });
    if (restore !== undefined) restored[key] = restore.value;
  }
  // where there is no time for all, what there is none of comes before another one: private keys take long
  wanted.sort((one, other) => Number(one.hasOne) - Number(other.hasOne));
  return { wanted, restored };
}

function refuseUnwrapped({ environment, keys }: ServedEnvironment): void {
  if (!keys.has(environment.newest.key.kid))
    throw new ZoppError(
      "NoRecipient",
      `environment ${environment.path}: its newest key is not wrapped to this cluster`,
    );
}

/** A private key may take seconds: at least one value, and as many as there is time for. */
async function makeSome(
  secret: ZoppSecret,
  wanted: readonly Wanted[],
  served: ServedEnvironment,
  options: GenerateOptions,
): Promise<{ readonly made: readonly Made[]; readonly waiting: readonly Waiting[] }> {
  const until = performance.now() + options.withinMs;
  const { cluster: signing, issuers } = options;
  const authorities = new Authorities({ secret, issuers }, served, { ...options, cluster: signing.verifyKey });
  const made: Made[] = [];
  const waiting: Waiting[] = [];
  for (const each of wanted) {
    if (options.signal.aborted)
      throw new ZoppError("KeyringUnavailable", `bundle ${placeOf(secret)}: nobody waits for its values any more`);
    try {
      made.push(await makeEntry(secret, each, served, authorities, options));
    } catch (error) {
      if (!each.hasOne || !isIssuers(error)) throw error;
      waiting.push({ key: each.key, error });
      continue;
    }
    if (performance.now() >= until) break;
  }
  return { made, waiting };
}

async function makeEntry(
  secret: ZoppSecret,
  wanted: Wanted,
  served: ServedEnvironment,
  authorities: Authorities,
  { cluster, now }: GenerateOptions,
): Promise<Made> {
  const { key, rule, make } = wanted;
  const { newest } = served.environment;
  const at = now();
  const version = nextVersion(make.after, at);
  const context = contextOf(secret, key, version, newest.facts.epoch, served);
  const { value, issuer, issued } =
    rule.certificate === undefined
      ? { value: await makeValue(rule) }
      : await certify(secret, wanted, rule.certificate, served, authorities, at);
  const sealed = sealAway(value, (plaintext) => sealEntry(newest.key, context, plaintext, "generated"));
  const unsigned = {
    version,
    made: timeText(at),
    rule: ruleHash(rule),
    by: cluster.verifyKey.kid,
    // also where no key is for it: until another one is accepted it is the one that counts
    ...(make.before === undefined ? {} : { before: make.before.hash }),
    ...(issuer === undefined ? {} : { issuer }),
    sealed,
    signature: "",
    to: newest.key.kid,
  };
  const signature = signStatement(cluster, statementOfGenerated(secret, key, unsigned));
  const previous = make.before?.value;
  return { key, value: { ...unsigned, signature, ...(previous === undefined ? {} : { previous }) }, issued };
}

/** The value sealed, as base64; it is overwritten whatever happens. */
export function sealAway(value: Uint8Array, seal: (value: Uint8Array) => Uint8Array): string {
  try {
    return encodeBase64(seal(value));
  } finally {
    value.fill(0);
  }
}

/** A private key with its certificate, and what is recorded of it where another bundle's CA signed. */
async function certify(
  secret: ZoppSecret,
  { key, rule, make }: Wanted,
  certificate: CertificateRule,
  served: ServedEnvironment,
  authorities: Authorities,
  at: Date,
): Promise<{ readonly value: Uint8Array; readonly issuer?: string; readonly issued?: Issued }> {
  const ca = authorities.of(key, certificate);
  if (ca === undefined) return makeCertified(rule, at, undefined, stillTrusted(secret, key, rule, make.before, served));
  try {
    const { value, serial, until } = await makeCertified(rule, at, ca.parts);
    const names = namesOf(certificate).map(({ name }) => name);
    return { value, issuer: ca.hash, issued: { by: ca.place, serial, names, until: timeText(until) } };
  } finally {
    ca.forget();
  }
}

/** The certificate before, where only its time was over: what somebody has replaced by another one is trusted no more. */
function stillTrusted(
  secret: ZoppSecret,
  key: string,
  rule: GenerateRule,
  before: HeldValue | undefined,
  served: ServedEnvironment,
): Uint8Array | undefined {
  if (before === undefined || before.value.rule !== ruleHash(rule) || !served.keys.has(before.value.to))
    return undefined;
  const value = openHeld(secret, key, before.value, served);
  const certificate = certifiedParts(value, false)?.certificate.slice();
  value.fill(0);
  return certificate;
}

function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** What has no rule any more goes. */
function onlyRules({ spec }: ZoppSecret, values: Readonly<Record<string, GeneratedEntry>>) {
  return Object.fromEntries(Object.entries(values).filter(([key]) => Object.hasOwn(spec.generate ?? {}, key)));
}
