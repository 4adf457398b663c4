// Approvals: signatures beside the author's, counted by person and only of the environment's approvers.
// What is approved is the caller's statement.
import { type ErrorCode, ZoppError } from "../errors.js";
import { type Statement, verifyStatement } from "../statement.js";
import type { Signature, WorkspaceEnvironment } from "../types.gen.js";
import { subjectIncludes } from "./rights.js";
import { hasEnded } from "./versions.js";
import type { AcceptedWorkspace } from "./workspace.js";

/** What approvals are counted on. */
export interface ApprovalCase {
  readonly workspace: AcceptedWorkspace;
  readonly rule: WorkspaceEnvironment;
  /** The principal who wrote it: never counts. */
  readonly author: string;
  readonly signatures: readonly Signature[];
  readonly now: Date;
  /** The approval statement (not the author's): made only where approvals are asked for, since it costs a hash. */
  statement(): Statement;
}

/**
 * Throws `code` (PartlySigned, PendingApproval) naming who could still approve, when `what` lacks approvals that its rule
 * asks for. Two devices of one person are one approval, the author and people who are no approvers are none.
 */
export function refuseUnapproved(given: ApprovalCase, code: ErrorCode, what: string): void {
  const required = given.rule.approvals?.required ?? 0;
  if (required === 0) return;
  const approvers = approversOf(given);
  const approved = approvedBy(given, approvers);
  const missing = required - approved.size;
  if (missing <= 0) return;
  const others = approvers.filter((name) => !approved.has(name));
  throw new ZoppError(code, `${what} lacks ${missing} of ${required} approvals (by ${others.join(", ")})`);
}

/** Who may approve what `author` wrote: the rule's approvers by name, without those whose membership has ended. */
export function approversOf({
  workspace,
  rule,
  author,
  now,
}: Pick<ApprovalCase, "workspace" | "rule" | "author" | "now">): readonly string[] {
  const subjects = rule.approvals?.approvers ?? [];
  return workspace.object.spec.principals
    .filter(({ name, expires }) => name !== author && !hasEnded(expires, now))
    .filter(({ name }) => subjects.some((subject) => subjectIncludes(workspace.object.spec, subject, name)))
    .map(({ name }) => name);
}

function approvedBy(given: ApprovalCase, approvers: readonly string[]): ReadonlySet<string> {
  const statement = given.statement();
  const persons = new Set<string>();
  for (const { by, value } of given.signatures) {
    const signer = given.workspace.roster.signers.get(by);
    if (signer === undefined || !approvers.includes(signer.principal.name)) continue;
    if (verifyStatement(signer.key, statement, value)) persons.add(signer.principal.name);
  }
  return persons;
}
