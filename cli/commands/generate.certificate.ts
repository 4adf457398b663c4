// The flags of `zopp generate` about certificates: what stands in a rule's `certificate`. Whether they fit each other, parsing says.
import { ZoppError } from "../../crds/errors.js";
import type { CertificateRule, GenerateRule } from "../../crds/types.gen.js";
import { oneOf, pairsOf, spanOf } from "./options.js";

/** The flags about certificates. */
export interface CertificateOptions {
  readonly certificate?: string;
  readonly authority?: string;
  readonly commonName?: string;
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
  readonly usage?: readonly string[];
  readonly validFor?: string;
  readonly ca?: boolean;
  readonly issuer?: string;
  readonly issues?: readonly string[];
}

/** How long certificates are valid and when others are made, where nobody says so. */
const SPANS = {
  ca: { validFor: "730d", rotateEvery: "365d" },
  other: { validFor: "90d", rotateEvery: "30d" },
} as const;

/** The rotation of a certificate's rule that names none. */
export function certificateRotation(certificate: CertificateRule): string {
  return SPANS[certificate.ca === true ? "ca" : "other"].rotateEvery;
}

/** The `certificate` of a rule: what is not said stays as it was. Throws Usage. */
export function certificateOf(
  before: GenerateRule | undefined,
  kind: GenerateRule["kind"],
  options: CertificateOptions,
): CertificateRule | undefined {
  const said = saidOf(options);
  if (kind !== "certificate") {
    if (Object.keys(said).length === 0) return undefined;
    throw new ZoppError("Usage", "flags about certificates go with --kind certificate");
  }
  const present = before?.certificate;
  const key = options.certificate ?? present?.key;
  if (key === undefined) throw new ZoppError("Usage", "say which key gets the certificate: --certificate tls.crt");
  const { validFor } = SPANS[(said.ca ?? present?.ca) === true ? "ca" : "other"];
  return { validFor, ...present, ...said, key };
}

function saidOf(options: CertificateOptions): Partial<CertificateRule> {
  const { authority, commonName, dns, ip, uri, usage, validFor, ca, issuer, issues } = options;
  if (validFor !== undefined && spanOf(validFor) === undefined)
    throw new ZoppError("Usage", "--valid-for is 90d, 2160h or 13w");
  const said = {
    key: options.certificate,
    authority,
    commonName,
    dnsNames: dns,
    ipAddresses: ip,
    uris: uri,
    usages: usage?.map((text) => oneOf("--usage", text, ["server", "client"])),
    validFor,
    ca,
    issuer: issuer === undefined ? undefined : issuerOf(issuer),
    issues: issuesOf(issues),
  };
  return Object.fromEntries(
    Object.entries(said).filter(([, value]) => value !== undefined),
  ) as Partial<CertificateRule>;
}

function issuerOf(text: string): NonNullable<CertificateRule["issuer"]> {
  const [name = "", key = "", ...rest] = text.split("/");
  if (name === "" || key === "" || rest.length > 0)
    throw new ZoppError("Usage", "--issuer reads BUNDLE/KEY: a bundle of the same namespace, and the key of its CA");
  return { name, key };
}

/** `BUNDLE=NAME,NAME` each; `none` takes all of them away. */
function issuesOf(texts: readonly string[] | undefined): CertificateRule["issues"] {
  if (texts === undefined) return undefined;
  if (texts.length === 1 && texts[0] === "none") return [];
  const pairs = texts.flatMap((text) => Object.entries(pairsOf("--issues", [text]) ?? {}));
  return pairs.map(([bundle, names]) => ({ bundle, names: names.split(",") }));
}
