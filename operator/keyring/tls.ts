// TLS identities: self-signed certificates of our own Ed25519 keys, and the key that a peer proved to hold.
// A key is an identity; what it may do is decided elsewhere. No CA, no chain, no revocation list.
import { type X509Certificate as NodeCertificate, webcrypto } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { encodeBase64 } from "../../crds/crypto/encoding.js";
import type { SigningKey } from "../../crds/crypto/identity.js";
import { parseVerifyKey, type VerifyKey } from "../../crds/crypto/keys.js";
import { x509 } from "./x509.js";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Certificates are only a way to show a key: nobody checks their dates, so one lasts as long as any process. */
const LIFETIME_MS = 3650 * DAY_MS;
const ED25519_SPKI_BYTES = 44;

/** A certificate and its private key in PEM, as node:tls wants them. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** Makes the certificate of a signing key. */
export async function tlsIdentity(signing: SigningKey): Promise<TlsIdentity> {
  const pkcs8 = signing.toPkcs8();
  const algorithm = { name: "Ed25519" };
  const publicKey = await webcrypto.subtle.importKey("raw", signing.verifyKey.raw, algorithm, true, ["verify"]);
  const privateKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${signing.verifyKey.kid}`,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + LIFETIME_MS),
    keys: { publicKey, privateKey },
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature),
    ],
  });
  const key = `-----BEGIN PRIVATE KEY-----\n${encodeBase64(pkcs8)}\n-----END PRIVATE KEY-----\n`;
  pkcs8.fill(0);
  return { cert: certificate.toString("pem"), key };
}

/**
 * The Ed25519 key that the other end of a TLS 1.3 connection proved to hold (by CertificateVerify). Null without a
 * certificate, for another kind of key, for another protocol than h2, and for resumed sessions, which would carry the
 * identity of an earlier connection.
 */
export function peerKey(socket: TLSSocket): VerifyKey | null {
  if (socket.isSessionReused() || socket.alpnProtocol !== "h2" || socket.getProtocol() !== "TLSv1.3") return null;
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? null : keyOfCertificate(certificate);
}

function keyOfCertificate({ publicKey }: NodeCertificate): VerifyKey | null {
  if (publicKey.asymmetricKeyType !== "ed25519") return null;
  const der = publicKey.export({ format: "der", type: "spki" });
  if (der.length !== ED25519_SPKI_BYTES) return null;
  return parseVerifyKey(`ed25519:${encodeBase64(der.subarray(-32))}`);
}
