// When the keyring is asked for values, and which of them a Secret holds. Pure, and no more than a guess: whether a value is
// made is the keyring's decision.
import { createHash } from "node:crypto";
import { dueAt, ruleHash } from "../../crds/bundle/generated.js";
import type { CertificateRule, GeneratedEntry, GenerateRule, SecretStatus, ZoppSecret } from "../../crds/types.gen.js";

type Values = SecretStatus["generated"];

/** The hash of the CA's value that its own Secret holds; undefined as long as there is none. */
export type IssuerOf = (issuer: NonNullable<CertificateRule["issuer"]>) => string | undefined;

/** How soon to ask again where the keyring's clock says that it is too early. */
const EARLY_MS = 30_000;

/** True when a rule has no value yet, one that is over, or one of another value of its CA than the one that is in use. */
export function isDue(
  bundle: ZoppSecret,
  status: SecretStatus | undefined,
  now: Date,
  issuerOf: IssuerOf = () => undefined,
): boolean {
  const at = nextAt(bundle, status?.generated);
  if (at !== undefined && at <= now.getTime()) return true;
  return Object.entries(bundle.spec.generate ?? {}).some(([key, { certificate }]) => {
    const signs = certificate?.issuer && issuerOf(certificate.issuer);
    return signs !== undefined && signs !== status?.generated?.[key]?.issuer;
  });
}

/** When to look again, in milliseconds from now; undefined = never. */
export function againInMs(bundle: ZoppSecret, status: SecretStatus, now: Date): number | undefined {
  const at = nextAt(bundle, status.generated);
  if (at === undefined) return undefined;
  return at <= now.getTime() ? EARLY_MS : at - now.getTime();
}

function nextAt({ spec }: ZoppSecret, values: Values): number | undefined {
  const moments = Object.entries(spec.generate ?? {}).flatMap(([key, rule]) => {
    const value = values?.[key];
    if (!isOfRule(value, rule)) return [0];
    const at = dueAt(rule, value.made);
    return at === undefined ? [] : [at];
  });
  return moments.length === 0 ? undefined : Math.min(...moments);
}

/** True for a value that is of a rule, whether it is over or not. */
export function isOfRule(value: GeneratedEntry | undefined, rule: GenerateRule): value is GeneratedEntry {
  return value?.rule === ruleHash(rule);
}

/** Those of the values that are of their rule. */
export function fittingValues({ spec }: ZoppSecret, values: Values): NonNullable<Values> {
  return Object.fromEntries(
    Object.entries(spec.generate ?? {}).flatMap(([key, rule]) => {
      const value = values?.[key];
      return isOfRule(value, rule) ? [[key, value]] : [];
    }),
  );
}

/** The versions of the values of a bundle's rules; undefined where no job rotates them. */
export function publishedVersions(
  { spec }: ZoppSecret,
  values: Values = {},
): Readonly<Record<string, number>> | undefined {
  if (spec.rotation === undefined) return undefined;
  const keys = Object.keys(spec.generate ?? {}).filter((key) => values[key] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, values[key]?.version ?? 0]));
}

/** A digest of the values of a bundle's rules, made of public bytes; undefined for a bundle without rules. */
export function valuesDigest({ spec }: ZoppSecret, values: Values): string | undefined {
  const keys = Object.keys(spec.generate ?? {}).sort();
  if (keys.length === 0) return undefined;
  const text = JSON.stringify(keys.map((key) => [key, values?.[key]?.signature]));
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
