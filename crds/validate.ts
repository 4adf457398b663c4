// Strict parsing: unknown in, a frozen typed object out, or one error that lists every bad field with its path.
// Shape comes from the CRDs (validators.gen.ts); what a schema cannot say is in validate.rules.ts. Signatures are not looked at.
import { malformed, type FieldProblem, ZoppError } from "./errors.js";
import type { ZoppAuditSegment, ZoppEnvironment, ZoppLedger, ZoppSecret, ZoppWorkspace } from "./types.gen.js";
import { environmentProblems, secretProblems, workspaceProblems } from "./validate.rules.js";
import {
  validateZoppAuditSegment,
  validateZoppEnvironment,
  validateZoppLedger,
  validateZoppSecret,
  validateZoppWorkspace,
} from "./validators.gen.js";

/** The largest object that zopp reads or writes, in bytes of JSON. */
export const MAX_OBJECT_BYTES = 1024 * 1024;

/** One of the objects of zopp.dev/v1alpha1. */
export type ZoppObject = ZoppWorkspace | ZoppEnvironment | ZoppSecret | ZoppLedger | ZoppAuditSegment;

/** The part of an ajv error that is read here. */
interface SchemaError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

type Validator = { (value: unknown): boolean; errors?: readonly SchemaError[] | null };

interface Parser {
  readonly validate: Validator;
  rules(object: never): readonly FieldProblem[];
}

const PARSERS: Readonly<Record<ZoppObject["kind"], Parser>> = {
  ZoppWorkspace: { validate: validateZoppWorkspace as unknown as Validator, rules: workspaceProblems },
  ZoppEnvironment: { validate: validateZoppEnvironment as unknown as Validator, rules: environmentProblems },
  ZoppSecret: { validate: validateZoppSecret as unknown as Validator, rules: secretProblems },
  ZoppLedger: { validate: validateZoppLedger as unknown as Validator, rules: () => [] },
  ZoppAuditSegment: { validate: validateZoppAuditSegment as unknown as Validator, rules: () => [] },
};

/** Parses a ZoppWorkspace. Throws Malformed or TooLarge. */
export function parseWorkspace(value: unknown): ZoppWorkspace {
  return parseKind("ZoppWorkspace", value) as ZoppWorkspace;
}

/** Parses a ZoppEnvironment. Throws Malformed or TooLarge. */
export function parseEnvironment(value: unknown): ZoppEnvironment {
  return parseKind("ZoppEnvironment", value) as ZoppEnvironment;
}

/** Parses a ZoppSecret, which must say its namespace. Throws Malformed or TooLarge. */
export function parseSecret(value: unknown): ZoppSecret {
  return parseKind("ZoppSecret", value) as ZoppSecret;
}

/** Parses a ZoppLedger. Throws Malformed. */
export function parseLedger(value: unknown): ZoppLedger {
  return parseKind("ZoppLedger", value) as ZoppLedger;
}

/** Parses a ZoppAuditSegment. Throws Malformed. */
export function parseAuditSegment(value: unknown): ZoppAuditSegment {
  return parseKind("ZoppAuditSegment", value) as ZoppAuditSegment;
}

/** Parses an object of any zopp kind, by its apiVersion and kind. Throws UnknownVersion, Malformed or TooLarge. */
export function parseObject(value: unknown): ZoppObject {
  const { apiVersion, kind } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (apiVersion !== "zopp.dev/v1alpha1" || typeof kind !== "string" || !Object.hasOwn(PARSERS, kind)) {
    throw new ZoppError("UnknownVersion", "the object is not of a kind of zopp.dev/v1alpha1");
  }
  return parseKind(kind as ZoppObject["kind"], value);
}

function parseKind(kind: ZoppObject["kind"], value: unknown): ZoppObject {
  const parser = PARSERS[kind];
  const what = describe(kind, value);
  if (!parser.validate(value)) throw malformed(what, schemaProblems(parser.validate.errors ?? []));
  const object = value as ZoppObject;
  const problems = parser.rules(object as never);
  if (problems.length > 0) throw malformed(what, problems);
  refuseLarge(what, object);
  return deepFrozen(object);
}

/** Kind and name, as far as the value has them in a form that is safe to print. */
function describe(kind: string, value: unknown): string {
  const { metadata } = (typeof value === "object" && value !== null ? value : {}) as { metadata?: Record<string, unknown> };
  const parts = [metadata?.namespace, metadata?.name].filter((part) => typeof part === "string" && /^[-.a-z0-9]{1,253}$/.test(part));
  return [kind, parts.join("/")].join(" ").trim();
}

function schemaProblems(errors: readonly SchemaError[]): FieldProblem[] {
  const problems = errors.map((error) => {
    const extra = error.params.additionalProperty ?? error.params.missingProperty;
    const path = [...error.instancePath.split("/").slice(1), ...(typeof extra === "string" ? [extra] : [])];
    return { path: path.map(unescaped).join(".") || "the object", problem: inWords(error) };
  });
  return problems.filter(({ path }, at) => problems.findIndex((other) => other.path === path) === at);
}

/** JSON pointer escapes (RFC 6901). */
function unescaped(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function inWords({ keyword, message }: SchemaError): string {
  if (keyword === "additionalProperties") return "is not a field that zopp knows";
  if (keyword === "required") return "is missing";
  if (keyword === "pattern") return "does not have the form of this field";
  return message ?? "is not valid";
}

/**
 * The size that counts is that of the JSON. Its text is only made for objects that could come near the limit: every
 * long field has a limit of its own, so the number of entries and keys tells.
 */
function refuseLarge(what: string, object: ZoppObject): void {
  if (object.kind === "ZoppSecret" && Object.keys(object.spec.data ?? {}).length <= 8) return;
  const bytes = JSON.stringify(object.spec).length;
  if (bytes > MAX_OBJECT_BYTES) throw new ZoppError("TooLarge", `${what} has ${bytes} bytes, the limit is ${MAX_OBJECT_BYTES}`);
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFrozen(member);
  return Object.freeze(value);
}
