// Owns tables of changed fields: one field of a valid object is changed, and the fields that parsing names are compared.
// Does not own any object; never used outside tests.
import { ZoppError } from "../crds/errors.js";

/** Stands for a field that is taken away. */
export const ABSENT: unique symbol = Symbol("absent");

/** The steps to a field: names of members, and indices of items. */
export type Path = readonly (string | number)[];

type Members = Record<string | number, unknown>;

/** As a literal defines a member; assigning to `__proto__` would do something else. */
const MEMBER = { enumerable: true, configurable: true, writable: true };

/**
 * A deep copy of plain data in which the field at `path` has the value, or is ABSENT; members on the way that are not
 * there are made. The original stays as it is.
 */
export function changed(object: unknown, path: Path, value: unknown): unknown {
  const last = path.at(-1);
  if (last === undefined) return value;
  const copy = structuredClone(object) as Members;
  let holder = copy;
  for (const step of path.slice(0, -1)) {
    holder[step] ??= {};
    holder = holder[step] as Members;
  }
  if (value !== ABSENT) Object.defineProperty(holder, last, { value, ...MEMBER });
  else delete holder[last];
  return copy;
}

/** What a parser refuses of a value: the code, and each field as `path problem`; none when it accepts. */
export interface Refusal {
  readonly code?: string;
  readonly fields: readonly string[];
}

/** Parses; any error but a ZoppError goes through. */
export function refusalOf(parse: (value: unknown) => unknown, value: unknown): Refusal {
  try {
    parse(value);
    return { fields: [] };
  } catch (error) {
    if (!(error instanceof ZoppError)) throw error;
    return { code: error.code, fields: error.fields.map(({ path, problem }) => `${path} ${problem}`) };
  }
}

/** One line of a table: why, which field, its value, the fields that are named, and the code (Malformed when absent). */
export type Row = readonly [why: string, path: Path, value: unknown, fields: readonly string[], code?: string];

/** A parser and an object that it accepts. */
export interface Subject {
  readonly parse: (value: unknown) => unknown;
  readonly valid: unknown;
}

interface Assertions {
  strictSame(found: unknown, wanted: unknown, message: string): boolean;
}

/** Asserts that the object is accepted as it is, and that each change is refused for exactly the fields of its row. */
export function refusesEach(t: Assertions, { parse, valid }: Subject, rows: readonly Row[]): void {
  t.strictSame(refusalOf(parse, valid), { fields: [] }, "the object is accepted as it is");
  for (const [why, path, value, fields, code = "Malformed"] of rows) {
    t.strictSame(refusalOf(parse, changed(valid, path, value)), { code, fields }, why);
  }
}

/** Asserts that each change is accepted. */
export function acceptsEach(
  t: Assertions,
  { parse, valid }: Subject,
  rows: readonly (readonly [why: string, path: Path, value: unknown])[],
): void {
  for (const [why, path, value] of rows) {
    t.strictSame(refusalOf(parse, changed(valid, path, value)), { fields: [] }, why);
  }
}

/** The problems that many rows name, as parsing words them. */
export const PROBLEM = {
  base64: "is not canonical base64",
  form: "does not have the form of this field",
  key: "is not a key that a Secret can have",
  time: "is not a real time of the form YYYY-MM-DDTHH:MM:SSZ",
  twice: "stands there twice",
  unknown: "is not a field that zopp knows",
  unusable: "is not a usable key (spelling, length or low order)",
} as const;

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 that stands for the same bytes with its last unused bit set: what only strict readers refuse. */
export function withUnusedBit(text: string): string {
  const digits = text.replace(/=+$/, "");
  const last = DIGITS.indexOf(digits.at(-1) ?? "");
  return digits.slice(0, -1) + DIGITS.charAt(last + 1) + text.slice(digits.length);
}
