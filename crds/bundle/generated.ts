// Values that a keyring made by a rule of the signed header: what is signed of them, and which of them a keyring takes.
// Status is a cache that whoever may write it can change: so all of it is judged against the keyring's own key and ledger.
// How values are made and opened is the keyring's (operator/keyring/generate.ts).
import { decodeBase64 } from "../crypto/encoding.js";
import { canonicalFields } from "../crypto/jcs.js";
import type { VerifyKey } from "../crypto/keys.js";
import { sha256Hex, utf8 } from "../crypto/primitives.js";
import { ZoppError } from "../errors.js";
import { spanMs } from "../span.js";
import { generatedStatement, type Statement, verifyStatement } from "../statement.js";
import type { CertificateRule, GeneratedEntry, GenerateRule, ZoppSecret } from "../types.gen.js";
import { type AcceptedGenerated, type PlaceLedger, placeOf } from "./case.js";
import { signedPlace } from "./statements.js";

/** A value before another one: it has none before itself. */
export type GeneratedValue = Omit<GeneratedEntry, "previous">;

/** What generated values are judged against. */
export interface GeneratedCase {
  /** The verified bundle, with `status.generated` as it was presented. */
  readonly secret: ZoppSecret;
  readonly ledger?: PlaceLedger | undefined;
  /** The cluster's signing key: this keyring's own. */
  readonly cluster: VerifyKey;
  /** The hash of the accepted value of a rule in another bundle beside it, which signs certificates. */
  readonly issuerOf?: ((issuer: NonNullable<CertificateRule["issuer"]>) => string | undefined) | undefined;
  /** The kid of the environment's newest key: what is new to the ledger is sealed to no other. */
  readonly newest: string;
  readonly now: Date;
}

/** A value that is good, as it was presented; `accepted` where it is new to the ledger. */
export interface HeldValue {
  readonly value: GeneratedValue;
  readonly hash: string;
  readonly accepted?: AcceptedGenerated | undefined;
  /** The one before it, where the rule keeps it. */
  readonly previous?: GeneratedValue | undefined;
}

/** What became of one rule: a value that can be used, another one that is to be made, or both; or one that is to be put back. */
export interface JudgedRule {
  readonly held?: HeldValue | undefined;
  /** The accepted value, which one that is not taken has displaced. */
  readonly restore?: HeldValue | undefined;
  /** `after`: the version that it must come after; `before`: the value that it takes the place of. */
  readonly make?: { readonly after?: number | undefined; readonly before?: HeldValue | undefined } | undefined;
}

/**
 * The hash of what decides about a rule's value: hex SHA-256 of the canonical fields. When it is made anew, and which keys get
 * the public half, certificates and the value before, can change without another value, and so can whom a CA signs for.
 */
export function ruleHash({ rotateEvery: _, previous: __, public: ___, certificate, ...rest }: GenerateRule): string {
  if (certificate === undefined) return sha256Hex(utf8(canonicalFields(rest)));
  const { key: ____, authority: _____, issues: ______, ...made } = certificate;
  return sha256Hex(utf8(canonicalFields({ ...rest, certificate: made })));
}

/** The statement over a generated value of a bundle. Throws Malformed when `sealed` is not canonical base64. */
export function statementOfGenerated(secret: ZoppSecret, key: string, value: GeneratedValue): Statement {
  const { version, by, made, rule, before, issuer, to, sealed } = value;
  const bytes = decodeBase64(sealed);
  if (bytes === null) throw new ZoppError("Malformed", `${fieldOf(secret, key)}.sealed is not canonical base64`);
  const facts = { key, version, by, made, rule, before, issuer, to, sealedHash: sha256Hex(bytes) };
  return generatedStatement(signedPlace(secret, "object"), facts);
}

/** The earliest moment, in milliseconds, at which the rule has another value made; undefined = never. */
export function dueAt(rule: GenerateRule, made: string): number | undefined {
  const every = rule.rotateEvery === undefined ? undefined : spanMs(rule.rotateEvery);
  return every === undefined ? undefined : Date.parse(made) + every;
}

/**
 * Judges what stands in status for a rule. A value that the ledger knows and that is not there is never made again: whoever
 * wipes a status would change a password under a running database. Throws GeneratedLost, SignatureInvalid, RollbackRefused.
 */
export function judgeGenerated(given: GeneratedCase, key: string, rule: GenerateRule): JudgedRule {
  const { secret, ledger } = given;
  const known = ledger?.generated?.get(key);
  const present = secret.status?.generated?.[key];
  const hash = ruleHash(rule);
  const accepted = acceptedOf(given, key, present, known);
  if (present === undefined || present.rule !== hash) {
    if (known?.rule !== hash) return { make: { after: known?.version, before: accepted } };
    if (accepted === undefined)
      throw lost(secret, key, `version ${known.version}, which this keyring made, is not there`);
    return putBack(given, rule, accepted);
  }
  let held: HeldValue;
  try {
    held = holdValue(given, key, rule, present, known);
  } catch (error) {
    if (known?.rule !== hash || accepted === undefined || accepted.isPresent) throw error;
    return putBack(given, rule, accepted);
  }
  const isOutdated = held.accepted !== undefined && (present.to !== given.newest || !isSignedNow(given, rule, present));
  if (!isOutdated && !isOver(given, rule, present)) return { held };
  const make = { after: present.version, before: held.accepted === undefined ? held : accepted };
  if (held.accepted === undefined) return { held, make };
  // what nobody used in its time never comes into use: else values that were held back could follow each other at will
  return accepted?.value.rule === hash ? { restore: accepted, make } : { make };
}

/** Its time is over, or another value of its CA is accepted than the one that signed it. */
function isOver(given: GeneratedCase, rule: GenerateRule, value: GeneratedValue): boolean {
  const due = dueAt(rule, value.made);
  if (due !== undefined && due <= given.now.getTime()) return true;
  return signsNow(given, rule) !== undefined && !isSignedNow(given, rule, value);
}

/** What is new is by the CA's accepted value: where there is none any more, it is by nobody who may sign. */
function isSignedNow(given: GeneratedCase, rule: GenerateRule, { issuer }: GeneratedValue): boolean {
  return rule.certificate?.issuer === undefined || (issuer !== undefined && issuer === signsNow(given, rule));
}

function signsNow({ issuerOf }: GeneratedCase, { certificate }: GenerateRule): string | undefined {
  return certificate?.issuer && issuerOf?.(certificate.issuer);
}

function putBack(given: GeneratedCase, rule: GenerateRule, accepted: HeldValue): JudgedRule {
  const isDue = isOver(given, rule, accepted.value);
  return { restore: accepted, make: isDue ? { after: accepted.value.version, before: accepted } : undefined };
}

function holdValue(
  given: GeneratedCase,
  key: string,
  rule: GenerateRule,
  present: GeneratedEntry,
  known: AcceptedGenerated | undefined,
): HeldValue {
  const { secret } = given;
  const { previous: kept, ...value } = present;
  const statement = statementOfGenerated(secret, key, value);
  const previous = previousOf(secret, key, rule, present);
  const { version, made, issuer } = value;
  const { hash } = statement;
  if (value.by !== given.cluster.kid || !verifyStatement(given.cluster, statement, value.signature))
    throw new ZoppError(
      "SignatureInvalid",
      `${fieldOf(secret, key)} was not made by this keyring for this place; ${AGAIN}`,
    );
  if (hash === known?.hash) return { value, hash, previous };
  if (known !== undefined) refuseReplayed(fieldOf(secret, key), rule, value, known);
  return { value, hash, previous, accepted: { version, hash, rule: value.rule, made, ...(issuer && { issuer }) } };
}

/** Several values may have been made before one was accepted: of these no other is ever taken, whatever its version. */
function refuseReplayed(what: string, rule: GenerateRule, value: GeneratedValue, known: AcceptedGenerated): void {
  if (value.version <= known.version)
    throw new ZoppError(
      "RollbackRefused",
      `${what}: version ${value.version} is not after the accepted ${known.version}`,
    );
  const due = dueAt(rule, known.made);
  if (known.rule !== value.rule || (due !== undefined && Date.parse(value.made) >= due)) return;
  // who signs now was looked at already: by each value of a CA one is taken in its time
  if (known.issuer !== value.issuer) return;
  throw new ZoppError(
    "RollbackRefused",
    `${what}: version ${value.version} was made before the accepted one's time was over`,
  );
}

/** The value before, which the signature of the present one names by its hash. */
function previousOf(
  secret: ZoppSecret,
  key: string,
  rule: GenerateRule,
  { before, previous }: GeneratedEntry,
): GeneratedValue | undefined {
  if (rule.previous === undefined || before === undefined) return undefined;
  if (previous !== undefined && statementOfGenerated(secret, key, previous).hash === before) return previous;
  throw lost(secret, key, "the value before it is not there, or another one");
}

/** Exactly what was accepted: the present value, or the one before it, which stays until another one is accepted. */
function acceptedOf(
  { secret, cluster }: GeneratedCase,
  key: string,
  present: GeneratedEntry | undefined,
  known: AcceptedGenerated | undefined,
): (HeldValue & { readonly isPresent: boolean }) | undefined {
  if (present === undefined || known === undefined) return undefined;
  const { previous, ...value } = present;
  for (const each of [value, previous]) {
    if (each === undefined || decodeBase64(each.sealed) === null) continue;
    const statement = statementOfGenerated(secret, key, each);
    if (statement.hash !== known.hash || !verifyStatement(cluster, statement, each.signature)) continue;
    return { value: each, hash: known.hash, isPresent: each === value };
  }
  return undefined;
}

const AGAIN = "another value is made when somebody signs for it: `zopp generate BUNDLE KEY --again`";

function lost(secret: ZoppSecret, key: string, what: string): ZoppError {
  return new ZoppError("GeneratedLost", `${fieldOf(secret, key)}: ${what}`);
}

function fieldOf(secret: ZoppSecret, key: string): string {
  return `bundle ${placeOf(secret)}: status.generated.${key}`;
}
