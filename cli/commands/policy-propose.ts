// `zopp policy propose`: what waits for owners' signatures; or a next version from a manifest that was edited by hand.
// Commands that change policy propose by themselves where one owner's signature is not enough.
import { ZoppError } from "../../crds/errors.js";
import { workspaceContent } from "../../crds/policy/edit.js";
import type { AcceptedWorkspace } from "../../crds/policy/workspace.js";
import type { ZoppWorkspace } from "../../crds/types.gen.js";
import { proposalChange } from "../amend.js";
import { policyDifferences } from "../diff.policy.js";
import { readInput } from "../input.js";
import type { Result } from "../output.js";
import { acceptNamedWorkspace } from "../policy.js";
import { storeChange } from "../policy-change.js";
import { judgeProposal, type Proposal, type ProposalState, proposalOf, proposalText } from "../proposal.js";
import type { Session } from "../session.js";
import { parseFound } from "../store/store.js";
import { readManifests } from "../store/yaml.read.js";

/** The flags of `zopp policy propose`. */
export interface PolicyProposeOptions {
  readonly drop?: boolean;
}

/** Runs `zopp policy propose [FILE]`. */
export async function run(session: Session, [file]: readonly string[], options: PolicyProposeOptions): Promise<Result> {
  const workspace = await acceptNamedWorkspace(session);
  if (options.drop === true) {
    if (file !== undefined) throw new ZoppError("Usage", "--drop takes back what waits: it needs no file");
    return drop(session, workspace);
  }
  return file === undefined ? show(session, workspace) : propose(session, workspace, file);
}

async function drop(session: Session, workspace: AcceptedWorkspace): Promise<Result> {
  const { name, object } = workspace;
  if (proposalText(object) === undefined) throw nothingWaits(workspace);
  const where = await (await session.store()).write([proposalChange(workspace, undefined)]);
  return { data: { workspace: name, where }, names: [name], human: [`taken back (${where.join(", ")})`] };
}

function nothingWaits({ name }: AcceptedWorkspace): ZoppError {
  return new ZoppError("NotFound", `workspace ${name} has no proposal that waits for signatures`);
}

/** The proposal that waits, and where it stands. Throws NotFound, Malformed, and what keeps it from ever coming into force. */
export function waitingProposal(workspace: AcceptedWorkspace, now: Date): Proposal & { readonly state: ProposalState } {
  const proposal = proposalOf(workspace.object);
  if (proposal === undefined) throw nothingWaits(workspace);
  try {
    return { ...proposal, state: judgeProposal(workspace, proposal.workspace, now) };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    const text = `the proposal comes into force no more (\`zopp policy propose --drop\` takes it away): ${error.message}`;
    throw new ZoppError(error.code, text, { cause: error });
  }
}

function show(session: Session, workspace: AcceptedWorkspace): Result {
  const { candidate, lacks, signed } = waitingProposal(workspace, session.context.now()).state;
  const changes = policyDifferences(workspace.object.spec, candidate.object.spec);
  const { name, version, digest } = candidate;
  return {
    data: { workspace: name, version, digest, changes, signed, lacks: lacks ?? null },
    names: [name],
    human: [
      `version ${version} of ${name} is proposed:`,
      ...changes.map((line) => `  ${line}`),
      `signed by ${signed.join(", ") || "nobody"}${lacks === undefined ? "" : `; ${lacks}`}`,
    ],
  };
}

async function propose(session: Session, workspace: AcceptedWorkspace, file: string): Promise<Result> {
  const edited = await editedWorkspace(session, file);
  if (edited.metadata.name !== workspace.name)
    throw new ZoppError("Usage", `${file} holds the workspace ${edited.metadata.name}, not ${workspace.name}`);
  const changes = policyDifferences(workspace.object.spec, edited.spec);
  if (changes.length === 0) throw new ZoppError("Usage", `${file} differs in nothing that owners decide`);
  const content = workspaceContent(edited);
  const { workspace: next, where, notes, proposed } = await storeChange(session, { workspace, content });
  return {
    data: { workspace: next.name, version: next.version, digest: next.digest, changes, proposed, where },
    names: [next.name],
    human: [...changes, `version ${next.version} of ${next.name} (${where.join(", ")})`],
    notes,
  };
}

async function editedWorkspace(session: Session, file: string): Promise<ZoppWorkspace> {
  const text = Buffer.from(await readInput(session.context, file)).toString("utf8");
  const [found, another] = readManifests(text, file);
  if (found === undefined || another !== undefined)
    throw new ZoppError("Usage", `${file} holds not exactly one manifest, the workspace as it shall be`);
  return parseFound("ZoppWorkspace", found.value, file);
}
