// The states that a bundle was in: in a cluster the ControllerRevisions that the operator keeps, in a directory git's commits.
// Nothing of them is trusted: what is used of one is verified by whoever uses it.
import { bindingsOf, type Policy, placeOf } from "../crds/bundle/case.js";
import { BUNDLE_UID_LABEL, isRevisionOf, parseRevision } from "../crds/bundle/revision.js";
import { bundleDigest, bundleStatements } from "../crds/bundle/statements.js";
import { ZoppError } from "../crds/errors.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import { CONTROLLER_REVISIONS, type KubeObject } from "../operator/kube/resources.js";
import { bundleDifferences } from "./diff.bundle.js";
import { contextClient } from "./keyring-call.js";
import type { Session } from "./session.js";
import type { DirectoryStore } from "./store/directory.js";
import { type Found, parseFound } from "./store/store.js";
import { unlessRefused } from "./unless-refused.js";

/** One state of a bundle. */
export interface State {
  /** What a person names it by: a revision's number, or a git revision. */
  readonly revision: string;
  /** When it was applied, or committed; undefined = not known. */
  readonly when?: string | undefined;
  readonly secret: ZoppSecret;
  /** What a cluster's revision says that it is. */
  readonly digest?: string | undefined;
}

/** All states that are kept, oldest first, and what a person should hear of them. Throws NotFound outside git. */
export async function statesOf(
  session: Session,
  present: ZoppSecret,
): Promise<{ readonly states: readonly State[]; readonly notes: readonly string[] }> {
  const store = await session.store();
  return store.kind === "cluster" ? inCluster(session, present) : inGit(store as DirectoryStore, present);
}

/** One state by its name. Throws NotFound, Malformed, TooLarge. */
export async function stateAt(session: Session, present: ZoppSecret, revision: string): Promise<State> {
  const store = await session.store();
  const { namespace, name } = present.metadata;
  const unknown = (where: string) =>
    new ZoppError(
      "NotFound",
      `bundle ${namespace}/${name} has no revision ${revision} ${where}: \`zopp history\` lists them`,
    );
  if (store.kind === "cluster") {
    const found = (await listed(session, present)).find((each) => String(each.revision) === revision);
    if (found === undefined) throw unknown("in the cluster");
    return stateOf(present, found);
  }
  const { objects } = await (store as DirectoryStore).at(revision);
  const secret = bundleIn(objects, present);
  if (secret === undefined) throw unknown("in git");
  return { revision, secret };
}

interface Listed extends KubeObject {
  readonly revision?: number;
  readonly data?: unknown;
}

async function inCluster(session: Session, present: ZoppSecret) {
  const notes: string[] = [];
  const states = (await listed(session, present)).flatMap((found): State[] => {
    try {
      return [stateOf(present, found)];
    } catch (error) {
      if (!(error instanceof ZoppError)) throw error;
      notes.push(`${error.code}: ${error.message}`);
      return [];
    }
  });
  return { states, notes };
}

/** The revisions of this bundle, by number: one of the same name that was deleted had others. */
async function listed(session: Session, present: ZoppSecret): Promise<readonly Listed[]> {
  const bundle = keptOf(present);
  const client = await contextClient(session);
  try {
    const labelSelector = `${BUNDLE_UID_LABEL}=${bundle.uid}`;
    const { items } = await client.list<Listed>(CONTROLLER_REVISIONS, { namespace: bundle.namespace, labelSelector });
    const ours = items.filter((item) => isRevisionOf(bundle, item));
    return ours.sort((a, b) => (a.revision ?? 0) - (b.revision ?? 0));
  } finally {
    await client.close();
  }
}

function keptOf({ metadata }: ZoppSecret) {
  const { namespace, name, uid = "" } = metadata;
  return { namespace, name, uid };
}

function stateOf(present: ZoppSecret, found: Listed): State {
  const { revision, applied, secret, digest } = parseRevision(keptOf(present), found);
  return { revision: String(revision), when: applied, secret, digest };
}

/** Throws SignatureInvalid for a cluster's revision that does not hold what its name says. */
export function refuseEdited(present: ZoppSecret, { revision, secret, digest }: State, { environment }: Policy): void {
  if (digest === undefined) return;
  // its name is made of the digest that it says (isRevisionOf)
  if (bundleDigest(bundleStatements(secret, bindingsOf(environment))) === digest) return;
  throw new ZoppError(
    "SignatureInvalid",
    `bundle ${placeOf(present)}: revision ${revision} is not what it was when it was kept`,
  );
}

/** One state for each commit in which the bundle is another one than in the commit before; approvals that came later are its. */
async function inGit(store: DirectoryStore, present: ZoppSecret) {
  const { past, isWhole } = await store.history("HEAD");
  const states: State[] = [];
  for (const { commit, when, objects } of past) {
    // what did not parse in some commit is no state to go back to
    const secret = unlessRefused(() => bundleIn(objects, present));
    const before = states.at(-1)?.secret;
    if (secret === undefined || secret === before) continue;
    if (bundleDifferences(before, secret).length === 0) {
      if (before === undefined || approvalsIn(secret) <= approvalsIn(before)) continue;
      states.pop();
    }
    states.push({ revision: commit.slice(0, 12), when: `${when.toISOString().slice(0, 19)}Z`, secret });
  }
  return {
    states,
    notes: isWhole ? [] : ["the clone is shallow: older commits are not here (`git fetch --unshallow`)"],
  };
}

function approvalsIn({ spec }: ZoppSecret): number {
  const parts = [spec.header, ...Object.values(spec.data ?? {})];
  return parts.reduce((sum, { approvals }) => sum + Object.keys(approvals ?? {}).length, 0);
}

function bundleIn(objects: readonly Found[], { metadata }: ZoppSecret): ZoppSecret | undefined {
  const found = objects.find(
    ({ kind, namespace, name }) =>
      kind === "ZoppSecret" && name === metadata.name && (namespace ?? metadata.namespace) === metadata.namespace,
  );
  return found === undefined ? undefined : parseFound("ZoppSecret", found.value, found.where);
}
