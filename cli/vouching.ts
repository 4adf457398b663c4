// Whether a part of a bundle was written by somebody who might, by the policy of now or by an earlier one of git.
// Whoever signs for others' values (a rekey, a baseline) vouches for no more than can be checked.
import { bindingsOf, type Policy } from "../crds/bundle/case.js";
import { checkEntry, checkHeader } from "../crds/bundle/signed.js";
import { bundleStatements } from "../crds/bundle/statements.js";
import { ZoppError } from "../crds/errors.js";
import { ruleFor } from "../crds/policy/environment.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import type { Base } from "./check.base.js";

/** The policy that a base has for an environment; undefined unless it is an ancestor of the present one, or that itself. */
export function earlierPolicy(policy: Policy, base: Base): Policy | undefined {
  const workspace = base.workspaces.get(policy.workspace.name);
  const environment = base.environments.get(policy.environment.object.metadata.name);
  if (workspace === undefined || environment === undefined) return undefined;
  const ancestors = [policy.workspace.digest, ...(policy.workspace.object.spec.ancestors ?? [])];
  return ancestors.includes(workspace.digest) ? { workspace, environment } : undefined;
}

/**
 * What a policy has against an entry (or, without a key, the header), were it new: nothing is undefined. An older epoch is
 * nothing, an author whom the policy does not name is AuthorLeft.
 */
export function againstPart(
  secret: ZoppSecret,
  key: string | undefined,
  policy: Policy,
  now: Date,
): ZoppError | undefined {
  const { workspace, environment } = policy;
  const { header, entries } = bundleStatements(secret, bindingsOf(environment));
  const statement = key === undefined ? header : entries.get(key);
  if (statement === undefined) return new ZoppError("NotFound", `there is no ${key}`);
  const given = { ...policy, secret, now, lenient: true };
  try {
    const rule = ruleFor(workspace, environment.scope);
    const { warnings = [] } =
      key === undefined ? checkHeader(given, statement, rule) : checkEntry(given, key, statement, rule);
    return warnings.find(({ code }) => code === "AuthorLeft");
  } catch (error) {
    if (error instanceof ZoppError) return error;
    throw error;
  }
}
