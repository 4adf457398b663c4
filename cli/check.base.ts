// What a git revision of a store held, as far as it chains from the pins: the base that changes are judged against.
// A base only ever narrows what needs rights; signatures are checked of everything all the same.
import { bindingsOf, type PlaceLedger } from "../crds/bundle/case.js";
import { bundleStatements } from "../crds/bundle/statements.js";
import { ZoppError } from "../crds/errors.js";
import { type AcceptedEnvironment, judgeEnvironment } from "../crds/policy/environment.js";
import type { AcceptedWorkspace } from "../crds/policy/workspace.js";
import type { ZoppSecret } from "../crds/types.gen.js";
import type { Context } from "./context.js";
import { judgeFromPins } from "./policy.js";
import type { Session } from "./session.js";
import type { DirectoryStore } from "./store/directory.js";
import { type Contents, type Kind, type Kinds, nameOf, parseFound } from "./store/store.js";
import { unlessRefused } from "./unless-refused.js";

/** The usable part of a revision: workspaces and environments by name, bundles by `namespace/name`. */
export interface Base {
  readonly workspaces: ReadonlyMap<string, AcceptedWorkspace>;
  readonly environments: ReadonlyMap<string, AcceptedEnvironment>;
  readonly bundles: ReadonlyMap<string, ZoppSecret>;
}

/** The base of a first commit. */
export const noBase: Base = { workspaces: new Map(), environments: new Map(), bundles: new Map() };

/** The base at a git revision of the session's store. Throws Usage for a cluster, NotFound for an unknown revision. */
export async function baseAt(session: Session, revision: string): Promise<Base> {
  const store = await session.store();
  if (store.kind !== "directory")
    throw new ZoppError("Usage", "--base compares a directory with a git revision; a cluster has none");
  return readBase(session.context, await (store as DirectoryStore).at(revision));
}

/** Reads a base. What of it is broken, or not trusted, is left out: then everything in its place counts as new. */
function readBase(context: Context, contents: Contents): Base {
  const parsed = <K extends Kind>(kind: K): Kinds[K][] =>
    contents.objects.flatMap((found) =>
      found.kind === kind ? (unlessRefused(() => parseFound(kind, found.value, found.where)) ?? []) : [],
    );
  const workspaces = new Map(
    parsed("ZoppWorkspace")
      .flatMap((object) => unlessRefused(() => judgeFromPins(context, object, true)) ?? [])
      .map((judged) => [judged.name, judged]),
  );
  const environments = new Map<string, AcceptedEnvironment>();
  for (const candidate of parsed("ZoppEnvironment")) {
    const workspace = workspaces.get(candidate.spec.workspace);
    if (workspace === undefined) continue;
    const judged = unlessRefused(() => judgeEnvironment({ candidate, workspace, now: context.now() }));
    if (judged !== undefined) environments.set(candidate.metadata.name, judged);
  }
  return {
    workspaces,
    environments,
    bundles: new Map(parsed("ZoppSecret").map((secret) => [nameOf(secret.metadata), secret])),
  };
}

/** A bundle of the base in the form in which a keyring remembers it. */
export function ledgerOf(secret: ZoppSecret, environment: AcceptedEnvironment): PlaceLedger {
  const statements = bundleStatements(secret, bindingsOf(environment));
  const entries = new Map(
    [...statements.entries].map(([key, { hash }]) => [key, { version: secret.spec.data?.[key]?.version ?? 0, hash }]),
  );
  const header = { version: secret.spec.header.version, hash: statements.header.hash };
  return { environment: secret.spec.environment, header, entries };
}
