// The bundles whose CAs sign a bundle's certificates: which they are, and which of their values is in use. Pure, and no more than a
// guess: whether a CA may sign is the keyring's decision.
import { statementOfGenerated } from "../../crds/bundle/generated.js";
import type { CertificateRule, ZoppSecret } from "../../crds/types.gen.js";
import { valuesDigest } from "./generate.plan.js";

/** Finds a bundle by its key (`namespace/name`). */
export interface Bundles {
  get(key: string): ZoppSecret | undefined;
}

/** The hash of the CA's value that its own Secret holds; undefined as long as there is none. */
export type IssuerOf = (issuer: NonNullable<CertificateRule["issuer"]>) => string | undefined;

/** The keys of the bundles whose CAs a bundle's rules name, as it was read: its spec may have any shape. */
export function issuerKeys({ metadata, spec }: ZoppSecret): ReadonlySet<string> {
  const names = Object.values(spec?.generate ?? {}).map((rule) => rule?.certificate?.issuer?.name);
  return new Set(names.filter((name) => name !== undefined).map((name) => `${metadata.namespace}/${name}`));
}

/** True for a bundle that has a CA. */
export function isIssuer({ spec }: ZoppSecret): boolean {
  return Object.values(spec?.generate ?? {}).some((rule) => rule?.certificate?.ca === true);
}

/** What the CAs beside a bundle have in use. */
export function issuersIn(bundles: Bundles, { metadata }: ZoppSecret): IssuerOf {
  return ({ name, key }) => {
    const ca = bundles.get(`${metadata.namespace}/${name}`);
    const value = ca?.status?.generated?.[key];
    if (ca === undefined || value === undefined) return undefined;
    try {
      const { status } = ca;
      // what is not in its Secret yet may never have been accepted
      if (status?.applied !== valuesDigest(ca, status?.generated)) return undefined;
      return statementOfGenerated(ca, key, value).hash;
    } catch {
      return undefined; // nothing that a keyring would take
    }
  };
}
