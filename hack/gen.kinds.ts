// Reads the CRDs: the kinds that types, validators and digests are made for.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { packageRoot } from "./package-root.js";

/** An OpenAPI v3 schema as CRDs hold it; only the parts that are read here. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly string[];
}

/** A kind with its schema. */
export interface Kind {
  readonly kind: string;
  readonly namespaced: boolean;
  readonly schema: Schema;
}

/** The order of the kinds in the generated files: what people write comes first. */
const KINDS = ["ZoppWorkspace", "ZoppEnvironment", "ZoppSecret", "ZoppBaseline", "ZoppLedger", "ZoppAuditSegment"];

/** Reads every CRD of `crds/manifests` into its kind and the schema of its only version. */
export async function readKinds(folder: string = join(packageRoot(), "crds", "manifests")): Promise<readonly Kind[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".yaml"));
  const kinds = await Promise.all(files.map(async (name) => kindOf(parse(await readFile(join(folder, name), "utf8")))));
  return kinds.sort((one, other) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind));
}

function kindOf({ spec }: { spec: { names: { kind: string }; scope: string; versions: unknown[] } }): Kind {
  const [version] = spec.versions as [{ schema: { openAPIV3Schema: Schema } }];
  return { kind: spec.names.kind, namespaced: spec.scope === "Namespaced", schema: version.schema.openAPIV3Schema };
}
