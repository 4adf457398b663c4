// Owns what a schema cannot say of the rules by which keyrings make values: names that collide, and values that are too weak.
// Who may sign such a rule is policy's business, what is made by it the keyring's.
import type { GenerateRule, SecretSpec } from "./types.gen.js";
import { isKey, type Problems } from "./validate.checks.js";
import { pathText } from "./validate.copy.js";

/** The characters of a password whose rule names none. */
export const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** What a password must at least leave to guess, in bits. */
const LEAST_BITS = 64;

/** Which field goes with which kinds; `needed`: they do not go without it. */
const FIELDS = [
  { field: "length", kinds: ["password", "bytes"], needed: true },
  { field: "alphabet", kinds: ["password"], needed: false },
  { field: "curve", kinds: ["ecdsa"], needed: true },
  { field: "bits", kinds: ["rsa"], needed: true },
  { field: "public", kinds: ["ed25519", "ecdsa", "rsa"], needed: false },
] as const;

/** Problems of a bundle's `generate`. */
export function generateProblems({ generate = {}, data = {}, render = {} }: SecretSpec): Problems {
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
    for (const field of ["public", "previous"] as const) {
      const name = rule[field];
      if (name !== undefined) take(`${path}.${field}`, name);
    }
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
