// Proposals: a next version of the workspace that waits for other owners' signatures, kept in an annotation of the accepted one.
// Clusters ignore it, and everybody goes on by the accepted version; whose signatures it lacks is crds/policy's to say.
import { gunzipSync, gzipSync } from "node:zlib";
import { decodeBase64 } from "../crds/crypto/encoding.js";
import type { SigningKey } from "../crds/crypto/identity.js";
import { ZoppError } from "../crds/errors.js";
import { type AcceptedWorkspace, judgeWorkspace, ownersWhoSigned, readWorkspace } from "../crds/policy/workspace.js";
import { rotationStatement, type Statement, signStatement, workspaceStatement } from "../crds/statement.js";
import type { OwnersSet, Signature, ZoppEnvironment, ZoppWorkspace } from "../crds/types.gen.js";
import { parseEnvironment, parseWorkspace } from "../crds/validate.js";
import { lackingSignatures } from "./waiting.js";

const ANNOTATION = "zopp.dev/proposal";
/** Half of what is left of kubectl's 256 KiB of annotations, where it keeps a copy of the object beside. */
const MAX_TEXT = 96 * 1024;
const MAX_JSON = 4 * 1024 * 1024;

/** A version that waits, and the environments that were signed with it. */
export interface Proposal {
  readonly workspace: ZoppWorkspace;
  readonly environments: readonly ZoppEnvironment[];
}

/** The proposal as it stands there, judged by nobody. */
export function proposalText({ metadata: { annotations } }: ZoppWorkspace): string | undefined {
  return annotations?.[ANNOTATION];
}

/** The proposal beside an accepted workspace; undefined = nothing waits. Throws Malformed. */
export function proposalOf(object: ZoppWorkspace): Proposal | undefined {
  const text = proposalText(object);
  if (text === undefined) return undefined;
  const { name } = object.metadata;
  const { spec, environments } = unpacked(name, text) as { readonly spec?: unknown; readonly environments?: unknown };
  const { apiVersion, kind } = HEAD;
  return {
    workspace: parseWorkspace({ apiVersion, kind, metadata: { name }, spec }),
    environments: (Array.isArray(environments) ? environments : []).map(parseEnvironment),
  };
}

const HEAD = { apiVersion: "zopp.dev/v1alpha1", kind: "ZoppWorkspace" } as const;

function unpacked(name: string, text: string): object {
  try {
    const bytes = gunzipSync(decodeBase64(text) ?? "", { maxOutputLength: MAX_JSON });
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof value === "object" && value !== null) return value;
  } catch (cause) {
    throw new ZoppError("Malformed", `the proposal of workspace ${name} is damaged`, { cause });
  }
  throw new ZoppError("Malformed", `the proposal of workspace ${name} is no object`);
}

/** The workspace with another proposal beside it, or with none. Throws TooLarge. */
export function withProposal(object: ZoppWorkspace, proposal: Proposal | undefined): ZoppWorkspace {
  const { [ANNOTATION]: _, ...others } = object.metadata.annotations ?? {};
  const annotations = proposal === undefined ? others : { ...others, [ANNOTATION]: packed(proposal) };
  const { annotations: __, ...metadata } = object.metadata;
  return { ...object, metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations } };
}

function packed({ workspace, environments }: Proposal): string {
  const plain = environments.map(({ apiVersion, kind, metadata: { name }, spec }) => ({
    apiVersion,
    kind,
    metadata: { name },
    spec,
  }));
  const text = gzipSync(JSON.stringify({ spec: workspace.spec, environments: plain })).toString("base64");
  if (text.length <= MAX_TEXT) return text;
  const { name } = workspace.metadata;
  throw new ZoppError(
    "TooLarge",
    `the proposal of workspace ${name} has ${text.length} characters, the limit is ${MAX_TEXT}: propose less at once`,
  );
}

/** Where a proposal stands: what it lacks (undefined = nothing), and who has signed it. */
export interface ProposalState {
  readonly candidate: AcceptedWorkspace;
  readonly lacks: string | undefined;
  readonly signed: readonly string[];
}

/** Judges a proposal against the accepted version. Throws what is wrong with it beside missing signatures. */
export function judgeProposal(accepted: AcceptedWorkspace, workspace: ZoppWorkspace, now: Date): ProposalState {
  const candidate = readWorkspace(workspace);
  if (candidate.digest === accepted.digest)
    throw new ZoppError(
      "AlreadyExists",
      `version ${candidate.version} of workspace ${candidate.name} is in force already`,
    );
  const signed = signersOf(accepted, candidate);
  const lacks = lackingSignatures(() => judgeWorkspace({ candidate: workspace, accepted, now }));
  return { candidate, lacks: lacks?.message, signed };
}

function signersOf(accepted: AcceptedWorkspace, candidate: AcceptedWorkspace): readonly string[] {
  const { spec } = candidate.object;
  const statement = workspaceStatement(candidate.name, spec);
  const sets = [accepted.owners, candidate.owners];
  return [...new Set(sets.flatMap((owners) => [...ownersWhoSigned(owners, statement, spec.signatures)]))];
}

/** The owner, of before or of after, whose key this is. Throws NotAuthorised. */
export function ownerBy(accepted: AcceptedWorkspace, candidate: AcceptedWorkspace, { verifyKey }: SigningKey): string {
  const owners = [accepted.owners, candidate.owners].flatMap(({ principals }: OwnersSet) => principals);
  const owner = owners.find(({ signingKeys }) => signingKeys.includes(verifyKey.text));
  if (owner !== undefined) return owner.name;
  const names = [...new Set(owners.map(({ name }) => name))].join(", ");
  throw new ZoppError(
    "NotAuthorised",
    `workspace ${accepted.name} is signed by its owners (${names}), not by this key`,
  );
}

/** A proposal with one more signature, also on the change of owners that it makes. */
export function signProposal({ metadata, ...object }: ZoppWorkspace, key: SigningKey): ZoppWorkspace {
  const { spec } = object;
  const rotations = spec.rotations?.map((step) =>
    step.version === spec.version
      ? { ...step, signatures: withSignature(step.signatures, rotationStatement(metadata.name, step), key) }
      : step,
  );
  const signatures = withSignature(spec.signatures, workspaceStatement(metadata.name, spec), key);
  return { ...object, metadata, spec: { ...spec, ...(rotations === undefined ? {} : { rotations }), signatures } };
}

function withSignature(signatures: readonly Signature[], statement: Statement, key: SigningKey): readonly Signature[] {
  const { kid } = key.verifyKey;
  return [...signatures.filter(({ by }) => by !== kid), { by: kid, value: signStatement(key, statement) }];
}
