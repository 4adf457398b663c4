// What differs between two versions of a bundle, part by part, without opening anything.
// Approvals and signatures are no difference: they say who stands for it, not what it is.
import type { Entry, ZoppSecret } from "../crds/types.gen.js";

/** A version of a header or entry, and the kid of who signed it. */
export interface Side {
  readonly version: number;
  readonly by: string;
}

/** A field of the header that differs, each side as JSON; undefined where a side has none. */
export interface FieldChange {
  readonly field: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** One part that differs: the header (no key) or an entry. */
export interface Difference {
  readonly key?: string;
  readonly change: "added" | "changed" | "sealed again" | "retired" | "removed";
  readonly before?: Side;
  readonly after?: Side;
  /** Of a header. */
  readonly fields?: readonly FieldChange[];
}

/** The differences from one version of a bundle to another; undefined = it is not there. The header comes first, then keys in order. */
export function bundleDifferences(
  before: ZoppSecret | undefined,
  after: ZoppSecret | undefined,
): readonly Difference[] {
  const keys = new Set([...Object.keys(before?.spec.data ?? {}), ...Object.keys(after?.spec.data ?? {})]);
  const entries = [...keys]
    .sort()
    .flatMap((key) => entryDifference(key, before?.spec.data?.[key], after?.spec.data?.[key]));
  return [...headerDifference(before, after), ...entries];
}

function entryDifference(key: string, before: Entry | undefined, after: Entry | undefined): Difference[] {
  const sides = { ...(before && { before: sideOf(before) }), ...(after && { after: sideOf(after) }) };
  if (after === undefined) return [{ key, change: "removed", ...sides }];
  if (before !== undefined && wordsOf(before) === wordsOf(after)) return [];
  if (after.retired === true) return [{ key, change: "retired", ...sides }];
  if (before === undefined || before.retired === true) return [{ key, change: "added", ...sides }];
  return [{ key, change: before.to === after.to ? "changed" : "sealed again", ...sides }];
}

function headerDifference(before: ZoppSecret | undefined, after: ZoppSecret | undefined): Difference[] {
  const sides = {
    ...(before && { before: sideOf(before.spec.header) }),
    ...(after && { after: sideOf(after.spec.header) }),
  };
  if (after === undefined) return [{ change: "removed", ...sides }];
  const [one, other] = [fieldsOf(before), fieldsOf(after)];
  const names = [...new Set([...one.keys(), ...other.keys()])].sort();
  const fields = names.flatMap((field) => {
    const change = { field, before: one.get(field), after: other.get(field) };
    return change.before === change.after ? [] : [change];
  });
  if (before === undefined) return [{ change: "added", ...sides, fields }];
  const isSigned = before.spec.header.version !== after.spec.header.version;
  return fields.length === 0 && !isSigned ? [] : [{ change: "changed", ...sides, fields }];
}

/** What the header is signed over, one line a field: those of the target, the rendered keys, rules, the job, restart, the environment. */
function fieldsOf(secret: ZoppSecret | undefined): ReadonlyMap<string, string> {
  const { environment, target = {}, render = {}, restart, generate = {}, rotation = {} } = secret?.spec ?? {};
  const lines = [
    ["environment", environment],
    ["restart", restart],
    ...Object.entries(target).map(([name, value]) => [`target.${name}`, value]),
    ...Object.entries(render).map(([name, value]) => [`render.${name}`, value]),
    ...Object.entries(generate).map(([name, value]) => [`generate.${name}`, value]),
    ...Object.entries(rotation).map(([name, value]) => [`rotation.${name}`, value]),
  ] as const;
  return new Map(
    lines.flatMap(([name, value]) => (value === undefined ? [] : [[String(name), JSON.stringify(value)] as const])),
  );
}

function sideOf({ version, by }: Side): Side {
  return { version, by };
}

function wordsOf({ version, by, expires, retired, to, sealed }: Entry): string {
  return JSON.stringify([version, by, expires, retired === true, to, sealed]);
}
