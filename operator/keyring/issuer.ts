// The CA in another bundle, at the moment that it signs: verified as an Open would verify it, accepted and newest on record, and
// willing by its own signed rule. The operator sends that bundle, and is believed in nothing.
import { placeOf } from "../../crds/bundle/case.js";
import { type CertifiedParts, certifiedParts, namesNotIssued } from "../../crds/bundle/certificate.js";
import { type HeldValue, judgeGenerated } from "../../crds/bundle/generated.js";
import { examineBundle } from "../../crds/bundle/verify.js";
import { asZoppError, type ErrorCode, ZoppError } from "../../crds/errors.js";
import type { CertificateRule, ZoppSecret } from "../../crds/types.gen.js";
import { endOf } from "./certificates.js";
import { generatedCase, openHeld } from "./generated.js";
import { caseOf, type OpenOptions, parseSent, type SentBundle } from "./open.js";
import type { ServedEnvironment } from "./policy.types.js";

/** A CA that may sign; whoever opened it overwrites it. */
export interface Authority {
  readonly place: string;
  /** The hash of its accepted value. */
  readonly hash: string;
  readonly parts: CertifiedParts;
  /** Overwrites the private key. */
  forget(): void;
}

/** What is asked: a certificate of a verified bundle, and what was sent of others. */
export interface Asked {
  readonly secret: ZoppSecret;
  readonly key: string;
  readonly rule: CertificateRule;
  readonly issuers: readonly SentBundle[];
}

/** Opens the CA that a rule names; undefined where it names none. Throws IssuerPending, IssuerRefused, CannotOpen, LedgerLost. */
export function authorityOf(
  asked: Asked,
  served: ServedEnvironment,
  options: Pick<OpenOptions, "book" | "ledger" | "cluster" | "now">,
): Authority | undefined {
  const { issuer } = asked.rule;
  if (issuer === undefined) return undefined;
  const { secret, key } = asked;
  const place = `${secret.metadata.namespace}/${issuer.name}`;
  const refuse = (code: ErrorCode, what: string, cause?: unknown): ZoppError => {
    const field = `bundle ${placeOf(secret)}: spec.generate.${key}.certificate.issuer`;
    return new ZoppError(code, `${field}: the CA ${issuer.key} of bundle ${place} ${what}`, { cause });
  };
  const sent = asked.issuers.find(({ namespace, name }) => `${namespace}/${name}` === place);
  if (sent === undefined) throw refuse("IssuerPending", "is not there");
  const { ca, rule, held } = verified(sent, issuer.key, served, options, refuse);
  const missing = namesNotIssued(rule, secret.metadata.name, asked.rule);
  if (missing.length > 0)
    throw refuse(
      "IssuerRefused",
      `does not sign ${missing.join(", ")} for it: certificate.issues there names who gets what`,
    );
  const value = openHeld(ca, issuer.key, held.value, served);
  const forget = () => void value.fill(0);
  try {
    const parts = certifiedParts(value, false);
    if (parts === undefined) throw refuse("IssuerRefused", "has a value that holds no certificate");
    if (endOf(parts.certificate) <= options.now())
      throw refuse("IssuerPending", "has ended, and waits for another certificate");
    return { place, hash: held.hash, parts, forget };
  } catch (error) {
    forget();
    throw error;
  }
}

/** The CA's rule and value, exactly as this keyring has accepted them. */
function verified(
  sent: SentBundle,
  key: string,
  served: ServedEnvironment,
  options: Pick<OpenOptions, "book" | "ledger" | "cluster" | "now">,
  refuse: (code: ErrorCode, what: string, cause?: unknown) => ZoppError,
): { readonly ca: ZoppSecret; readonly rule: CertificateRule; readonly held: HeldValue } {
  const ca = attempt(() => parseSent(sent), refuse);
  if (ca.spec.environment !== served.environment.path)
    throw refuse("IssuerRefused", `is in the environment ${ca.spec.environment}, not in ${served.environment.path}`);
  const { problems, acceptedHeader, acceptedEntries } = examineBundle(caseOf(ca, served, options));
  if (problems[0] !== undefined) throw problemOf(problems[0], refuse);
  // what its signers wrote last counts once its own bundle is in force
  if (acceptedHeader !== undefined || acceptedEntries.size > 0)
    throw refuse("IssuerPending", "was changed, and this keyring has not accepted the change yet");
  const rule = ca.spec.generate?.[key];
  if (rule?.certificate?.ca !== true) throw refuse("IssuerRefused", "is none: no rule of that key has `ca: true`");
  const { held } = attempt(() => judgeGenerated(generatedCase(ca, served, options), key, rule), refuse);
  if (held === undefined || held.accepted !== undefined)
    throw refuse("IssuerPending", "has no value yet that this keyring has accepted");
  return { ca, rule: rule.certificate, held };
}

function attempt<T>(verify: () => T, refuse: (code: ErrorCode, what: string, cause?: unknown) => ZoppError): T {
  try {
    return verify();
  } catch (thrown) {
    throw problemOf(asZoppError(thrown, "verifying a CA"), refuse);
  }
}

function problemOf(
  problem: ZoppError,
  refuse: (code: ErrorCode, what: string, cause?: unknown) => ZoppError,
): ZoppError {
  const code = problem.code === "PendingApproval" ? "IssuerPending" : "IssuerRefused";
  return refuse(code, `is refused (${problem.code}): ${problem.message}`, problem);
}
