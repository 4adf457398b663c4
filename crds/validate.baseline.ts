// Owns what a schema cannot say of baselines, each problem with its path.
// Does not own who may sign them, which is policy's business.
import { parseVerifyKey } from "./crypto/keys.js";
import type { ZoppBaseline } from "./types.gen.js";
import { checkKey, checkOnce, checkSignatures, type Problems } from "./validate.checks.js";

/** Problems of a baseline's fields. */
export function baselineProblems({ metadata, spec }: ZoppBaseline): Problems {
  const problems: Problems = [];
  if (metadata.name !== `${spec.workspace}.${spec.project}.${spec.environment}`) {
    problems.push({ path: "metadata.name", problem: "is not workspace.project.environment of spec" });
  }
  let before = "";
  for (const [at, { namespace, name }] of spec.bundles.entries()) {
    const place = `${namespace}/${name}`;
    if (place <= before) problems.push({ path: `spec.bundles.${at}`, problem: "does not come after the one before" });
    before = place;
  }
  const keys = (spec.authors ?? []).map(({ signingKey }) => signingKey);
  for (const [at, key] of keys.entries()) checkKey(problems, `spec.authors.${at}.signingKey`, parseVerifyKey(key));
  checkOnce(problems, "spec.authors", keys, "signingKey");
  checkSignatures(problems, "spec.signatures", spec.signatures);
  return problems;
}
