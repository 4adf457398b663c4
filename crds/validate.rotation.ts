// Owns what a schema cannot say of a rotation's job: what it needs in `generate`, and keys that would be in the Secret after all.
// Who may sign for one is bundle/signed.ts' business, how it runs the operator's.
import { keysOfRule } from "./bundle/target.js";
import { spanMs } from "./span.js";
import type { SecretSpec } from "./types.gen.js";
import { checkOnce, isKey, type Problems } from "./validate.checks.js";
import { pathText } from "./validate.copy.js";

/** How long the job of a rotation that says nothing of it may take, as a span. */
export const DEFAULT_DEADLINE = "10m";
/** The longest that a rotation's job may take, as a span. */
const LONGEST = "1h";
/** In the Secret of the job a key has `new.` or `old.` before it, and 253 characters at most. */
const LONGEST_KEY = 249;

/** Problems of a bundle's `rotation`. */
export function rotationProblems({ rotation, generate = {}, render = {}, data = {}, target }: SecretSpec): Problems {
  const problems: Problems = [];
  if (rotation === undefined) return problems;
  const rules = Object.entries(generate);
  if (rules.length === 0) problems.push({ path: "spec.rotation", problem: "has no rule in spec.generate to rotate" });
  for (const [key, { previous }] of rules) {
    if (previous !== undefined) continue;
    const path = `${pathText(["spec.generate", key])}.previous`;
    problems.push({ path, problem: "is missing: the job of spec.rotation gets the value before" });
  }
  if ((spanMs(rotation.deadline ?? "") ?? 0) > (spanMs(LONGEST) ?? 0))
    problems.push({ path: "spec.rotation.deadline", problem: `is longer than ${LONGEST}` });
  if (target?.immutable === true)
    problems.push({ path: "spec.target.immutable", problem: "goes with no rotation: the Secret gets new values" });
  for (const key of [...Object.keys(data), ...Object.keys(generate)]) {
    const path = pathText([Object.hasOwn(generate, key) ? "spec.generate" : "spec.data", key]);
    if (key.length > LONGEST_KEY) problems.push({ path, problem: `is longer than a rotation's job can be given it` });
  }
  const generated = new Set(rules.flatMap(([key, rule]) => keysOfRule(key, rule)));
  for (const [at, key] of (rotation.keys ?? []).entries()) {
    const path = `spec.rotation.keys.${at}`;
    if (!isKey(key)) problems.push({ path, problem: "is not a key that a Secret can have" });
    else if (generated.has(key)) problems.push({ path, problem: "is a generated key as well" });
    else if (Object.hasOwn(render, key)) problems.push({ path, problem: "is a rendered key as well" });
  }
  checkOnce(problems, "spec.rotation.keys", rotation.keys ?? []);
  return problems;
}
