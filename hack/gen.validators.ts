// Owns rendering the validators: ajv's standalone code for each kind, closed to unknown fields.
// Does not own the schemas, which are those of the CRDs.
import { Ajv } from "ajv";
import standalone from "ajv/dist/standalone/index.js";
import type { Kind, Schema } from "./gen.kinds.js";

/** Whether fields that a schema does not name are refused. */
type Openness = "closed" | "open";

/** Keywords that mean nothing to ajv, or say nothing beyond other keywords that stand beside them. */
function isForServersOnly([keyword, value]: readonly [string, unknown]): boolean {
  if (keyword === "pattern") return value === ANY_BASE64;
  return keyword.startsWith("x-kubernetes-") || keyword === "description" || keyword === "format";
}

/**
 * Base64 of any length is decoded by validate.rules.ts, which is stricter, and six times as fast: in random letters a
 * pattern's branches are all guessed wrong.
 */
const ANY_BASE64 = "^[A-Za-z0-9+/]+={0,2}$";

/** The schema as ajv reads it. Closed: an unknown field, which the API server would refuse or drop, is refused. */
function forAjv(schema: Schema, openness: Openness): object {
  const { properties, items, additionalProperties, ...rest } = schema;
  return {
    ...Object.fromEntries(Object.entries(rest).filter((member) => !isForServersOnly(member))),
    ...(properties === undefined ? {} : { properties: eachForAjv(properties, openness) }),
    ...(properties === undefined || openness === "open" ? {} : { additionalProperties: false }),
    ...(typeof additionalProperties === "object"
      ? { additionalProperties: forAjv(additionalProperties, openness) }
      : {}),
    ...(items === undefined ? {} : { items: forAjv(items, openness) }),
  };
}

function eachForAjv(properties: Readonly<Record<string, Schema>>, openness: Openness): object {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, forAjv(schema, openness)]));
}

const TEXT = { type: "string" };
const TEXTS = { type: "object", additionalProperties: TEXT };
const DNS_LABEL = { type: "string", maxLength: 63, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" };
const DNS_NAME = { type: "string", maxLength: 253, pattern: "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" };

/**
 * metadata belongs to Kubernetes: the fields that zopp reads are checked, the rest may be anything. Names are checked
 * strictly, since they are part of what is signed: a `*` there has a meaning of its own.
 */
function metadataSchema(namespaced: boolean): object {
  return {
    type: "object",
    required: namespaced ? ["name", "namespace"] : ["name"],
    properties: {
      name: DNS_NAME,
      namespace: DNS_LABEL,
      uid: TEXT,
      resourceVersion: TEXT,
      generation: { type: "integer" },
      creationTimestamp: { type: ["string", "null"] },
      deletionTimestamp: TEXT,
      labels: TEXTS,
      annotations: TEXTS,
    },
  };
}

/** status may hold fields of a later zopp: it is a cache, and no reason to refuse what was signed. */
function objectSchema({ kind, namespaced, schema }: Kind): object {
  const { spec, status } = schema.properties ?? {};
  if (spec === undefined) throw new TypeError(`the schema of ${kind} has no spec`);
  return {
    $id: kind,
    type: "object",
    required: ["apiVersion", "kind", "metadata", "spec"],
    additionalProperties: false,
    properties: {
      apiVersion: { const: "zopp.dev/v1alpha1" },
      kind: { const: kind },
      metadata: metadataSchema(namespaced),
      spec: forAjv(spec, "closed"),
      ...(status === undefined ? {} : { status: forAjv(status, "open") }),
    },
  };
}

/**
 * The validators' module: `validate<Kind>` for each, which says whether a value has the kind's form and leaves what is
 * wrong in `errors`. It needs nothing at run time. Throws TypeError when it would.
 */
export function renderValidators(kinds: readonly Kind[]): string {
  const ajv = new Ajv({
    allErrors: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    // Lengths in UTF-16 units: the code for code points is a module of ajv's.
    unicode: false,
    // `constructor` is a fine key, and no object has it by inheritance only.
    ownProperties: true,
    logger: false,
    code: { source: true, esm: true },
    schemas: kinds.map(objectSchema),
  });
  const names = Object.fromEntries(kinds.map(({ kind }) => [`validate${kind}`, kind]));
  const code = standalone.default(ajv, names);
  if (/\brequire\(|\bimport\b/.test(code)) throw new TypeError("the validators would need ajv at run time");
  return `// @ts-nocheck\n${code}\n`;
}
