// Owns what a schema cannot say of the rules by which keyrings make values: names that collide, and values that are too weak.
// Who may sign such a rule is policy's business, what is made by it the keyring's.
import { namesOf } from "./bundle/certificate.js";
import { spanMs } from "./span.js";
import type { CertificateRule, GenerateRule, SecretSpec } from "./types.gen.js";
import { checkOnce, isKey, type Problems } from "./validate.checks.js";
import { pathText } from "./validate.copy.js";

/** The characters of a password whose rule names none. */
export const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** What a password must at least leave to guess, in bits. */
const LEAST_BITS = 64;

/** Which field goes with which kinds; `needed`: they do not go without it. */
const FIELDS = [
  { field: "length", kinds: ["password", "bytes"], needed: true },
  { field: "alphabet", kinds: ["password"], needed: false },
  { field: "curve", kinds: ["ecdsa", "certificate"], needed: true },
  { field: "bits", kinds: ["rsa"], needed: true },
  { field: "certificate", kinds: ["certificate"], needed: true },
  { field: "public", kinds: ["ed25519", "ecdsa", "rsa"], needed: false },
] as const;

/** Problems of the `generate` of the bundle of that name. */
export function generateProblems(name: string, { generate = {}, data = {}, render = {} }: SecretSpec): Problems {
  const problems: Problems = [];
  const taken = new Map<string, string>();
  for (const [key, { retired }] of Object.entries(data)) if (retired !== true) taken.set(key, "a data key");
  for (const key of Object.keys(render)) taken.set(key, "a rendered key");
  const take = (path: string, key: string): void => {
    const other = taken.get(key);
    if (!isKey(key)) problems.push({ path, problem: "is not a key that a Secret can have" });
    else if (other !== undefined) problems.push({ path, problem: `is ${other} as well` });
    taken.set(key, "a generated key");
  };
  const rules = Object.entries(generate).map(([key, rule]) => ({ path: pathText(["spec.generate", key]), key, rule }));
  for (const { path, key } of rules) take(path, key);
  for (const { path, rule } of rules) {
    ruleProblems(problems, path, rule);
    const { certificate } = rule;
    if (certificate !== undefined) certificateProblems(problems, path, rule, certificate);
    // neither could be accepted before the other
    if (certificate?.issuer?.name === name)
      problems.push({ path: `${path}.certificate.issuer.name`, problem: "is this bundle: a CA stands in another one" });
    const others = { public: rule.public, "certificate.key": certificate?.key };
    const more = { "certificate.authority": certificate?.authority, previous: rule.previous };
    for (const [field, named] of Object.entries({ ...others, ...more }))
      if (named !== undefined) take(`${path}.${field}`, named);
  }
  return problems;
}

function ruleProblems(problems: Problems, path: string, rule: GenerateRule): void {
  for (const { field, kinds, needed } of FIELDS) {
    const goes = (kinds as readonly string[]).includes(rule.kind);
    if (rule[field] !== undefined && !goes)
      problems.push({ path: `${path}.${field}`, problem: `does not go with the kind ${rule.kind}` });
    if (rule[field] === undefined && goes && needed)
      problems.push({ path: `${path}.${field}`, problem: `is missing: the kind ${rule.kind} needs it` });
  }
  const { kind, alphabet = LETTERS_AND_DIGITS, length = 0 } = rule;
  if (kind !== "password") return;
  if (new Set(alphabet).size < alphabet.length)
    problems.push({ path: `${path}.alphabet`, problem: "holds a character twice" });
  else if (length * Math.log2(alphabet.length) < LEAST_BITS)
    problems.push({ path: `${path}.length`, problem: `leaves less than ${LEAST_BITS} bits to guess` });
}

/** So many names fit into what a value may hold at most. */
const MOST_NAMES = 16;

function certificateProblems(problems: Problems, path: string, rule: GenerateRule, certificate: CertificateRule): void {
  const { ca = false, issues = [], validFor, ...fields } = certificate;
  const at = `${path}.certificate`;
  const names = namesOf(certificate);
  if (rule.rotateEvery === undefined)
    problems.push({ path: `${path}.rotateEvery`, problem: "is missing: certificates end" });
  else if ((spanMs(rule.rotateEvery) ?? 0) >= (spanMs(validFor) ?? 0))
    problems.push({ path: `${path}.rotateEvery`, problem: "is not shorter than certificate.validFor" });
  if (names.length > MOST_NAMES) problems.push({ path: at, problem: `has more than ${MOST_NAMES} names` });
  if (ca) {
    if (fields.commonName === undefined)
      problems.push({ path: `${at}.commonName`, problem: "is missing: a CA needs one" });
    for (const field of ["issuer", "dnsNames", "ipAddresses", "uris", "usages"] as const)
      if (fields[field] !== undefined) problems.push({ path: `${at}.${field}`, problem: "does not go with ca" });
  } else {
    if (names.length === 0) problems.push({ path: at, problem: "names nothing that the certificate is for" });
    if (certificate.issues !== undefined) problems.push({ path: `${at}.issues`, problem: "goes with ca only" });
  }
  for (const field of ["dnsNames", "ipAddresses", "uris", "usages"] as const)
    checkOnce(problems, `${at}.${field}`, fields[field] ?? []);
  for (const [index, address] of (fields.ipAddresses ?? []).entries())
    if (!isAddress(address))
      problems.push({ path: `${at}.ipAddresses.${index}`, problem: "is not an IP address in its shortest form" });
  for (const [index, uri] of (fields.uris ?? []).entries())
    if (!URL.canParse(uri)) problems.push({ path: `${at}.uris.${index}`, problem: "is not a URI" });
  for (const [index, { names: given }] of issues.entries()) checkOnce(problems, `${at}.issues.${index}.names`, given);
}

/** True for the text that every parser writes it as, so that one address is one text. */
function isAddress(text: string): boolean {
  const host = text.includes(":") ? `[${text}]` : text;
  return /^[0-9.]+$|:/.test(text) && URL.canParse(`http://${host}/`) && new URL(`http://${host}/`).hostname === host;
}
