// For tests only: a server's certificate whose time is over. Where it is trusted nothing else is wrong with it.
import { KeyObject, webcrypto } from "node:crypto";
import type { TlsIdentity } from "../operator/keyring/tls.js";
import { x509 } from "../operator/keyring/x509.js";

const HOUR_MS = 3_600_000;

/** A certificate of its own key for 127.0.0.1, which ended an hour ago. */
export async function expiredCertificate(): Promise<TlsIdentity> {
  const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=expired",
    notBefore: new Date(Date.now() - 2 * HOUR_MS),
    notAfter: new Date(Date.now() - HOUR_MS),
    keys: { publicKey: keys.publicKey, privateKey: keys.privateKey },
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
  });
  const key = KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }) as string;
  return { cert: `${certificate.toString("pem")}\n`, key };
}
