// The bundles whose CAs sign a bundle's certificates: which they are, which of their values is in use, and what is said of certificates
// that wait for them. Pure, and no more than a guess: whether a CA may sign is the keyring's decision.
import { statementOfGenerated } from "../../crds/bundle/generated.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import type { Waiting } from "../keyring/client.types.js";
import { CERTIFICATE_PENDING, condition, conditionOf, type Wanted } from "../kube/conditions.js";
import type { Happening } from "../kube/events.js";
import { type IssuerOf, valuesDigest } from "./generate.plan.js";
import { messageOf } from "./secret.status.js";

/** Finds a bundle by its key (`namespace/name`). */
export interface Bundles {
  get(key: string): ZoppSecret | undefined;
}

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

/** What stands in the way of certificates: what waits for somebody before what passes by itself. */
export function pressingOf(waiting: readonly Waiting[]): Waiting["error"] | undefined {
  const errors = waiting.map(({ error }) => error);
  return errors.find(({ terminal }) => terminal) ?? errors[0];
}

/** The condition CertificatePending; undefined as long as no certificate waits. */
export function certificateCondition(waiting: readonly Waiting[]): Wanted | undefined {
  const error = pressingOf(waiting);
  if (error === undefined) return undefined;
  const keys = waiting.map(({ key }) => key).join(", ");
  const text = `${keys}: the certificate before stays, and another one waits for its CA: ${messageOf(error)}`;
  return condition(CERTIFICATE_PENDING, true, error.code, text);
}

/** That a certificate waits is spoken of when it begins, and when the reason becomes another one. */
export function certificateHappenings(previous: SecretStatus | undefined, next: SecretStatus): Happening[] {
  const [before, now] = [previous, next].map((status) => conditionOf(status, CERTIFICATE_PENDING));
  if (now === undefined || before?.message === now.message) return [];
  const { reason, message } = now;
  return [{ type: "Warning", reason, message, digest: message }];
}
