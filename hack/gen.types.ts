// Owns rendering TypeScript types from the CRDs' schemas: one interface per object that has a name in the table below.
// Does not own the schemas; what has no name is written in place.
import type { Kind, Schema } from "./gen.kinds.js";

/** Objects that other code speaks of, by their path in the schema. Two paths may share a name: the first one is rendered. */
const NAMES: Readonly<Record<string, string>> = {
  "ZoppWorkspace.spec": "WorkspaceSpec",
  "ZoppSecret.spec.generate{}.certificate": "CertificateRule",
  "ZoppWorkspace.spec.principals[]": "Principal",
  "ZoppWorkspace.spec.principals[].devices[]": "Device",
  "ZoppWorkspace.spec.groups[]": "Group",
  "ZoppWorkspace.spec.grants[]": "Grant",
  "ZoppWorkspace.spec.clusters[]": "Cluster",
  "ZoppWorkspace.spec.environments[]": "WorkspaceEnvironment",
  "ZoppWorkspace.spec.invites[]": "Invite",
  "ZoppWorkspace.spec.invites[].grant": "InviteGrant",
  "ZoppWorkspace.spec.recovery[]": "Recovery",
  "ZoppWorkspace.spec.environments[].approvals": "ApprovalRule",
  "ZoppWorkspace.spec.owners": "Owners",
  "ZoppWorkspace.spec.rotations[]": "Rotation",
  "ZoppWorkspace.spec.rotations[].from.principals[]": "Owner",
  "ZoppWorkspace.spec.rotations[].from": "OwnersSet",
  "ZoppWorkspace.spec.rotations[].signatures[]": "Signature",
  "ZoppWorkspace.spec.signatures[]": "Signature",
  "ZoppWorkspace.status": "WorkspaceStatus",
  "ZoppWorkspace.status.accepted": "AcceptedVersion",
  "ZoppWorkspace.status.joinRequests[]": "JoinRequest",
  "ZoppWorkspace.status.conditions[]": "Condition",
  "ZoppEnvironment.spec": "EnvironmentSpec",
  "ZoppEnvironment.spec.grants[]": "EnvironmentGrant",
  "ZoppEnvironment.spec.keys[]": "EnvironmentKey",
  "ZoppEnvironment.spec.keys[].sealed[]": "SealedKey",
  "ZoppEnvironment.spec.signatures[]": "Signature",
  "ZoppEnvironment.status": "EnvironmentStatus",
  "ZoppEnvironment.status.accepted": "AcceptedVersion",
  "ZoppEnvironment.status.conditions[]": "Condition",
  "ZoppSecret.spec": "SecretSpec",
  "ZoppSecret.spec.target": "Target",
  "ZoppSecret.spec.header": "Header",
  "ZoppSecret.spec.data{}": "Entry",
  "ZoppSecret.spec.generate{}": "GenerateRule",
  "ZoppSecret.status": "SecretStatus",
  "ZoppSecret.status.generated{}": "GeneratedEntry",
  "ZoppSecret.status.target": "WrittenTarget",
  "ZoppSecret.status.history[]": "Application",
  "ZoppSecret.status.conditions[]": "Condition",
  "ZoppBaseline.spec": "BaselineSpec",
  "ZoppBaseline.spec.bundles[]": "BaselineBundle",
  "ZoppBaseline.spec.authors[]": "BaselineAuthor",
  "ZoppBaseline.spec.signatures[]": "Signature",
  "ZoppBaseline.status": "BaselineStatus",
  "ZoppBaseline.status.accepted": "AcceptedVersion",
  "ZoppBaseline.status.conditions[]": "Condition",
  "ZoppLedger.spec": "LedgerSpec",
  "ZoppAuditSegment.spec": "AuditSegmentSpec",
};

const METADATA = `
/** The part of an object's metadata that zopp reads. */
export interface Metadata {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** Metadata of an object that lives in a namespace. */
export interface NamespacedMetadata extends Metadata {
  readonly namespace: string;
}
`;

/** The interfaces so far, by name, in the order in which they are written. */
type Rendered = Map<string, string>;

/** All types of the kinds, in manifest order; what a type needs comes before it. */
export function renderTypes(kinds: readonly Kind[]): string {
  const rendered: Rendered = new Map();
  for (const kind of kinds) renderKind(kind, rendered);
  return `${METADATA}\n${[...rendered.values()].join("\n")}`;
}

function renderKind({ kind, namespaced, schema }: Kind, rendered: Rendered): void {
  const { spec, status } = schema.properties ?? {};
  const lines = [
    `readonly apiVersion: "zopp.dev/v1alpha1";`,
    `readonly kind: "${kind}";`,
    `readonly metadata: ${namespaced ? "NamespacedMetadata" : "Metadata"};`,
    `readonly spec: ${typeOf(spec ?? {}, `${kind}.spec`, rendered)};`,
    ...(status === undefined ? [] : [`readonly status?: ${typeOf(status, `${kind}.status`, rendered)} | undefined;`]),
  ];
  rendered.set(kind, interfaceOf(kind, schema, lines));
}

function interfaceOf(name: string, schema: Schema, lines: readonly string[]): string {
  return `${docOf(schema, name)}\nexport interface ${name} ${block(lines)}\n`;
}

/** Every field has a description, since `kubectl explain` shows it too. */
function docOf({ description }: Schema, path: string): string {
  if (description === undefined) throw new TypeError(`${path} has no description`);
  return `/** ${description.replaceAll("*/", "*\u2060/")} */`;
}

function block(lines: readonly string[]): string {
  return `{\n${lines
    .flatMap((line) => line.split("\n"))
    .map((line) => `  ${line}\n`)
    .join("")}}`;
}

function typeOf(schema: Schema, path: string, rendered: Rendered): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "integer") return "number";
  if (schema.type === "array") return arrayOf(schema, path, rendered);
  if (schema.type !== "object") return schema.type ?? "unknown";
  if (typeof schema.additionalProperties === "object") {
    return `Readonly<Record<string, ${typeOf(schema.additionalProperties, `${path}{}`, rendered)}>>`;
  }
  const name = NAMES[path];
  const lines = membersOf(schema, path, rendered);
  if (name === undefined) return block(lines);
  if (!rendered.has(name)) rendered.set(name, interfaceOf(name, schema, lines));
  return name;
}

function arrayOf({ items = {} }: Schema, path: string, rendered: Rendered): string {
  const item = typeOf(items, `${path}[]`, rendered);
  return /^[\w]+$/.test(item) || item.startsWith("{") ? `readonly ${item}[]` : `readonly (${item})[]`;
}

function membersOf(schema: Schema, path: string, rendered: Rendered): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const type = typeOf(member, `${path}.${name}`, rendered);
    const [mark, absent] = schema.required?.includes(name) ? ["", ""] : ["?", " | undefined"];
    return [docOf(member, `${path}.${name}`), `readonly ${name}${mark}: ${type}${absent};`];
  });
}
