// Whether a part of a bundle was written by somebody who might, by the policy of now or by an earlier one of git.
// Whoever signs for others' values (a rekey, a baseline) vouches for no more than can be checked.
import { bindingsOf, type Policy, placeOf } from "../crds/bundle/case.js";
import { checkEntry, checkHeader } from "../crds/bundle/signed.js";
import { bundleStatements } from "../crds/bundle/statements.js";
import { ZoppError } from "../crds/errors.js";
import { ruleFor } from "../crds/policy/environment.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import type { Base } from "./check.base.js";

/** Who vouches for a part of a bundle: the present policy, or an earlier one for what stood beside it. */
export interface Voucher extends Policy {
  /** Absent: it vouches for what is shown to it, wherever that comes from. */
  readonly beside?: Base["bundles"];
}

/**
 * The policy that a base has for an environment; undefined unless it is an ancestor of the present one, which chains from
 * the pins, or that itself. Whoever can write to git can put any of those beside anything.
 */
export function earlierPolicy(policy: Policy, base: Base): Policy | undefined {
  const workspace = base.workspaces.get(policy.workspace.name);
  const environment = base.environments.get(policy.environment.object.metadata.name);
  if (workspace === undefined || environment === undefined) return undefined;
  const ancestors = [policy.workspace.digest, ...(policy.workspace.object.spec.ancestors ?? [])];
  return ancestors.includes(workspace.digest) ? { workspace, environment } : undefined;
}

/**
 * A base as a voucher for what is there now. Not for what came after it: somebody who left has his key still, and could sign
 * today what he might have written then.
 */
export function voucherIn(policy: Policy, base: Base): Voucher | undefined {
  const then = earlierPolicy(policy, base);
  return then && { ...then, beside: base.bundles };
}

/**
 * What a voucher has against an entry (or, without a key, the header), were it new: nothing is undefined. An older epoch is
 * nothing, an author whom the policy does not name is AuthorLeft.
 */
export function againstPart(
  secret: ZoppSecret,
  key: string | undefined,
  { beside, ...policy }: Voucher,
  now: Date,
): ZoppError | undefined {
  const problem = againstSigned(secret, key, policy, now);
  if (beside === undefined || (problem !== undefined && problem.code !== "PendingApproval")) return problem;
  const before = beside.get(placeOf(secret));
  const same =
    before !== undefined && statementOf(before, key, policy)?.hash === statementOf(secret, key, policy)?.hash;
  return same ? problem : new ZoppError("UnknownSigner", `${key ?? "the header"} is not what it was in that revision`);
}

function againstSigned(secret: ZoppSecret, key: string | undefined, policy: Policy, now: Date): ZoppError | undefined {
  const { workspace, environment } = policy;
  const statement = statementOf(secret, key, policy);
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

function statementOf(secret: ZoppSecret, key: string | undefined, { environment }: Policy) {
  const { header, entries } = bundleStatements(secret, bindingsOf(environment));
  return key === undefined ? header : entries.get(key);
}

/** Who signed a part, as the policy names him: `principal/device`, or the key's kid. */
export function authorOf({ spec }: ZoppSecret, key: string | undefined, { workspace }: Policy): string {
  const by = key === undefined ? spec.header.by : (spec.data?.[key]?.by ?? "");
  const signer = workspace.roster.signers.get(by);
  return signer === undefined ? by : `${signer.principal.name}/${signer.device.name}`;
}
