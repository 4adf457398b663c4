// `zopp policy sign`: another owner reads what a proposal changes, and signs it; the last one whom it lacks brings it into force.
// Owners count as persons: a second device of one who has signed adds nothing.
import { ZoppError } from "../../crds/errors.js";
import { judgeEnvironment, readEnvironment } from "../../crds/policy/environment.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { ZoppEnvironment } from "../../crds/types.gen.js";
import { proposalChange } from "../amend.js";
import { askYes } from "../confirm.js";
import { policyDifferences } from "../diff.policy.js";
import { without } from "../granting.js";
import { terminalOf } from "../input.js";
import { printable, type Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { storeChange } from "../policy-change.js";
import { judgeProposal, ownerBy, type ProposalState, signProposal } from "../proposal.js";
import type { Session } from "../session.js";
import { waitingProposal } from "./policy-propose.js";

/** The flags of `zopp policy sign`. */
export interface PolicySignOptions {
  readonly yes?: boolean;
}

/** Runs `zopp policy sign`. */
export async function run(session: Session, _words: readonly string[], options: PolicySignOptions): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  const now = session.context.now();
  const { state: before, ...proposal } = waitingProposal(workspace, now);
  const changes = policyDifferences(workspace.object.spec, before.candidate.object.spec);
  const { signing } = await session.identity();
  const owner = ownerBy(workspace, before.candidate, signing);
  if (before.signed.includes(owner))
    throw new ZoppError("AlreadyExists", `${owner} has signed this proposal, and counts once, whatever the device`);
  await confirm(session, before, changes, options);
  const signed = signProposal(proposal.workspace, signing);
  const after = judgeProposal(workspace, signed, now);
  const { name, version, digest } = after.candidate;
  const data = { workspace: name, version, digest, changes, signed: after.signed, lacks: after.lacks ?? null };
  if (after.lacks !== undefined) {
    const change = proposalChange(workspace, { ...proposal, workspace: signed });
    const where = await (await session.store()).write([change]);
    const human = [...changes, `signed by ${after.signed.join(", ")} (${where.join(", ")})`];
    return { data: { ...data, where }, names: [name], human, notes: [`PartlySigned: ${after.lacks}`] };
  }
  const { where, notes } = await bringIntoForce(session, workspace, after.candidate, proposal.environments);
  const human = [
    ...changes,
    `version ${version} of ${name} is in force, signed by ${after.signed.join(", ")} (${where.join(", ")})`,
  ];
  return { data: { ...data, where }, names: [name], human, notes };
}

async function confirm(
  session: Session,
  { candidate, lacks, signed }: ProposalState,
  changes: readonly string[],
  options: PolicySignOptions,
): Promise<void> {
  if (options.yes === true) return;
  const { context } = session;
  const terminal = terminalOf(context, "read what `zopp policy propose` shows, and say --yes");
  const lines = [
    `version ${candidate.version} of ${candidate.name}:`,
    ...changes.map((line) => `  ${line}`),
    `signed by ${signed.join(", ") || "nobody"}${lacks === undefined ? "" : `; ${lacks}`}`,
  ];
  context.stderr.write(lines.map((line) => `${printable(line)}\n`).join(""));
  await askYes(terminal, "Sign it?", "the proposal was not signed");
}

/**
 * With the environments that were signed with it. One that was changed since follows from what it is now, signed by this
 * owner; where that cannot be, nothing is stored. Throws as storeChange.
 */
async function bringIntoForce(
  session: Session,
  workspace: AcceptedWorkspace,
  next: AcceptedWorkspace,
  environments: readonly ZoppEnvironment[],
) {
  const store = await session.store();
  const signed = await Promise.all(
    environments.map(async (object) => {
      const present = await store.read("ZoppEnvironment", { name: object.metadata.name });
      return { object, accepted: present === undefined ? undefined : readEnvironment(present) };
    }),
  );
  const good = signed.filter(({ object, accepted }) => isGood(session, next, object, accepted));
  const { principals, groups = [] } = next.object.spec;
  const known = new Set([...principals.map(({ name }) => name), ...groups.map(({ name }) => `group:${name}`)]);
  return storeChange(session, {
    workspace,
    signed: { workspace: next, environments: good },
    regrant: (grants) => without(grants, ({ subject }) => !known.has(subject)),
  });
}

function isGood(
  session: Session,
  workspace: AcceptedWorkspace,
  candidate: ZoppEnvironment,
  accepted: ReturnType<typeof readEnvironment> | undefined,
): boolean {
  try {
    judgeEnvironment({ candidate, accepted, workspace, now: session.context.now() });
    return true;
  } catch (error) {
    // its approvals come after it: `zopp approve`
    if (error instanceof ZoppError) return error.code === "PartlySigned";
    throw error;
  }
}
