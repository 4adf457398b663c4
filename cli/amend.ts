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
import { type AcceptedWorkspace, judgeWorkspace, readWorkspace } from "../crds/policy/workspace.js";
import { environmentStatement, workspaceStatement } from "../crds/statement.js";
import type { ZoppEnvironment, ZoppWorkspace } from "../crds/types.gen.js";
import { parseEnvironment, parseWorkspace } from "../crds/validate.js";
import { judgeFromPins, remember, signerOf } from "./policy.js";
import type { Session } from "./session.js";
import { type Change, change } from "./store/store.js";

/** An environment's new content: of one that is there, or of a new one. */
export interface EnvironmentAmendment {
  readonly accepted?: AcceptedEnvironment | undefined;
  readonly content: EnvironmentContent;
}

/** A change of policy. */
export interface Amendment {
  readonly workspace: AcceptedWorkspace;
  readonly identity: Identity;
  /** Absent = the workspace stays as it is. */
  readonly content?: WorkspaceContent | undefined;
  /** Made when the workspace's new version is known. */
  readonly environments?: readonly EnvironmentAmendment[];
}

/** What was stored, and what still waits for others' signatures. */
export interface Amended {
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
  const workspace = await nextWorkspace(session, amendment, notes);
  if (workspace !== amendment.workspace) changes.push(workspaceChange(amendment.workspace, workspace.object));
  const environments = (amendment.environments ?? []).map((wanted) => {
    const judged = nextEnvironment(session, amendment.identity, workspace, wanted, notes);
    changes.push(environmentChange(wanted.accepted, judged.object));
    return judged;
  });
  const where = await store.write(changes);
  // what still waits for signatures is accepted by nobody yet, so no pin follows it
  if (notes.length === 0) await remember(session, workspace, environments);
  return { workspace, environments, where: [...new Set(where)], notes };
}

async function nextWorkspace(session: Session, amendment: Amendment, notes: string[]): Promise<AcceptedWorkspace> {
  const { workspace, identity, content } = amendment;
  if (content === undefined) return workspace;
  refuseStranger(workspace, identity);
  const now = session.context.now();
  const base = await baseOf(session, workspace);
  const signing = { signingKeys: [identity.signing], now };
  const candidate = parseWorkspace(plain(amendWorkspace(workspace.object, content, signing, base)));
  return tolerate(
    notes,
    () => judgeWorkspace({ candidate, accepted: readWorkspace(base), now }),
    () => readWorkspace(candidate),
  );
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
  return tolerate(
    notes,
    () => judgeEnvironment({ candidate, accepted, workspace, now }),
    () => readEnvironment(candidate),
  );
}

/** A missing threshold or approval leaves a valid object that waits: the person hears of it. */
function tolerate<T>(notes: string[], judge: () => T, read: () => T): T {
  try {
    return judge();
  } catch (error) {
    if (!(error instanceof ZoppError) || error.code !== "PartlySigned") throw error;
    notes.push(`${error.code}: ${error.message}`);
    return read();
  }
}

/** Stores only over exactly what was judged. */
function workspaceChange(judged: AcceptedWorkspace, next: ZoppWorkspace): Change {
  const { name } = judged;
  return change("ZoppWorkspace", { name }, (present) => {
    if (present !== undefined && workspaceStatement(name, present.spec).hash === judged.digest)
      return { ...present, spec: next.spec };
    throw new ZoppError("ApiConflict", `workspace ${name} was changed by somebody else meanwhile`);
  });
}

function environmentChange(judged: AcceptedEnvironment | undefined, next: ZoppEnvironment): Change {
  const { name } = next.metadata;
  return change("ZoppEnvironment", { name }, (present) => {
    const digest = present === undefined ? undefined : environmentStatement(present.spec).hash;
    if (digest === judged?.digest) return present === undefined ? next : { ...present, spec: next.spec };
    if (judged === undefined) throw new ZoppError("AlreadyExists", `environment ${name} is already there`);
    throw new ZoppError("ApiConflict", `environment ${name} was changed by somebody else meanwhile`);
  });
}

function plain(object: unknown): unknown {
  return JSON.parse(JSON.stringify(object));
}
