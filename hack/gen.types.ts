// Renders TypeScript types from CRD schemas: one interface per object that has a name of its own.
// Names come from the table below; everything else is written in place.
import type { Kind, Schema } from "./gen.js";

/** Objects that other code speaks of, by their path in the schema. Two paths may share a name: the first one is rendered. */
const NAMES: Readonly<Record<string, string>> = {
  "ZoppWorkspace.spec": "WorkspaceSpec",
  "ZoppWorkspace.spec.principals[]": "Principal",
  "ZoppWorkspace.spec.principals[].devices[]": "Device",
  "ZoppWorkspace.spec.groups[]": "Group",
  "ZoppWorkspace.spec.grants[]": "Grant",
  "ZoppWorkspace.spec.clusters[]": "Cluster",
  "ZoppWorkspace.spec.environments[]": "WorkspaceEnvironment",
  "ZoppWorkspace.spec.invites[]": "Invite",
  "ZoppWorkspace.spec.rotations[]": "Rotation",
  "ZoppWorkspace.spec.rotations[].from": "OwnersSet",
  "ZoppWorkspace.spec.rotations[].signatures[]": "Signature",
  "ZoppWorkspace.spec.signatures[]": "Signature",
  "ZoppWorkspace.status": "WorkspaceStatus",
  "ZoppWorkspace.status.conditions[]": "Condition",
  "ZoppEnvironment.spec": "EnvironmentSpec",
  "ZoppEnvironment.spec.grants[]": "EnvironmentGrant",
  "ZoppEnvironment.spec.keys[]": "EnvironmentKey",
  "ZoppEnvironment.spec.keys[].sealed[]": "SealedKey",
  "ZoppEnvironment.spec.signatures[]": "Signature",
  "ZoppEnvironment.status": "EnvironmentStatus",
  "ZoppEnvironment.status.conditions[]": "Condition",
  "ZoppSecret.spec": "SecretSpec",
  "ZoppSecret.spec.target": "Target",
  "ZoppSecret.spec.header": "Header",
  "ZoppSecret.spec.data{}": "Entry",
  "ZoppSecret.status": "SecretStatus",
  "ZoppSecret.status.conditions[]": "Condition",
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

interface Rendering {
  readonly done: Map<string, string>;
}

/** All types of the kinds, in manifest order. */
export function renderTypes(kinds: readonly Kind[]): string {
  const rendering: Rendering = { done: new Map() };
  for (const kind of kinds) renderKind(kind, rendering);
  return `${METADATA}\n${[...rendering.done.values()].join("\n")}`;
}

function renderKind({ kind, namespaced, schema }: Kind, rendering: Rendering): void {
  const { spec, status } = schema.properties ?? {};
  const lines = [
    `readonly apiVersion: "zopp.dev/v1alpha1";`,
    `readonly kind: "${kind}";`,
    `readonly metadata: ${namespaced ? "NamespacedMetadata" : "Metadata"};`,
    `readonly spec: ${typeOf(spec ?? {}, `${kind}.spec`, rendering)};`,
    ...(status === undefined ? [] : [`readonly status?: ${typeOf(status, `${kind}.status`, rendering)} | undefined;`]),
  ];
  rendering.done.set(kind, interfaceOf(kind, schema.description, lines.map((line) => `  ${line}`)));
}

function interfaceOf(name: string, description: string | undefined, lines: readonly string[]): string {
  return `/** ${description ?? `${name}.`} */\nexport interface ${name} {\n${lines.join("\n")}\n}\n`;
}

function typeOf(schema: Schema, path: string, rendering: Rendering): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "integer") return "number";
  if (schema.type === "array") return arrayOf(schema, path, rendering);
  if (schema.type !== "object") return schema.type ?? "unknown";
  if (typeof schema.additionalProperties === "object") {
    return `Readonly<Record<string, ${typeOf(schema.additionalProperties, `${path}{}`, rendering)}>>`;
  }
  const name = NAMES[path];
  const lines = membersOf(schema, path, rendering);
  if (name === undefined) return `{\n${lines.join("\n")}\n}`;
  if (!rendering.done.has(name)) rendering.done.set(name, interfaceOf(name, schema.description, lines));
  return name;
}

function arrayOf({ items = {} }: Schema, path: string, rendering: Rendering): string {
  const item = typeOf(items, `${path}[]`, rendering);
  return /^\w+$/.test(item) ? `readonly ${item}[]` : `readonly (${item})[]`;
}

function membersOf(schema: Schema, path: string, rendering: Rendering): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const type = typeOf(member, `${path}.${name}`, rendering);
    const optional = !schema.required?.includes(name);
    const doc = member.description === undefined ? [] : [`  /** ${member.description} */`];
    return [...doc, `  readonly ${name}${optional ? "?" : ""}: ${type}${optional ? " | undefined" : ""};`];
  });
}
