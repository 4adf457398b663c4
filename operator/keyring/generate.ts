// Generate: makes the values that a bundle's signed header asks for, at the operator's request.
// Which are missing or due is decided here, by what was signed and what is on record; the operator only keeps what comes of it.

import { placeOf } from "../../crds/bundle/case.js";
import type { JudgedRule } from "../../crds/bundle/generated.js";
import { judgeGenerated, ruleHash, statementOfGenerated } from "../../crds/bundle/generated.js";
import { examineBundle } from "../../crds/bundle/verify.js";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import { sealEntry } from "../../crds/crypto/entry.js";
import type { SigningKey } from "../../crds/crypto/identity.js";
import { asZoppError, ZoppError } from "../../crds/errors.js";
import { nextVersion } from "../../crds/policy/versions.js";
import { signStatement } from "../../crds/statement.js";
import type { GeneratedEntry, GenerateRule, ZoppSecret } from "../../crds/types.gen.js";
import { makeValue } from "./generate.values.js";
import { contextOf, generatedCase, refuseNews } from "./generated.js";
import { type Caller, caseOf, type OpenOptions, parseSent, policyOf, type SentBundle } from "./open.js";
import type { ServedEnvironment } from "./policy.types.js";
import type { Fact } from "./records.js";

/** What making values needs of the rest of the keyring. */
export interface GenerateOptions extends Pick<OpenOptions, "book" | "ledger" | "now" | "refuse"> {
  /** The cluster's signing key. */
  readonly cluster: SigningKey;
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
}

/**
 * Makes what is missing or due, or a part of it, of a bundle that is good as a whole; what is made is on record before it is given away. It is
 * accepted by nobody yet: only an Open does that, so that what is lost on the way to the status can be made again. Throws as
 * verifyBundle and judgeGenerated, and LedgerLost, PolicyExpired, EnvironmentOutdated, NoRecipient, AuditUnavailable.
 */
export async function generateValues(sent: SentBundle, caller: Omit<Caller, "reader">, given: GenerateOptions) {
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
    if (wanted.length === 0) return { generated: kept, made: [] };
    refuseNews(served, options);
    refuseUnwrapped(served);
    const made = await makeSome(secret, wanted, served, options);
    const versions = Object.fromEntries(made.map(([key, { version }]) => [key, version]));
    await options.record({ ...fact, decision: "done", keys: Object.keys(versions), versions });
    return { generated: onlyRules(secret, { ...kept, ...Object.fromEntries(made) }), made: Object.keys(versions) };
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
    const { make, restore } = judgeGenerated(given, key, rule);
    if (make !== undefined) wanted.push({ key, rule, make });
    if (restore !== undefined) restored[key] = restore.value;
  }
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
): Promise<readonly (readonly [string, GeneratedEntry])[]> {
  const until = performance.now() + options.withinMs;
  const made: [string, GeneratedEntry][] = [];
  for (const each of wanted) {
    if (options.signal.aborted)
      throw new ZoppError("KeyringUnavailable", `bundle ${placeOf(secret)}: nobody waits for its values any more`);
    made.push([each.key, await makeEntry(secret, each, served, options)]);
    if (performance.now() >= until) break;
  }
  return made;
}

async function makeEntry(
  secret: ZoppSecret,
  { key, rule, make }: Wanted,
  served: ServedEnvironment,
  { cluster, now }: GenerateOptions,
): Promise<GeneratedEntry> {
  const { newest } = served.environment;
  const value = await makeValue(rule);
  const at = now();
  const version = nextVersion(make.after, at);
  const context = contextOf(secret, key, version, newest.facts.epoch, served);
  const sealed = encodeBase64(sealEntry(newest.key, context, value, "generated"));
  value.fill(0);
  const unsigned = {
    version,
    made: `${at.toISOString().slice(0, 19)}Z`,
    rule: ruleHash(rule),
    by: cluster.verifyKey.kid,
    // also where no key is for it: until another one is accepted it is the one that counts
    ...(make.before === undefined ? {} : { before: make.before.hash }),
    sealed,
    signature: "",
    to: newest.key.kid,
  };
  const signature = signStatement(cluster, statementOfGenerated(secret, key, unsigned));
  const previous = make.before?.value;
  return { ...unsigned, signature, ...(previous === undefined ? {} : { previous }) };
}

/** What has no rule any more goes. */
function onlyRules({ spec }: ZoppSecret, values: Readonly<Record<string, GeneratedEntry>>) {
  return Object.fromEntries(Object.entries(values).filter(([key]) => Object.hasOwn(spec.generate ?? {}, key)));
}
