// Signs and stores changed policy: a new version of the workspace and of its environments, judged before they are written.
// What changes is the commands' business.
import type { Identity } from "../crds/crypto/identity.js";
import { ZoppError } from "../crds/errors.js";
import {
  amendEnvironment,
  amendWorkspace,
  type EnvironmentContent,
  newEnvironment,
  type WorkspaceContent,
} from "../crds/policy/edit.js";
import { type AcceptedEnvironment, judgeEnvironment, readEnvironment } from "../crds/policy/environment.js";
import { type AcceptedWorkspace, readWorkspace } from "../crds/policy/workspace.js";
import { environmentStatement, workspaceStatement } from "../crds/statement.js";
import type { ZoppEnvironment, ZoppWorkspace } from "../crds/types.gen.js";
import { parseEnvironment, parseWorkspace } from "../crds/validate.js";
import { judgeFromPins, remember, signerOf } from "./policy.js";
import { judgeProposal, type Proposal, proposalOf, proposalText, withProposal } from "./proposal.js";
import type { Session } from "./session.js";
import { type Change, change } from "./store/store.js";
import { lackingSignatures } from "./waiting.js";

/** An environment's new content: of one that is there, or of a new one. */
export interface EnvironmentAmendment {
  readonly accepted?: AcceptedEnvironment | undefined;
  readonly content: EnvironmentContent;
}

/** A version that enough owners have signed, and the environments that were signed with it; each with what it takes the place of. */
export interface SignedPolicy {
  readonly workspace: AcceptedWorkspace;
  readonly environments: readonly {
    readonly accepted: AcceptedEnvironment | undefined;
    readonly object: ZoppEnvironment;
  }[];
}

/** A change of policy. */
export interface Amendment {
  readonly workspace: AcceptedWorkspace;
  readonly identity: Identity;
  /** Absent = the workspace stays as it is. */
  readonly content?: WorkspaceContent | undefined;
  /** In the place of a content. */
  readonly signed?: SignedPolicy | undefined;
  /** Made when the workspace's new version is known. */
  readonly environments?: readonly EnvironmentAmendment[];
}

/** What was stored, and what still waits for others' signatures. */
export interface Amended {
  /** Other owners must sign first: the change lies there as a proposal, and nothing of it is in force. */
  readonly proposed: boolean;
  readonly workspace: AcceptedWorkspace;
  readonly environments: readonly AcceptedEnvironment[];
  readonly where: readonly string[];
  readonly notes: readonly string[];
}

/** Signs, judges and stores. Throws what judging finds, except that other signatures are missing: that is a note. */
export async function storeAmendment(session: Session, amendment: Amendment): Promise<Amended> {
  const notes: string[] = [];
  const store = await session.store();
  const changes: Change[] = [];
  const { workspace, proposed } = await nextWorkspace(session, amendment, notes);
  if (workspace !== amendment.workspace && !proposed)
    changes.push(workspaceChange(amendment.workspace, workspace.object));
  for (const { accepted, object } of amendment.signed?.environments ?? [])
    changes.push(environmentChange(accepted?.digest, object));
  const environments = (amendment.environments ?? []).map((wanted) => {
    const judged = nextEnvironment(session, amendment.identity, workspace, wanted, notes);
    if (!proposed) changes.push(environmentChange(wanted.accepted?.digest, judged.object));
    return judged;
  });
  if (proposed) {
    const proposal = { workspace: workspace.object, environments: environments.map(({ object }) => object) };
    changes.push(proposalChange(amendment.workspace, proposal));
  }
  const where = await store.write(changes);
  // what still waits for signatures is accepted by nobody yet, so no pin follows it
  if (notes.length === 0) await remember(session, workspace, environments);
  const places = [...new Set(where)].map((place) => (proposed ? `as a proposal in ${place}` : place));
  return { workspace, environments, where: places, notes, proposed };
}

/** A version that other owners must sign as well is made from the present one, which they have in hand when they sign. */
async function nextWorkspace(
  session: Session,
  amendment: Amendment,
  notes: string[],
): Promise<{ readonly workspace: AcceptedWorkspace; readonly proposed: boolean }> {
  const { workspace, identity, content, signed } = amendment;
  if (content === undefined) return { workspace: signed?.workspace ?? workspace, proposed: false };
  refuseStranger(workspace, identity);
  const now = session.context.now();
  const base = await baseOf(session, workspace);
  const signing = { signingKeys: [identity.signing], now };
  const madeFrom = (from: ZoppWorkspace) =>
    parseWorkspace(plain(amendWorkspace(workspace.object, content, signing, from)));
  const judge = (from: ZoppWorkspace) => judgeProposal(readWorkspace(from), madeFrom(from), now);
  const { candidate, lacks } = judge(base);
  if (lacks === undefined) return { workspace: candidate, proposed: false };
  refuseSecond(workspace, now);
  const proposed = judge(workspace.object);
  notes.push(
    `PartlySigned: ${proposed.lacks}; until then it is a proposal, which nobody follows: \`zopp policy sign\`, by an owner who is missing`,
  );
  return { workspace: proposed.candidate, proposed: true };
}

/** One proposal at a time: a second one would put the first one's signatures away. Throws StillNeeded. */
function refuseSecond(workspace: AcceptedWorkspace, now: Date): void {
  let waiting: Proposal | undefined;
  try {
    waiting = proposalOf(workspace.object);
    if (waiting === undefined) return;
    // signed by nobody, it is no owner's wish
    if (judgeProposal(workspace, waiting.workspace, now).signed.length === 0) return;
  } catch (error) {
    // damaged, or overtaken: it can never come into force any more
    if (error instanceof ZoppError) return;
    throw error;
  }
  const text = `workspace ${workspace.name}: a proposal (version ${waiting.workspace.spec.version}) waits for signatures: sign it by \`zopp policy sign\`, or take it back by \`zopp policy propose --drop\``;
  throw new ZoppError("StillNeeded", text);
}

/** A policy that no owner signed would only be in everybody's way. Throws NotAuthorised, UnknownSigner. */
export function refuseStranger(workspace: AcceptedWorkspace, identity: Identity): void {
  const { principal } = signerOf(workspace, identity);
  const owners = workspace.object.spec.owners.principals;
  if (owners.includes(principal.name)) return;
  const text = `workspace ${workspace.name} is signed by its owners (${owners.join(", ")}); ${principal.name} is none`;
  throw new ZoppError("NotAuthorised", text);
}

/**
 * The version that others can have: git's HEAD where the present one is not committed and HEAD's chains from the pins,
 * so that drafts do not crowd the list of ancestors; else the present one.
 */
async function baseOf(session: Session, workspace: AcceptedWorkspace): Promise<ZoppWorkspace> {
  const { name } = workspace;
  const store = await session.store();
  const head = await store.committed("ZoppWorkspace", { name }).catch(() => undefined);
  if (head === undefined || head.spec.version >= workspace.version) return workspace.object;
  const { ancestors = [] } = workspace.object.spec;
  if (!ancestors.includes(workspaceStatement(name, head.spec).hash)) return workspace.object;
  try {
    return judgeFromPins(session.context, head, true).object;
  } catch {
    return workspace.object;
  }
}

function nextEnvironment(
  session: Session,
  identity: Identity,
  workspace: AcceptedWorkspace,
  wanted: EnvironmentAmendment,
  notes: string[],
): AcceptedEnvironment {
  const now = session.context.now();
  const signing = { signingKeys: [identity.signing], now };
  const { accepted, content } = wanted;
  const object =
    accepted === undefined ? newEnvironment(content, signing) : amendEnvironment(accepted.object, content, signing);
  const candidate = parseEnvironment(plain(object));
  const lacks = lackingSignatures(() => judgeEnvironment({ candidate, accepted, workspace, now }));
  // a missing approval leaves a valid object that waits
  if (lacks !== undefined) notes.push(`${lacks.code}: ${lacks.message}`);
  return readEnvironment(candidate);
}

/** Stores only over exactly what was judged; what was proposed beside it cannot follow any more. */
function workspaceChange(judged: AcceptedWorkspace, next: ZoppWorkspace): Change {
  return overJudged(judged, (present) => withProposal({ ...present, spec: next.spec }, undefined));
}

/** Stores a proposal beside exactly the version that it was made from, or takes it away. */
export function proposalChange(judged: AcceptedWorkspace, proposal: Proposal | undefined): Change {
  return overJudged(judged, (present) => withProposal(present, proposal));
}

function overJudged(
  { name, digest, object }: AcceptedWorkspace,
  make: (present: ZoppWorkspace) => ZoppWorkspace,
): Change {
  return change("ZoppWorkspace", { name }, (present) => {
    if (
      present !== undefined &&
      workspaceStatement(name, present.spec).hash === digest &&
      proposalText(present) === proposalText(object)
    )
      return make(present);
    throw new ZoppError("ApiConflict", `workspace ${name} was changed by somebody else meanwhile`);
  });
}

/** Stores only over the version with this digest, or where there is none. */
function environmentChange(judged: string | undefined, next: ZoppEnvironment): Change {
  const { name } = next.metadata;
  return change("ZoppEnvironment", { name }, (present) => {
    const digest = present === undefined ? undefined : environmentStatement(present.spec).hash;
    if (digest === judged) return present === undefined ? next : { ...present, spec: next.spec };
    if (judged === undefined) throw new ZoppError("AlreadyExists", `environment ${name} is already there`);
    throw new ZoppError("ApiConflict", `environment ${name} was changed by somebody else meanwhile`);
  });
}

function plain(object: unknown): unknown {
  return JSON.parse(JSON.stringify(object));
}
