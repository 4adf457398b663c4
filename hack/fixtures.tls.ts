// For tests only: a certificate with its private key, as people bring them.
import { KeyObject, webcrypto } from "node:crypto";
import { x509 } from "../operator/keyring/x509.js";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A self-signed certificate and its key, both in PEM; the key as PKCS #8, or in the older form that is for its curve alone. */
export async function tlsPair(
  type: "pkcs8" | "sec1" = "pkcs8",
): Promise<{ readonly cert: string; readonly key: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const given = { name: "CN=web.shop.svc", keys, signingAlgorithm: ALGORITHM };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(given);
  const key = KeyObject.from(keys.privateKey).export({ format: "pem", type }).toString();
  return { cert: certificate.toString("pem"), key };
}
