// Makes TLS certificates together with their private keys, by rules that were parsed: by the key itself, or by a CA's that was opened
// for it. Which CA signs for whom is issuer.ts'; nothing here is sealed, stored or decided.
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from "node:crypto";
import type { CertifiedParts } from "../../crds/bundle/certificate.js";
import { concat } from "../../crds/crypto/labeled.js";
import { utf8 } from "../../crds/crypto/primitives.js";
import { spanMs } from "../../crds/span.js";
import type { CertificateRule, GenerateRule } from "../../crds/types.gen.js";
import { x509 } from "./x509.js";

/** Clocks differ: a certificate is valid from a little before it was made. */
const EARLY_MS = 5 * 60_000;
const SERIAL_BYTES = 20;
const HASHES = { "P-256": "SHA-256", "P-384": "SHA-384" } as const;
const CURVES: Readonly<Record<string, keyof typeof HASHES>> = { prime256v1: "P-256", secp384r1: "P-384" };
const USAGES = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth } as const;

/** What was made: private key and certificates, PEM after PEM, and what is recorded of it. */
export interface Certified {
  readonly value: Uint8Array;
  /** Hexadecimal. */
  readonly serial: string;
  readonly until: Date;
}

interface Signing {
  readonly name: string;
  readonly publicKey: x509.PublicKeyType;
  readonly privateKey: webcrypto.CryptoKey;
  readonly curve: keyof typeof HASHES;
  readonly until: Date;
}

/**
 * A new private key and its certificate by a rule of the kind certificate. `ca`: who signs, the key itself where it is absent; `before`:
 * the certificate (PEM) that was there before and is still trusted.
 */
export async function makeCertified(
  { certificate: rule, curve = "P-256" }: GenerateRule,
  at: Date,
  ca?: CertifiedParts,
  before: Uint8Array = new Uint8Array(0),
): Promise<Certified> {
  if (rule === undefined) throw new TypeError("a certificate is made by a rule that says what is in it");
  const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: curve }, true, ["sign", "verify"]);
  const name = nameOf(rule);
  const wished = new Date(at.getTime() + (spanMs(rule.validFor) ?? 0));
  const signing = ca === undefined ? { name, ...keys, curve, until: wished } : await signingOf(ca);
  const until = wished < signing.until ? wished : signing.until;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: name,
    issuer: signing.name,
    notBefore: new Date(at.getTime() - EARLY_MS),
    notAfter: until,
    publicKey: keys.publicKey,
    signingKey: signing.privateKey,
    signingAlgorithm: { name: "ECDSA", hash: HASHES[signing.curve] },
    extensions: [
      ...saidOf(rule),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signing.publicKey),
    ],
  });
  const key = utf8(KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }) as string);
  const own = utf8(`${certificate.toString("pem")}\n`);
  const value = concat(key, own, ...(ca?.authority ?? [before]));
  key.fill(0);
  return { value, serial: certificate.serialNumber, until };
}

/** When a certificate (PEM) ends. */
export function endOf(certificate: Uint8Array): Date {
  return parsed(certificate).notAfter;
}

async function signingOf({ key, certificate }: CertifiedParts): Promise<Signing> {
  const { subject, notAfter, publicKey } = parsed(certificate);
  const secret = createPrivateKey({ key: Buffer.from(key.buffer, key.byteOffset, key.length), format: "pem" });
  const curve = CURVES[secret.asymmetricKeyDetails?.namedCurve ?? ""];
  if (curve === undefined) throw new TypeError("a CA's key is on a curve of its rule");
  const privateKey = secret.toCryptoKey({ name: "ECDSA", namedCurve: curve }, false, ["sign"]);
  return { name: subject, publicKey, privateKey, curve, until: notAfter };
}

function parsed(certificate: Uint8Array): x509.X509Certificate {
  return new x509.X509Certificate(Buffer.from(certificate).toString("utf8"));
}

/** The pattern of a common name has no character that would mean anything else here. */
function nameOf({ commonName }: CertificateRule): string {
  return commonName === undefined ? "" : `CN=${commonName}`;
}

function saidOf(rule: CertificateRule): x509.Extension[] {
  if (rule.ca === true) {
    const usages = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
    return [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(usages, true)];
  }
  const { dnsNames = [], ipAddresses = [], uris = [], usages = ["server", "client"] } = rule;
  const names = [
    ...dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...ipAddresses.map((value) => ({ type: "ip" as const, value })),
    ...uris.map((value) => ({ type: "url" as const, value })),
  ];
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(usages.map((usage) => USAGES[usage])),
    // critical where the subject says nothing (RFC 5280, 4.2.1.6)
    ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names, rule.commonName === undefined)]),
  ];
}

/** Random, and positive whatever its first bit was. */
function serial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}
