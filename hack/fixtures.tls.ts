// For tests only: certificates with their private keys, as people bring them, and one whose time is over.
import { KeyObject, webcrypto } from "node:crypto";
import type { TlsIdentity } from "../operator/keyring/tls.js";
import { x509 } from "../operator/keyring/x509.js";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const HOUR_MS = 3_600_000;

type Given = Partial<Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0]>;

/** A self-signed certificate and its key, both in PEM; the key as PKCS #8, or in the older form that is for its curve alone. */
export async function tlsPair(type: "pkcs8" | "sec1" = "pkcs8", given: Given = {}): Promise<TlsIdentity> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const all = { name: "CN=web.shop.svc", keys, signingAlgorithm: ALGORITHM, ...given };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(all);
  const key = KeyObject.from(keys.privateKey).export({ format: "pem", type }).toString();
  return { cert: `${certificate.toString("pem")}\n`, key };
}

/** A certificate for 127.0.0.1 that ended an hour ago: where it is trusted nothing else is wrong with it. */
export function expiredPair(): Promise<TlsIdentity> {
  return tlsPair("pkcs8", {
    notBefore: new Date(Date.now() - 2 * HOUR_MS),
    notAfter: new Date(Date.now() - HOUR_MS),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
  });
}
