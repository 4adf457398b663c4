// Invites and the requests of those who used them, as the policy and the keyring have them.
// What is good is crds/policy/joining's to judge; who is admitted, an owner's.
import { ZoppError } from "../crds/errors.js";
import type { WorkspaceContent } from "../crds/policy/edit.js";
import { type GoodRequest, judgeJoin, readJoinRequest } from "../crds/policy/joining.js";
import { hasEnded } from "../crds/policy/versions.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { Invite } from "../crds/types.gen.js";
import { grantText } from "./granting.js";
import { readInput } from "./input.js";
import { type KeyringOptions, withKeyring } from "./keyring-call.js";
import type { Session } from "./session.js";

/** An invite of the policy. Throws NotFound. */
export function inviteNamed({ name: of, object }: AcceptedWorkspace, name: string): Invite {
  const { invites = [] } = object.spec;
  const found = invites.find((invite) => invite.name === name);
  if (found !== undefined) return found;
  const names = invites.map((invite) => invite.name).join(", ") || "none";
  throw new ZoppError("NotFound", `workspace ${of} has no invite ${name}; it has ${names}`);
}

/** The content with these invites, less those that have ended. */
export function withInvites(content: WorkspaceContent, invites: readonly Invite[], now: Date): WorkspaceContent {
  const { invites: _, ...rest } = content;
  const live = invites.filter(({ expires }) => !hasEnded(expires, now));
  return live.length === 0 ? rest : { ...rest, invites: live };
}

/** What an invite gives, in words. */
export function inviteText({ name, grant }: Invite): string {
  return grant === undefined ? "nothing yet" : grantText({ subject: name, ...grant });
}

/** What was asked by an invite, each once, and why some of it is not good. */
export interface Asked {
  readonly good: readonly GoodRequest[];
  readonly notes: readonly string[];
}

/**
 * The requests by an invite: from files, or from the cluster that is the store, or from a keyring. Throws for a file
 * that is no good request; what others left in a cluster is a note.
 */
export async function requestsBy(
  session: Session,
  workspace: AcceptedWorkspace,
  { name }: Invite,
  options: KeyringOptions & { readonly request?: readonly string[] },
): Promise<Asked> {
  const now = session.context.now();
  if (options.request !== undefined) {
    const values = await Promise.all(options.request.map((file) => requestIn(session, file)));
    const good = values.map((value) => judgeJoin(workspace, readJoinRequest(value), now));
    const other = good.find(({ request }) => request.invite !== name);
    if (other !== undefined) throw new ZoppError("JoinRefused", `the request is by the invite ${other.request.invite}`);
    return { good: eachOnce(good), notes: [] };
  }
  const good: GoodRequest[] = [];
  const notes: string[] = [];
  for (const value of await waitingIn(session, workspace, options)) {
    try {
      const request = readJoinRequest(value);
      if (request.invite === name) good.push(judgeJoin(workspace, request, now));
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      notes.push(`passed over: ${error.code}: ${error.message}`);
    }
  }
  return { good: eachOnce(good), notes };
}

async function requestIn(session: Session, file: string): Promise<unknown> {
  const text = Buffer.from(await readInput(session.context, file)).toString("utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ZoppError("Malformed", `${file} does not hold what \`zopp join\` wrote`, { cause });
  }
}

async function waitingIn(
  session: Session,
  workspace: AcceptedWorkspace,
  options: KeyringOptions,
): Promise<readonly unknown[]> {
  const store = await session.store();
  if (store.kind === "cluster") return workspace.object.status?.joinRequests ?? [];
  return withKeyring(session, { ...options, workspace }, async ({ keyring }) => {
    const { workspaces } = await keyring.describe();
    return workspaces.find(({ name }) => name === workspace.name)?.joinRequests ?? [];
  });
}

function eachOnce(requests: readonly GoodRequest[]): readonly GoodRequest[] {
  return [...new Map(requests.map((request) => [request.hash, request])).values()];
}
