// Certificates among the generated values, as far as they are texts: which names a CA's signed rule gives to whom, and how the one
// value of such a rule (a private key and certificates, PEM after PEM) is taken apart. Making them is the keyring's.
import { utf8 } from "../crypto/primitives.js";
import type { CertificateRule } from "../types.gen.js";

/** The names that a certificate is asked for, by the field that says them. */
export function namesOf(rule: CertificateRule): { readonly field: string; readonly name: string }[] {
  const { commonName, dnsNames = [], ipAddresses = [], uris = [] } = rule;
  return [
    ...(commonName === undefined ? [] : [{ field: "commonName", name: commonName }]),
    ...dnsNames.map((name, at) => ({ field: `dnsNames.${at}`, name })),
    ...ipAddresses.map((name, at) => ({ field: `ipAddresses.${at}`, name })),
    ...uris.map((name, at) => ({ field: `uris.${at}`, name })),
  ];
}

/**
 * The names of a rule that a CA's rule does not give to the bundle: a name is given by exactly the same text, and a DNS or common
 * name also by `*.` and all that follows its first dot.
 */
export function namesNotIssued(ca: CertificateRule, bundle: string, rule: CertificateRule): string[] {
  const entries = (ca.issues ?? []).filter((each) => each.bundle === bundle || each.bundle === "*");
  const given = new Set(entries.flatMap(({ names }) => names));
  return namesOf(rule).flatMap(({ field, name }) => {
    const hasLabels = field === "commonName" || field.startsWith("dnsNames");
    const dot = name.indexOf(".");
    const isGiven = given.has(name) || (hasLabels && dot > 0 && given.has(`*${name.slice(dot)}`));
    return isGiven ? [] : [name];
  });
}

/** A certificate rule's value: the private key, the certificate, and those that it is checked by where others signed it or did before. */
export interface CertifiedParts {
  readonly key: Uint8Array;
  readonly certificate: Uint8Array;
  /** At least one: the certificate itself where nobody else signed it. */
  readonly authority: readonly Uint8Array[];
}

const BEGIN = utf8("-----BEGIN ");

/** Takes a value apart, without a copy; undefined where it is none of a certificate rule. `signed`: by another key than its own. */
export function certifiedParts(value: Uint8Array, signed: boolean): CertifiedParts | undefined {
  const starts: number[] = [];
  for (let at = 0; at < value.length; at += 1)
    if (BEGIN.every((byte, offset) => value[at + offset] === byte)) starts.push(at);
  const blocks = starts.map((start, at) => value.subarray(start, starts[at + 1]));
  const [key, certificate] = blocks;
  const authority = blocks.slice(signed ? 2 : 1);
  return key === undefined || certificate === undefined || authority.length === 0
    ? undefined
    : { key, certificate, authority };
}
