// Owns the frozen copy that parsing works on: plain JSON data only, bounded in depth and size, free of tricks with prototypes.
// Does not own what the fields mean: schema and rules come after it.
import { utf8 } from "./crypto/primitives.js";
import { type FieldProblem, ZoppError } from "./errors.js";

/** The largest spec of an object that people write, in bytes of JSON. */
export const MAX_OBJECT_BYTES = 1024 * 1024;

/** Depth and characters past which nobody looks any further: no API server stores such an object. */
const MAX_DEPTH = 32;
const MAX_CHARACTERS = 4 * MAX_OBJECT_BYTES;

/** No character takes more bytes of JSON than `\u0000` does. */
const MAX_BYTES_PER_CHARACTER = 6;
/** Quotes, colon, comma or brackets, and the longest number, of one member. */
const CHARACTERS_PER_MEMBER = 24;

/** Maps with keys of people's choosing; they have no prototype, so that `constructor` is there only if somebody wrote it. */
const MAPS: ReadonlySet<string> = new Set([
  "data",
  "render",
  "generate",
  "generated",
  "labels",
  "annotations",
  "approvals",
]);

type Members = Record<string, unknown>;

interface Copying {
  readonly problems: FieldProblem[];
  readonly path: string[];
  characters: number;
}

/** A copy of an object of the API, and whether its spec is small enough. */
export interface Copy {
  readonly value: unknown;
  /** What JSON cannot say, or what no object may hold (`__proto__`), by path. */
  readonly problems: readonly FieldProblem[];
  /** The size of `spec` in bytes of JSON; an upper bound where that is below the limit. */
  readonly specBytes: number;
}

/** Text for a path of a bad field: dots between parts; parts that are no plain names are shortened and cleaned. */
export function pathText(parts: readonly (string | number)[]): string {
  const clean = parts.map((part) =>
    String(part)
      .slice(0, 253)
      .replaceAll(/[^-\w./*:]/g, "?"),
  );
  return clean.join(".") || "the object";
}

/**
 * Copies plain data and freezes the copy. Members that are undefined are left out, as JSON leaves them out; so are null
 * members of `metadata`, which Kubernetes treats alike. Throws TooLarge for what is far too large to look at.
 */
export function frozenCopy(what: string, value: unknown): Copy {
  const copying: Copying = { problems: [], path: [], characters: 0 };
  if (!isPlainObject(value)) {
    return { value: undefined, problems: [{ path: "the object", problem: "is not an object" }], specBytes: 0 };
  }
  const copy: Members = {};
  let specBytes = 0;
  for (const [name, member] of Object.entries(value)) {
    const before = copying.characters;
    copyMember(copying, copy, name, name === "metadata" ? withoutNulls(member) : member);
    if (name === "spec") specBytes = (copying.characters - before) * MAX_BYTES_PER_CHARACTER;
    if (copying.characters > MAX_CHARACTERS)
      throw new ZoppError("TooLarge", `${what} is far over ${MAX_OBJECT_BYTES} bytes`);
  }
  if (specBytes > MAX_OBJECT_BYTES) specBytes = utf8(JSON.stringify(copy["spec"])).length;
  return { value: Object.freeze(copy), problems: copying.problems, specBytes };
}

function withoutNulls(metadata: unknown): unknown {
  if (!isPlainObject(metadata)) return metadata;
  return Object.fromEntries(Object.entries(metadata).filter(([, member]) => member !== null));
}

/** True for what an object literal or JSON.parse gives, of whatever realm; false for instances of classes. */
function isPlainObject(value: unknown): value is Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function copyMember(copying: Copying, copy: Members, name: string, member: unknown): void {
  if (member === undefined) return;
  copying.characters += name.length + CHARACTERS_PER_MEMBER;
  copying.path.push(name);
  if (name === "__proto__") note(copying, "is not a name that a field can have");
  else copy[name] = copied(copying, member, MAPS.has(name));
  copying.path.pop();
}

function copied(copying: Copying, value: unknown, isMap: boolean): unknown {
  if (typeof value === "string") copying.characters += value.length;
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  // -0 is a number of its own in JavaScript only.
  if (typeof value === "number" && Number.isFinite(value)) return value + 0;
  if (copying.path.length > MAX_DEPTH) return note(copying, "is nested too deeply");
  // Aliases of YAML make a small text large, and a cycle endless.
  if (copying.characters > MAX_CHARACTERS) return undefined;
  if (Array.isArray(value)) return copiedArray(copying, value);
  if (!isPlainObject(value)) return note(copying, "is not plain data");
  const copy: Members = isMap ? Object.create(null) : {};
  for (const name of Object.keys(value)) copyMember(copying, copy, name, value[name]);
  return Object.freeze(copy);
}

function copiedArray(copying: Copying, items: readonly unknown[]): unknown {
  const copy: unknown[] = [];
  for (let at = 0; at < items.length && copying.characters <= MAX_CHARACTERS; at += 1) {
    copying.characters += CHARACTERS_PER_MEMBER;
    copying.path.push(String(at));
    copy.push(items[at] === undefined ? note(copying, "is absent") : copied(copying, items[at], false));
    copying.path.pop();
  }
  return Object.freeze(copy);
}

function note(copying: Copying, problem: string): undefined {
  copying.problems.push({ path: pathText(copying.path), problem });
}
