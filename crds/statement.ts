// What exactly is signed: one typed statement per thing, its canonical bytes and its hash.
// Who may sign which statement is policy's business; the primitives are crypto's.
import { dssePae } from "./crypto/dsse.js";
import { decodeBase64, encodeBase64 } from "./crypto/encoding.js";
import type { SigningKey } from "./crypto/identity.js";
import { canonicalFields } from "./crypto/jcs.js";
import { type VerifyKey, verify } from "./crypto/keys.js";
import { sha256Hex } from "./crypto/primitives.js";
import type { BaselineSpec, EnvironmentSpec, JoinRequest, Rotation, SecretSpec, WorkspaceSpec } from "./types.gen.js";

/** The names that stand in a media type: `application/vnd.zopp.<name>.v1+json`. */
export type StatementName =
  | "workspace"
  | "rotation"
  | "environment"
  | "environment-approval"
  | "header"
  | "header-approval"
  | "entry"
  | "entry-approval"
  | "segment"
  | "ledger"
  | "cluster"
  | "join"
  | "baseline"
  | "baseline-approval"
  | "generated";

/** A statement ready to be signed or checked. */
export interface Statement {
  readonly name: StatementName;
  /** Restricted JCS (RFC 8785) of the statement's fields. */
  readonly body: string;
  /** DSSE pre-authentication encoding of media type and body: the bytes under the signature. */
  readonly pae: Uint8Array;
  /** Lower-case hex SHA-256 of `pae`; for a workspace or environment this is its digest. */
  readonly hash: string;
}

/** Where a statement holds: the full environment path, and the bundle's place or `*` for both parts. */
export interface SignedPlace {
  /** `workspace/project/environment` */
  readonly environment: string;
  readonly namespace: string;
  readonly name: string;
}

/** The signed fields of an entry beside its place; `sealedHash` is hex SHA-256 of the decoded `sealed`. */
export interface EntryFacts {
  readonly key: string;
  readonly version: number;
  readonly by: string;
  readonly expires?: string | undefined;
  readonly retired?: boolean | undefined;
  readonly to?: string | undefined;
  readonly sealedHash?: string | undefined;
}

/** The signed fields of a value that a keyring made: `rule` is the hash of its rule, `before` that of the value before it. */
export interface GeneratedFacts {
  readonly key: string;
  readonly version: number;
  readonly by: string;
  readonly made: string;
  readonly rule: string;
  readonly before?: string | undefined;
  readonly issuer?: string | undefined;
  readonly to: string;
  readonly sealedHash: string;
}

/** The signed fields of an audit segment: `hash` is the RFC 6962 tree hash of its records. */
export interface SegmentFacts {
  readonly log: string;
  readonly first: number;
  readonly count: number;
  readonly previous: string;
  readonly hash: string;
  /** Of a segment that stands for several: the hash of the last of them. */
  readonly through?: string | undefined;
}

/** The signed fields of a ledger part: `hash` is hex SHA-256 of its uncompressed content. */
export interface LedgerFacts {
  readonly log: string;
  readonly kind: string;
  readonly name: string;
  readonly through: number;
  readonly hash: string;
}

/** What a keyring publishes about itself, signed by itself. */
export interface ClusterFacts {
  readonly signingKey: string;
  readonly encryptionKey: string;
  readonly log: string;
  readonly clusterUid: string;
}

function build(name: StatementName, fields: Readonly<Record<string, unknown>>): Statement {
  const body = canonicalFields(fields);
  const pae = dssePae(`application/vnd.zopp.${name}.v1+json`, body);
  return { name, body, pae, hash: sha256Hex(pae) };
}

/**
 * The policy of a workspace: its name and all of spec but the signatures, those of rotations neither: owners sign one
 * after the other, and whoever signs a step later must not undo what the others signed.
 */
export function workspaceStatement(workspace: string, spec: WorkspaceSpec): Statement {
  const { signatures: _, rotations = [], ...rest } = spec;
  const steps = rotations.map(({ version, from, to }) => ({ version, from, to }));
  return build("workspace", { workspace, ...rest, rotations: steps });
}

/** An environment: all of spec but the signatures; wrapped keys are included. `approval` = an approver's statement. */
export function environmentStatement(spec: EnvironmentSpec, approval = false): Statement {
  const { signatures: _, ...rest } = spec;
  return build(approval ? "environment-approval" : "environment", rest);
}

/** A baseline: all of spec but the signatures. `approval` = an approver's statement. */
export function baselineStatement(spec: BaselineSpec, approval = false): Statement {
  const { signatures: _, ...rest } = spec;
  return build(approval ? "baseline-approval" : "baseline", rest);
}

/** A change of owners, in one version: from the set that signs it off to the digest of the set that takes over. */
export function rotationStatement(workspace: string, step: Omit<Rotation, "signatures">): Statement {
  return build("rotation", { workspace, version: step.version, from: step.from, to: step.to });
}

/** A bundle's header: everything in spec but `data`, at its signed place. */
export function headerStatement(place: SignedPlace, spec: SecretSpec, approval = false): Statement {
  return build(approval ? "header-approval" : "header", {
    ...place,
    version: spec.header.version,
    by: spec.header.by,
    target: spec.target,
    render: spec.render,
    restart: spec.restart,
    generate: spec.generate,
    rotation: spec.rotation,
  });
}

/** One entry at its signed place. `approval` = an approver's statement over the same fields. */
export function entryStatement(place: SignedPlace, facts: EntryFacts, approval = false): Statement {
  const { sealedHash, ...rest } = facts;
  return build(approval ? "entry-approval" : "entry", { ...place, ...rest, hash: sealedHash });
}

/** A value that a keyring made, at its place, which is never `*`. */
export function generatedStatement(place: SignedPlace, { sealedHash, ...rest }: GeneratedFacts): Statement {
  return build("generated", { ...place, ...rest, hash: sealedHash });
}

/** A stored segment of the audit log. */
export function segmentStatement(facts: SegmentFacts): Statement {
  return build("segment", { ...facts });
}

/** A stored part of the ledger. */
export function ledgerStatement(facts: LedgerFacts): Statement {
  return build("ledger", { ...facts });
}

/** A keyring's own keys, log and cluster, as published in the ConfigMap `zopp-cluster`. */
export function clusterStatement(facts: ClusterFacts): Statement {
  return build("cluster", { ...facts });
}

/** Somebody asks to join by an invitation: signed by the invitation's key, and by the new device's own. */
export function joinStatement(workspace: string, request: Omit<JoinRequest, "signature" | "proof">): Statement {
  const { invite, device, signingKey, encryptionKey } = request;
  return build("join", { workspace, invite, device, signingKey, encryptionKey });
}

/** Signs a statement (Ed25519, RFC 8032); gives base64 (RFC 4648, padded) of the 64 bytes. */
export function signStatement(key: SigningKey, statement: Statement): string {
  return encodeBase64(key.sign(statement.pae));
}

/** Checks a base64 signature over a statement; false for anything that is not a canonical, valid one. */
export function verifyStatement(key: VerifyKey, statement: Statement, signature: string): boolean {
  const bytes = decodeBase64(signature);
  return bytes !== null && verify(key, statement.pae, bytes);
}
