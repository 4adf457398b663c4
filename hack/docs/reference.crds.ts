// Owns the reference of the resources: every field of the CRDs with its type, limits and description.
// Does not own the schemas: all that is said here stands in crds/manifests/.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { packageRoot } from "../package-root.js";
import { code, table } from "./table.js";

/** A rule of the schema in CEL, with what a refusal says. */
interface Rule {
  readonly message: string;
}

/** An OpenAPI v3 schema as the CRDs hold it. */
interface FieldSchema {
  readonly type: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly additionalProperties?: FieldSchema;
  readonly required?: readonly string[];
  readonly items?: FieldSchema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly "x-kubernetes-validations"?: readonly Rule[];
  readonly [keyword: string]: unknown;
}

interface Crd {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly kind: string; readonly plural: string; readonly shortNames?: readonly string[] };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: FieldSchema };
      readonly additionalPrinterColumns: readonly { readonly name: string; readonly priority?: number }[];
    }[];
  };
}

/** What people write comes first, then what keyrings write. */
const ORDER = ["ZoppWorkspace", "ZoppEnvironment", "ZoppSecret", "ZoppBaseline", "ZoppLedger", "ZoppAuditSegment"];
/** Longer patterns tell a reader less than the description does. */
const MAX_PATTERN = 60;
const LIMITS: readonly (readonly [keyword: string, text: (limit: string) => string])[] = [
  ["minItems", (limit) => `at least ${limit}`],
  ["maxItems", (limit) => `at most ${limit}`],
  ["maxProperties", (limit) => `at most ${limit}`],
  ["minimum", (limit) => `from ${limit}`],
  ["maximum", (limit) => `to ${limit}`],
  ["minLength", (limit) => `at least ${limit} characters`],
  ["maxLength", (limit) => `at most ${limit} characters`],
];

/** The page `docs/reference/crds.md`, without its head. */
export function crdReference(folder = join(packageRoot(), "crds", "manifests")): string {
  const crds = readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => parse(readFileSync(join(folder, file), "utf8")) as Crd)
    .sort((a, b) => ORDER.indexOf(a.spec.names.kind) - ORDER.indexOf(b.spec.names.kind));
  return crds.map(section).join("\n");
}

function section({ spec }: Crd): string {
  const { names, scope, group } = spec;
  const [version] = spec.versions;
  if (version === undefined) throw new Error(`${names.kind} has no version`);
  const { openAPIV3Schema: schema } = version.schema;
  const columns = version.additionalPrinterColumns.map(({ name, priority }) =>
    priority === undefined ? name : `${name} (with \`-o wide\`)`,
  );
  const short = names.shortNames === undefined ? "" : `, short ${names.shortNames.map(code).join(", ")}`;
  const paragraphs = [
    `## ${names.kind}`,
    described(schema, names.kind),
    `\`${group}/${version.name}\`, ${scope === "Cluster" ? "cluster-scoped" : "namespaced"}; \`kubectl get ${names.plural}\`${short}.`,
    `Columns: ${columns.join(", ")}.`,
    ...parts(names.kind, schema),
  ];
  return `${paragraphs.join("\n\n")}\n`;
}

function parts(kind: string, schema: FieldSchema): readonly string[] {
  const rules = rulesOf(schema, "");
  return [
    ...["spec", "status"].flatMap((part) => {
      const of = schema.properties?.[part];
      if (of === undefined) return [];
      const rows = rowsOf(of, part, kind);
      return [
        `### ${kind} ${part}`,
        described(of, kind),
        table(["field", "type", "limits", "what it is"], rows).trim(),
      ];
    }),
    ...(rules.length === 0
      ? []
      : ["The API server also refuses, by rules in the schema:", table(["where", "what must hold"], rules).trim()]),
  ];
}

/** The rows of everything below a schema, in its order; a list or map of plain values is one row. */
function rowsOf(schema: FieldSchema, path: string, kind: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const here = `${path}.${name}`;
    const isRequired = schema.required?.includes(name) === true;
    const row = [
      `${code(here)}${isRequired ? " (required)" : ""}`,
      typeOf(field),
      limitsOf(field),
      described(field, `${kind} ${here}`),
    ];
    const inside = field.items ?? field.additionalProperties ?? field;
    const suffix = field.items === undefined ? (field.additionalProperties === undefined ? "" : "{}") : "[]";
    return [row, ...rowsOf(inside, `${here}${suffix}`, kind)];
  });
}

function typeOf({ type, items, additionalProperties, enum: words }: FieldSchema): string {
  if (items !== undefined) return `list of ${plural(items)}`;
  if (additionalProperties !== undefined) return `map of ${plural(additionalProperties)}`;
  return words === undefined ? type : words.map(code).join(", ");
}

function plural({ type }: FieldSchema): string {
  return `${type}s`;
}

function limitsOf(schema: FieldSchema): string {
  const inside = schema.items ?? schema.additionalProperties;
  const own = [
    ...LIMITS.flatMap(([keyword, text]) => (schema[keyword] === undefined ? [] : [text(String(schema[keyword]))])),
    ...(schema.pattern === undefined || schema.pattern.length > MAX_PATTERN ? [] : [code(schema.pattern)]),
  ].join(", ");
  const each = inside === undefined || inside.properties !== undefined ? "" : limitsOf(inside);
  return each === "" ? own : `${own}; each ${each}`;
}

function rulesOf(schema: FieldSchema, path: string): string[][] {
  const own = (schema["x-kubernetes-validations"] ?? []).map(({ message }) => [
    path === "" ? "the object" : code(path),
    message,
  ]);
  const dotted = (name: string) => (path === "" ? name : `${path}.${name}`);
  return [
    ...own,
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => rulesOf(field, dotted(name))),
    ...(schema.items === undefined ? [] : rulesOf(schema.items, `${path}[]`)),
    ...(schema.additionalProperties === undefined ? [] : rulesOf(schema.additionalProperties, `${path}{}`)),
  ];
}

function described({ description }: FieldSchema, what: string): string {
  if (description === undefined) throw new Error(`${what} has no description`);
  return description;
}
