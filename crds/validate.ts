// Owns strict parsing: unknown in, a frozen typed object out, or one error that lists every bad field with its path.
// Does not own shape (the CRDs do, by validators.gen.ts) nor what a schema cannot say (validate.rules.ts); signatures are not looked at.
import { type FieldProblem, malformed, ZoppError } from "./errors.js";
import type {
  ZoppAuditSegment,
  ZoppBaseline,
  ZoppEnvironment,
  ZoppLedger,
  ZoppSecret,
  ZoppWorkspace,
} from "./types.gen.js";
import { baselineProblems } from "./validate.baseline.js";
import { frozenCopy, MAX_OBJECT_BYTES, pathText } from "./validate.copy.js";
import { environmentProblems, ledgerProblems, secretProblems, segmentProblems } from "./validate.rules.js";
import { workspaceProblems } from "./validate.workspace.js";
import {
  validateZoppAuditSegment,
  validateZoppBaseline,
  validateZoppEnvironment,
  validateZoppLedger,
  validateZoppSecret,
  validateZoppWorkspace,
} from "./validators.gen.js";

/** One of the objects of zopp.dev/v1alpha1. */
export type ZoppObject = ZoppWorkspace | ZoppEnvironment | ZoppSecret | ZoppBaseline | ZoppLedger | ZoppAuditSegment;

/** The part of an ajv error that is read here. */
interface SchemaError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

type Validator = { (value: unknown): boolean; errors?: readonly SchemaError[] | null };

interface Parser<T> {
  readonly kind: ZoppObject["kind"];
  readonly validate: Validator;
  rules(object: T): readonly FieldProblem[];
  /** What keyrings write is bounded by the schema alone. */
  readonly isBounded: boolean;
}

function parser<T>(
  kind: ZoppObject["kind"],
  validate: unknown,
  rules: Parser<T>["rules"],
  isBounded: boolean,
): Parser<T> {
  return { kind, validate: validate as Validator, rules, isBounded };
}

const PARSERS = {
  ZoppWorkspace: parser<ZoppWorkspace>("ZoppWorkspace", validateZoppWorkspace, workspaceProblems, true),
  ZoppEnvironment: parser<ZoppEnvironment>("ZoppEnvironment", validateZoppEnvironment, environmentProblems, true),
  ZoppSecret: parser<ZoppSecret>("ZoppSecret", validateZoppSecret, secretProblems, true),
  ZoppBaseline: parser<ZoppBaseline>("ZoppBaseline", validateZoppBaseline, baselineProblems, true),
  ZoppLedger: parser<ZoppLedger>("ZoppLedger", validateZoppLedger, ledgerProblems, false),
  ZoppAuditSegment: parser<ZoppAuditSegment>("ZoppAuditSegment", validateZoppAuditSegment, segmentProblems, false),
} as const;

/**
 * Parses a ZoppWorkspace into a frozen copy. Throws Malformed with every bad field, or TooLarge for a limit. As all
 * functions here it takes plain data, as JSON or YAML gives it, and changes nothing in it.
 */
export function parseWorkspace(value: unknown): ZoppWorkspace {
  return parseWith(PARSERS.ZoppWorkspace, value);
}

/** Parses a ZoppEnvironment into a frozen copy. Throws Malformed or TooLarge. */
export function parseEnvironment(value: unknown): ZoppEnvironment {
  return parseWith(PARSERS.ZoppEnvironment, value);
}

/**
 * Parses a ZoppSecret, which must say its namespace, into a frozen copy. Its maps have no prototype. Throws Malformed or
 * TooLarge.
 */
export function parseSecret(value: unknown): ZoppSecret {
  return parseWith(PARSERS.ZoppSecret, value);
}

/** Parses a ZoppBaseline into a frozen copy. Throws Malformed or TooLarge. */
export function parseBaseline(value: unknown): ZoppBaseline {
  return parseWith(PARSERS.ZoppBaseline, value);
}

/** Parses a ZoppLedger into a frozen copy. Throws Malformed or TooLarge. */
export function parseLedger(value: unknown): ZoppLedger {
  return parseWith(PARSERS.ZoppLedger, value);
}

/** Parses a ZoppAuditSegment into a frozen copy. Throws Malformed or TooLarge. */
export function parseAuditSegment(value: unknown): ZoppAuditSegment {
  return parseWith(PARSERS.ZoppAuditSegment, value);
}

/** Parses an object of any zopp kind, by its apiVersion and kind. Throws UnknownVersion, Malformed or TooLarge. */
export function parseObject(value: unknown): ZoppObject {
  const { apiVersion, kind } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (apiVersion !== "zopp.dev/v1alpha1" || typeof kind !== "string" || !Object.hasOwn(PARSERS, kind)) {
    throw new ZoppError("UnknownVersion", "the object is not of a kind of zopp.dev/v1alpha1");
  }
  return parseWith(PARSERS[kind as ZoppObject["kind"]] as Parser<ZoppObject>, value);
}

function parseWith<T extends ZoppObject>({ kind, validate, rules, isBounded }: Parser<T>, given: unknown): T {
  const what = nameOf(kind, given);
  const { value, problems, specBytes } = frozenCopy(what, given);
  if (problems.length > 0) throw malformed(what, problems);
  if (isBounded && specBytes > MAX_OBJECT_BYTES) {
    throw new ZoppError("TooLarge", `${what} has ${specBytes} bytes, the limit is ${MAX_OBJECT_BYTES}`);
  }
  if (!validate(value)) throw refusal(what, validate.errors ?? []);
  const broken = rules(value as T);
  if (broken.length > 0) throw malformed(what, broken);
  return value as T;
}

/** Kind and name, as far as the value has them in a form that is safe to print. */
function nameOf(kind: string, value: unknown): string {
  const { metadata } = (value ?? {}) as { metadata?: { namespace?: unknown; name?: unknown } | null };
  const parts = [metadata?.namespace, metadata?.name].filter(
    (part) => typeof part === "string" && /^[-.a-z0-9]{1,253}$/.test(part),
  );
  return [kind, parts.join("/")].join(" ").trim();
}

const LIMITS: ReadonlySet<string> = new Set(["maxLength", "maxItems", "maxProperties"]);

/** What only goes over limits is too large; whatever else is wrong is malformed. */
function refusal(what: string, errors: readonly SchemaError[]): ZoppError {
  const byPath = new Map<string, string>();
  for (const error of errors) {
    const path = pathOf(error);
    if (!byPath.has(path)) byPath.set(path, inWords(error));
  }
  const { message, fields } = malformed(
    what,
    [...byPath].map(([path, problem]) => ({ path, problem })),
  );
  const code = errors.every(({ keyword }) => LIMITS.has(keyword)) ? "TooLarge" : "Malformed";
  return new ZoppError(code, message, { fields });
}

function pathOf({ instancePath, params }: SchemaError): string {
  const last = params["additionalProperty"] ?? params["missingProperty"];
  const parts = instancePath.split("/").slice(1).map(unescaped);
  return pathText(typeof last === "string" ? [...parts, last] : parts);
}

/** JSON pointer escapes (RFC 6901). */
function unescaped(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** What is wrong, in words that hold nothing of the value. */
function inWords({ keyword, params }: SchemaError): string {
  switch (keyword) {
    case "additionalProperties":
      return "is not a field that zopp knows";
    case "required":
      return "is missing";
    case "type":
      return `is not of the type ${[params["type"]].flat().join(" or ")}`;
    case "enum":
      return `is not one of ${[params["allowedValues"]].flat().join(", ")}`;
    case "const":
      return `is not ${params["allowedValue"]}`;
    case "pattern":
      return "does not have the form of this field";
    case "minimum":
    case "minLength":
    case "minItems":
      return `is below the limit of ${params["limit"]}${UNITS[keyword]}`;
    default:
      return `is above the limit of ${params["limit"]}${UNITS[keyword] ?? ""}`;
  }
}

const UNITS: Readonly<Record<string, string>> = {
  minimum: "",
  minLength: " characters",
  minItems: " items",
  maxLength: " characters",
  maxItems: " items",
  maxProperties: " keys",
};
