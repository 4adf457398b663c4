// Of bundles.json: rules of certificates, and which a header cannot ask for.
// Which values of such rules a keyring takes is crds/bundle/generated.test.ts'.
import type { CertificateRule, GenerateRule, ZoppSecret } from "../crds/types.gen.js";
import { withHeader } from "./fixtures.js";
import type { BundleGiven, ObjectVector } from "./vectors.js";
import { good, ledgerOf, NEXT_VERSION, takes, writing } from "./vectors.places.js";
import { refused } from "./vectors.world.js";

const RULE = { version: NEXT_VERSION, kind: "certificate", curve: "P-256" } as const;
const LEAF: CertificateRule = {
  key: "tls.crt",
  authority: "ca.crt",
  dnsNames: ["api.shop.svc"],
  ipAddresses: ["10.0.0.7"],
  usages: ["server"],
  validFor: "90d",
  issuer: { name: "internal-ca", key: "ca.key" },
};
const CA: CertificateRule = {
  key: "ca.crt",
  commonName: "shop internal",
  validFor: "730d",
  ca: true,
  issues: [{ bundle: "web", names: ["*.shop.svc"] }],
};

/** The good bundle with a certificate under tls.key, signed by alice. */
function certified(certificate: CertificateRule, changes: Partial<GenerateRule> = {}): ZoppSecret {
  const rule = { ...RULE, rotateEvery: "30d", certificate, ...changes };
  return withHeader(good, { generate: { "tls.key": rule } }, writing("alice"));
}

/** The bundle with another certificate than was signed for. */
function unsigned(secret: ZoppSecret, certificate: CertificateRule): ZoppSecret {
  const rule = { ...RULE, rotateEvery: "30d", certificate };
  return { ...secret, spec: { ...secret.spec, generate: { "tls.key": rule } } };
}

/** Bundles with a CA, and with a certificate by one. */
export function certificates(): readonly ObjectVector<BundleGiven>[] {
  const given = { workspace: "usual", environment: "usual", ledger: ledgerOf(good) } as const;
  const bad = (name: string, why: string, certificate: CertificateRule, changes: Partial<GenerateRule> = {}) =>
    refused<BundleGiven>(`certificate-${name}`, why, "Malformed", {
      ...given,
      object: certified(certificate, changes),
    });
  return [
    takes("certificate", "a certificate by a CA in another bundle", { ...given, object: certified(LEAF) }),
    takes("certificate-ca", "a CA, and whom it signs for", { ...given, object: certified(CA) }),
    refused<BundleGiven>("certificate-issues-changed", "whom a CA signs for is signed", "SignatureInvalid", {
      ...given,
      object: unsigned(certified(CA), { ...CA, issues: [{ bundle: "*", names: ["*.shop.svc"] }] }),
    }),
    refused("certificate-issuer-changed", "and so is who signs", "SignatureInvalid", {
      ...given,
      object: unsigned(certified(LEAF), { ...LEAF, issuer: { name: "other-ca", key: "ca.key" } }),
    }),
    bad("for-nothing", "it is for at least one name", { ...LEAF, dnsNames: [], ipAddresses: [] }),
    bad("for-ever", "certificates end", LEAF, { rotateEvery: undefined }),
    bad("rotated-too-late", "it is replaced before it ends", LEAF, { rotateEvery: "90d" }),
    bad("by-itself", "a CA stands in another bundle", { ...LEAF, issuer: { name: "api", key: "ca.key" } }),
    bad("under-the-private-key", "each key is filled once", { ...LEAF, key: "tls.key" }),
    bad("for-another-spelling", "an address is one text", { ...LEAF, ipAddresses: ["10.0.0.07"] }),
    bad("with-issues", "only a CA signs", { ...LEAF, issues: CA.issues }),
    bad("ca-for-names", "a CA is for signing only", { ...CA, dnsNames: ["api.shop.svc"] }),
    bad("ca-below-a-ca", "there is no CA below another one", { ...CA, issuer: LEAF.issuer }),
    bad("ca-without-a-name", "a CA has a common name", { ...CA, commonName: undefined }),
  ];
}
