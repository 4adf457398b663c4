// For tests only: a bundle with a CA, one whose certificate it signs, and what their Secrets would hold.
import { type CertifiedParts, certifiedParts } from "../crds/bundle/certificate.js";
import { decodeBase64 } from "../crds/crypto/encoding.js";
import { openEntry } from "../crds/crypto/entry.js";
import type { CertificateRule, GenerateRule, ZoppSecret } from "../crds/types.gen.js";
import type { Opened } from "../operator/keyring/open.types.js";
import { bundle, NOW, withHeader, world, writingBy } from "./fixtures.js";

/** Whom the CA of the fixtures signs for. */
export const ISSUES: NonNullable<CertificateRule["issues"]> = [{ bundle: "api", names: ["*.shop.svc", "10.0.0.7"] }];

/** A CA that is made anew every ten days, and signs for these. */
export function caRule(issues: CertificateRule["issues"] = ISSUES, version = 1): GenerateRule {
  const certificate = { key: "ca.crt", commonName: "shop internal", validFor: "20d", ca: true, issues };
  return { version, kind: "certificate", curve: "P-384", rotateEvery: "10d", certificate };
}

/** A certificate for api.shop.svc that the CA signs, made anew every day. */
export function leafRule(changes: Partial<CertificateRule> = {}): GenerateRule {
  const certificate: CertificateRule = {
    key: "tls.crt",
    authority: "ca.crt",
    dnsNames: ["api.shop.svc"],
    validFor: "3d",
    issuer: { name: "internal-ca", key: "ca.key" },
    ...changes,
  };
  return { version: 1, kind: "certificate", curve: "P-256", rotateEvery: "1d", certificate };
}

/** shop-prod/internal-ca with this rule for ca.key, signed by alice. */
export function caBundle(rule: GenerateRule = caRule(), now = NOW): ZoppSecret {
  return bundle(world().environment, {}, { name: "internal-ca", generate: { "ca.key": rule }, now });
}

/** The CA's bundle with another rule, signed by alice. */
export function caRuled(secret: ZoppSecret, rule: GenerateRule, now = NOW): ZoppSecret {
  return withHeader(secret, { generate: { "ca.key": rule } }, writingBy("alice", world().environment, now));
}

/** shop-prod/api with this rule for tls.key, signed by alice. */
export function leafBundle(rule: GenerateRule = leafRule()): ZoppSecret {
  return bundle(world().environment, {}, { generate: { "tls.key": rule } });
}

/** What a value that was released holds. */
export function partsOf({ spec, status }: ZoppSecret, key: string, opened: Opened | undefined): CertifiedParts {
  if (opened?.ok !== true) throw opened?.error ?? new TypeError("no result");
  const sealed = decodeBase64(status?.generated?.[key]?.sealed ?? "") ?? new Uint8Array();
  const value = openEntry(opened.keys.get(key) ?? new Uint8Array(), "xwing", sealed);
  const parts = certifiedParts(value, spec.generate?.[key]?.certificate?.issuer !== undefined);
  if (parts === undefined) throw new TypeError("the value holds no certificate");
  return parts;
}
