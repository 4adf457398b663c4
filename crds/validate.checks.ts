// Owns the checks that several kinds share: canonical encodings, usable keys, real times, names that stand once.
// Does not own which field is checked for what. Every check adds what it finds to a list of problems.
import { decodeBase64 } from "./crypto/encoding.js";
import type { FieldProblem } from "./errors.js";
import type { Signature } from "./types.gen.js";
import { pathText } from "./validate.copy.js";

/** The problems found so far; checks add to it. */
export type Problems = FieldProblem[];

const KEY = /^[-._a-zA-Z0-9]{1,253}$/;

/** True for a key that an entry or a rendered value may have. */
export function isKey(key: string): boolean {
  return KEY.test(key) && key !== "." && !key.startsWith("..") && key !== "__proto__";
}

/** Notes a text that is not canonical base64 (RFC 4648 section 4, padded, unused bits zero), or empty. */
export function checkBase64(problems: Problems, path: string, text: string | undefined): void {
  if (text === undefined || (text !== "" && decodeBase64(text) !== null)) return;
  problems.push({ path, problem: "is not canonical base64" });
}

/** Notes a key that could not be read: `key` is what reading gave, null where that failed. */
export function checkKey(problems: Problems, path: string, key: object | null): void {
  if (key === null) problems.push({ path, problem: "is not a usable key (spelling, length or low order)" });
}

/** Notes a time that does not exist, such as 30 February. */
export function checkTime(problems: Problems, path: string, text: string | undefined): void {
  if (text === undefined) return;
  const time = Date.parse(text);
  const written = Number.isNaN(time) ? "" : `${new Date(time).toISOString().slice(0, 19)}Z`;
  if (written !== text) problems.push({ path, problem: "is not a real time of the form YYYY-MM-DDTHH:MM:SSZ" });
}

/** Notes each text of a list that stood there before; `field` is the member that holds it, for lists of objects. */
export function checkOnce(problems: Problems, path: string, texts: readonly string[], field?: string): void {
  const seen = new Set<string>();
  for (const [at, text] of texts.entries()) {
    const where = field === undefined ? `${path}.${at}` : `${path}.${at}.${field}`;
    if (seen.has(text)) problems.push({ path: where, problem: "stands there twice" });
    seen.add(text);
  }
}

/** Notes signers who stand twice and signatures that are not canonical. */
export function checkSignatures(problems: Problems, path: string, signatures: readonly Signature[]): void {
  checkOnce(
    problems,
    path,
    signatures.map(({ by }) => by),
    "by",
  );
  for (const [at, { value }] of signatures.entries()) checkBase64(problems, `${path}.${at}.value`, value);
}

const KID = /^zk1[a-z2-7]{16}$/;

/** Notes approvals whose key is not a kid, or whose signature is not canonical. */
export function checkApprovals(
  problems: Problems,
  path: string,
  approvals: Readonly<Record<string, string>> | undefined,
): void {
  for (const [kid, signature] of Object.entries(approvals ?? {})) {
    if (!KID.test(kid)) problems.push({ path: pathText([path, kid]), problem: "is not a kid" });
    else checkBase64(problems, `${path}.${kid}`, signature);
  }
}
