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
  /** The approval statement (not the author's). */
  readonly statement: Statement;
  readonly signatures: readonly Signature[];
  readonly now: Date;
}

/** How many approvals are missing, who gave one, and who could still. */
export interface Approvals {
  readonly missing: number;
  readonly given: readonly string[];
  readonly approvers: readonly string[];
}

/** Counts approvals: two devices of one person are one, the author and people who are no approvers are none. */
export function approvalsOf(given: ApprovalCase): Approvals {
  const { workspace, rule, author, statement, signatures, now } = given;
  const required = rule.approvals?.required ?? 0;
  const subjects = rule.approvals?.approvers ?? [];
  const approvers = workspace.object.spec.principals
    .filter(({ name, expires }) => name !== author && !hasEnded(expires, now))
    .filter(({ name }) => subjects.some((subject) => subjectIncludes(workspace.object.spec, subject, name)))
    .map(({ name }) => name);
  const persons = new Set<string>();
  for (const { by, value } of signatures) {
    const signer = workspace.roster.signers.get(by);
    if (signer === undefined || !approvers.includes(signer.principal.name)) continue;
    if (verifyStatement(signer.key, statement, value)) persons.add(signer.principal.name);
  }
  const missing = Math.max(0, required - persons.size);
  return { missing, given: [...persons], approvers: approvers.filter((name) => !persons.has(name)) };
}

/** Throws `code` (PartlySigned, PendingApproval) naming who could approve, when `what` lacks approvals that its rule asks for. */
export function refuseUnapproved(given: ApprovalCase, code: ErrorCode, what: string): void {
  const { missing, approvers } = approvalsOf(given);
  if (missing === 0) return;
  const required = given.rule.approvals?.required ?? 0;
  throw new ZoppError(code, `${what} lacks ${missing} of ${required} approvals (by ${approvers.join(", ")})`);
}
