// Owns JSON schemas for kubeconform, made of what a running API server says of its kinds: closed, so that a field it does
// not know is refused. Does not own running kubeconform.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ApiClient } from "../../operator/kube/client.js";

interface Schema {
  readonly properties?: object;
  readonly additionalProperties?: unknown;
  readonly "x-kubernetes-group-version-kind"?: readonly { group: string; version: string; kind: string }[];
}

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** As kubeconform's `-schema-location` asks for the files that are written here. */
export const LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json";

/** Writes a schema for each kind of the group versions (`v1`, `apps/v1`) into a folder. */
export async function writeSchemas(client: ApiClient, groupVersions: Iterable<string>, folder: string): Promise<void> {
  for (const groupVersion of groupVersions) {
    const root = groupVersion.includes("/") ? "apis" : "api";
    const { components } = JSON.parse(await client.text(`/openapi/v3/${root}/${groupVersion}`)) as Document;
    const schemas = Object.fromEntries(
      Object.entries(components.schemas).map(([name, schema]) => [name, closed(schema)]),
    );
    for (const [name, schema] of Object.entries(schemas)) {
      for (const { group, version, kind } of schema["x-kubernetes-group-version-kind"] ?? []) {
        const suffix = [group.split(".")[0], version].filter((part) => part !== "").join("-");
        const text = JSON.stringify({ $ref: `#/components/schemas/${name}`, components: { schemas } });
        writeFileSync(join(folder, `${kind.toLowerCase()}-${suffix}.json`), text);
      }
    }
  }
}

function closed(schema: Schema): Schema {
  const isOpen = schema.properties === undefined || schema.additionalProperties !== undefined;
  return isOpen ? schema : { ...schema, additionalProperties: false };
}
