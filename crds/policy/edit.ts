// Writes policy: new and amended workspaces and environments, signed. Data in, data out.
// Whether the signers suffice is judged by workspace.ts and environment.ts before anything is stored.
import type { SigningKey } from "../crypto/identity.js";
import {
  baselineStatement,
  environmentStatement,
  rotationStatement,
  type Statement,
  signStatement,
  workspaceStatement,
} from "../statement.js";
import type {
  BaselineSpec,
  EnvironmentSpec,
  Rotation,
  Signature,
  WorkspaceSpec,
  ZoppBaseline,
  ZoppEnvironment,
  ZoppWorkspace,
} from "../types.gen.js";
import { ownersDigest, ownersSet } from "./roster.js";
import { nextVersion } from "./versions.js";
import { MAX_ANCESTORS } from "./workspace.js";

/** The most rotations a policy keeps. */
const MAX_ROTATIONS = 64;

/** Who signs, and when. */
export interface Signing {
  readonly signingKeys: readonly SigningKey[];
  readonly now: Date;
}

/** What a person decides about a workspace; version, ancestors, rotations and signatures follow from it. */
export type WorkspaceContent = Omit<WorkspaceSpec, "version" | "ancestors" | "rotations" | "signatures">;

/** What a person decides about an environment. */
export type EnvironmentContent = Omit<EnvironmentSpec, "version" | "signatures">;

/** A workspace's first version. */
export function newWorkspace(name: string, content: WorkspaceContent, signing: Signing): ZoppWorkspace {
  const spec = { version: nextVersion(undefined, signing.now), ancestors: [], ...content, signatures: [] };
  return signWorkspace(workspaceObject(name, spec), signing);
}

/**
 * The next version of a workspace. `base` is the version that others may have accepted (git's HEAD, where the present
 * one is not committed yet): its digest and ancestors become the new one's ancestors, and a change of owners against
 * it becomes a rotation.
 */
export function amendWorkspace(
  present: ZoppWorkspace,
  content: WorkspaceContent,
  signing: Signing,
  base: ZoppWorkspace = present,
): ZoppWorkspace {
  const { name } = present.metadata;
  const digest = workspaceStatement(name, base.spec).hash;
  const version = nextVersion(Math.max(present.spec.version, base.spec.version), signing.now);
  const rotations = rotationsTo(name, base, { ...content, version }, signing);
  const spec: WorkspaceSpec = {
    version,
    ancestors: [digest, ...(base.spec.ancestors ?? [])].slice(0, MAX_ANCESTORS),
    ...content,
    ...(rotations.length === 0 ? {} : { rotations }),
    signatures: [],
  };
  return signWorkspace({ ...present, spec }, signing);
}

/** The content of a workspace, to be changed and handed to amendWorkspace. */
export function workspaceContent(object: ZoppWorkspace): WorkspaceContent {
  const { version: _v, ancestors: _a, rotations: _r, signatures: _s, ...content } = object.spec;
  return content;
}

/** An environment's first version. */
export function newEnvironment(content: EnvironmentContent, signing: Signing): ZoppEnvironment {
  const { workspace, project, environment } = content;
  return signEnvironment(
    {
      apiVersion: "zopp.dev/v1alpha1",
      kind: "ZoppEnvironment",
      metadata: { name: `${workspace}.${project}.${environment}` },
      spec: { version: nextVersion(undefined, signing.now), ...content, signatures: [] },
    },
    signing,
  );
}

/** The next version of an environment. */
export function amendEnvironment(
  present: ZoppEnvironment,
  content: EnvironmentContent,
  signing: Signing,
): ZoppEnvironment {
  const version = nextVersion(present.spec.version, signing.now);
  return signEnvironment({ ...present, spec: { ...content, version, signatures: [] } }, signing);
}

/** What a person decides about a baseline. */
export type BaselineContent = Omit<BaselineSpec, "version" | "signatures">;

/** A baseline; its version comes after `previous`: the one before, and the moments at which its keyrings' logs began. */
export function newBaseline(content: BaselineContent, signing: Signing, previous?: number): ZoppBaseline {
  const { workspace, project, environment } = content;
  const spec: BaselineSpec = { version: nextVersion(previous, signing.now), ...content, signatures: [] };
  return {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppBaseline",
    metadata: { name: `${workspace}.${project}.${environment}` },
    spec: {
      ...spec,
      signatures: signAsAdmin(baselineStatement(spec), baselineStatement(spec, true), signing),
    },
  };
}

/** A baseline with an approver's signature after those that it has. */
export function approveBaseline(object: ZoppBaseline, key: SigningKey): ZoppBaseline {
  const signatures = withApproval(object.spec.signatures, key, baselineStatement(object.spec, true));
  return { ...object, spec: { ...object.spec, signatures } };
}

/** An environment with an approver's signature after those that it has; a second one of the same key takes the first one's place. */
export function approveEnvironment(object: ZoppEnvironment, key: SigningKey): ZoppEnvironment {
  const signatures = withApproval(object.spec.signatures, key, environmentStatement(object.spec, true));
  return { ...object, spec: { ...object.spec, signatures } };
}

function withApproval(signatures: readonly Signature[], key: SigningKey, statement: Statement): Signature[] {
  const { kid } = key.verifyKey;
  const [author, ...approvals] = signatures;
  if (author === undefined) throw new TypeError("what is approved was signed by an admin first");
  const others = approvals.filter(({ by }) => by !== kid);
  return [author, ...others, { by: kid, value: signStatement(key, statement) }];
}

/** The content of an environment, to be changed and handed to amendEnvironment. */
export function environmentContent(object: ZoppEnvironment): EnvironmentContent {
  const { version: _v, signatures: _s, ...content } = object.spec;
  return content;
}

function workspaceObject(name: string, spec: WorkspaceSpec): ZoppWorkspace {
  return { apiVersion: "zopp.dev/v1alpha1", kind: "ZoppWorkspace", metadata: { name }, spec };
}

function signWorkspace(object: ZoppWorkspace, signing: Signing): ZoppWorkspace {
  const statement = workspaceStatement(object.metadata.name, object.spec);
  return { ...object, spec: { ...object.spec, signatures: signAll(statement, signing) } };
}

function signEnvironment(object: ZoppEnvironment, signing: Signing): ZoppEnvironment {
  const { spec } = object;
  const signatures = signAsAdmin(environmentStatement(spec), environmentStatement(spec, true), signing);
  return { ...object, spec: { ...spec, signatures } };
}

/** The first signer signs as the admin; the others as approvers, who sign a statement of their own type. */
function signAsAdmin(
  statement: Statement,
  approval: Statement,
  { signingKeys: [author, ...approvers], now }: Signing,
): readonly Signature[] {
  if (author === undefined) throw new TypeError("it needs a signer");
  return [...signAll(statement, { signingKeys: [author], now }), ...signAll(approval, { signingKeys: approvers, now })];
}

function signAll(statement: Statement, { signingKeys }: Signing): Signature[] {
  return signingKeys.map((key) => ({ by: key.verifyKey.kid, value: signStatement(key, statement) }));
}

/** The base's rotations, and one more when the owners or their devices change. */
function rotationsTo(
  name: string,
  base: ZoppWorkspace,
  content: WorkspaceContent & Pick<WorkspaceSpec, "version">,
  signing: Signing,
): readonly Rotation[] {
  const kept = base.spec.rotations ?? [];
  const from = ownersSet(base.spec);
  const to = ownersDigest(name, ownersSet({ ...base.spec, ...content }));
  if (to === ownersDigest(name, from)) return kept;
  const step = { version: content.version, from, to };
  return [...kept, { ...step, signatures: signAll(rotationStatement(name, step), signing) }].slice(-MAX_ROTATIONS);
}
