// What waits for others' signatures and lacks nothing else: parts of a bundle, or a version of policy.
// Who gives them is the business of `approve` and `policy sign`, what is changed that of `diff`.
import { type BundleCase, bindingsOf } from "../crds/bundle/case.js";
import { checkEntry, checkHeader } from "../crds/bundle/signed.js";
import { bundleStatements } from "../crds/bundle/statements.js";
import { ZoppError } from "../crds/errors.js";
import { ruleFor } from "../crds/policy/environment.js";

/** A header (no key) or an entry that waits. */
export interface Part {
  readonly key?: string;
  readonly version: number;
  /** The principal who wrote it. */
  readonly author: string;
}

/** The parts that lack approvals and nothing else. Throws what else is wrong with one. */
export function waitingParts(given: BundleCase): readonly Part[] {
  const { secret, workspace, environment } = given;
  const rule = ruleFor(workspace, environment.scope);
  const statements = bundleStatements(secret, bindingsOf(environment));
  const authorOf = (by: string) => workspace.roster.signers.get(by)?.principal.name ?? by;
  const lenient = { ...given, lenient: true };
  const { header } = secret.spec;
  const parts: Part[] = [];
  if (waits(() => checkHeader(lenient, statements.header, rule)))
    parts.push({ version: header.version, author: authorOf(header.by) });
  for (const [key, statement] of statements.entries) {
    const entry = secret.spec.data?.[key];
    if (entry !== undefined && waits(() => checkEntry(lenient, key, statement, rule)))
      parts.push({ key, version: entry.version, author: authorOf(entry.by) });
  }
  return parts;
}

/** What a version of policy still lacks of others' signatures: undefined = nothing. Throws what else is wrong with it. */
export function lackingSignatures(judge: () => unknown): ZoppError | undefined {
  try {
    judge();
    return undefined;
  } catch (error) {
    if (error instanceof ZoppError && error.code === "PartlySigned") return error;
    throw error;
  }
}

function waits(check: () => unknown): boolean {
  try {
    check();
    return false;
  } catch (error) {
    if (error instanceof ZoppError && error.code === "PendingApproval") return true;
    throw error;
  }
}
