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
import { caseOf, parseSent } from "./open.js";
import type { OpenOptions, SentBundle } from "./open.types.js";
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

/** What is asked: certificates of a verified bundle, and what was sent of others. */
export interface Asked {
  readonly secret: ZoppSecret;
  readonly issuers: readonly SentBundle[];
}

type Deciding = Pick<OpenOptions, "book" | "ledger" | "cluster" | "now">;
type IssuerName = NonNullable<CertificateRule["issuer"]>;

/** The CA's rule and value, exactly as this keyring has accepted them. */
interface VerifiedCa {
  readonly ca: ZoppSecret;
  readonly rule: CertificateRule;
  readonly held: HeldValue;
}

/** The CAs that a bundle's rules name, during one call: each is verified once, however many certificates it signs. */
export class Authorities {
  readonly #asked: Asked;
  readonly #served: ServedEnvironment;
  readonly #options: Deciding;
  readonly #verified = new Map<string, { readonly ledger: unknown; readonly found: VerifiedCa | ZoppError }>();

  constructor(asked: Asked, served: ServedEnvironment, options: Deciding) {
    this.#asked = asked;
    this.#served = served;
    this.#options = options;
  }

  /** Opens the CA that a rule names; undefined where it names none. Throws IssuerPending, IssuerRefused. */
  of(key: string, rule: CertificateRule): Authority | undefined {
    const { issuer } = rule;
    if (issuer === undefined) return undefined;
    try {
      return this.#open(issuer, rule);
    } catch (error) {
      if (!isIssuers(error)) throw error;
      const field = `bundle ${placeOf(this.#asked.secret)}: spec.generate.${key}.certificate.issuer`;
      throw new ZoppError(error.code, `${field}: ${error.message}`, { cause: error });
    }
  }

  #open(issuer: IssuerName, asked: CertificateRule): Authority {
    const { metadata } = this.#asked.secret;
    const place = `${metadata.namespace}/${issuer.name}`;
    const refuse = refusalOf(issuer.key, place);
    const { ca, rule, held } = this.#verify(issuer, place);
    const missing = namesNotIssued(rule, metadata.name, asked);
    if (missing.length > 0)
      throw refuse(
        "IssuerRefused",
        `does not sign ${missing.join(", ")} for it: certificate.issues there names who gets what`,
      );
    const value = attempt(() => openHeld(ca, issuer.key, held.value, this.#served), refuse);
    const forget = () => void value.fill(0);
    try {
      const parts = certifiedParts(value, false);
      if (parts === undefined) throw refuse("IssuerRefused", "has a value that holds no certificate");
      if (endOf(parts.certificate) <= this.#options.now())
        throw refuse("IssuerPending", "has ended, and waits for another certificate");
      return { place, hash: held.hash, parts, forget };
    } catch (error) {
      forget();
      throw error;
    }
  }

  #verify({ name, key }: IssuerName, place: string): VerifiedCa {
    const what = JSON.stringify([name, key]);
    const ledger = this.#options.ledger.place(place);
    let known = this.#verified.get(what);
    // what was accepted of it while another certificate was made counts at once
    if (known === undefined || known.ledger !== ledger) {
      const sent = this.#asked.issuers.find((each) => `${each.namespace}/${each.name}` === place);
      known = { ledger, found: orRefusal(() => verified(sent, key, place, this.#served, this.#options)) };
      this.#verified.set(what, known);
    }
    if (known.found instanceof ZoppError) throw known.found;
    return known.found;
  }
}

/** True for what says that a CA does not sign, now or at all. */
export function isIssuers(error: unknown): error is ZoppError {
  return error instanceof ZoppError && (error.code === "IssuerPending" || error.code === "IssuerRefused");
}

type Refuse = (code: ErrorCode, what: string, cause?: unknown) => ZoppError;

function refusalOf(key: string, place: string): Refuse {
  return (code, what, cause) => new ZoppError(code, `the CA ${key} of bundle ${place} ${what}`, { cause });
}

function verified(
  sent: SentBundle | undefined,
  key: string,
  place: string,
  served: ServedEnvironment,
  options: Deciding,
): VerifiedCa {
  const refuse = refusalOf(key, place);
  if (sent === undefined) throw refuse("IssuerPending", "is not there");
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

function orRefusal<T>(verify: () => T): T | ZoppError {
  try {
    return verify();
  } catch (error) {
    if (isIssuers(error)) return error;
    throw error;
  }
}

function attempt<T>(verify: () => T, refuse: Refuse): T {
  try {
    return verify();
  } catch (thrown) {
    throw problemOf(asZoppError(thrown, "verifying a CA"), refuse);
  }
}

function problemOf(problem: ZoppError, refuse: Refuse): ZoppError {
  const code = problem.code === "PendingApproval" ? "IssuerPending" : "IssuerRefused";
  return refuse(code, `is refused (${problem.code}): ${problem.message}`, problem);
}
