// What differs between two versions of a policy, in lines that an owner reads before signing: nothing is left out.
// Pure: two specs in, lines out.
import { isDeepStrictEqual } from "node:util";
import { parseEncryptionKey, parseVerifyKey } from "../crds/crypto/keys.js";
import type { WorkspaceSpec } from "../crds/types.gen.js";

/** What every version has of its own, and nobody decides. */
const OWN: ReadonlySet<string> = new Set(["version", "ancestors", "rotations", "signatures"]);
/** Numbers that protect: what makes them smaller deserves a second look. */
const GUARDS: ReadonlySet<string> = new Set(["threshold", "required", "minVersion", "minEpoch"]);

/** The differences of two versions, in the order of the fields. */
export function policyDifferences(before: WorkspaceSpec, after: WorkspaceSpec): readonly string[] {
  const fields = [...new Set([...Object.keys(after), ...Object.keys(before)])].filter((field) => !OWN.has(field));
  return fields.flatMap((field) =>
    compare(field, before[field as keyof WorkspaceSpec], after[field as keyof WorkspaceSpec]),
  );
}

function compare(path: string, before: unknown, after: unknown): readonly string[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isList(before) && isList(after)) return compareLists(path, before ?? [], after ?? []);
  if (isMembers(before) && isMembers(after)) {
    const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
    return names.flatMap((name) => compare(`${path}.${name}`, before[name], after[name]));
  }
  const lowered = isLowered(path.split(".").at(-1) ?? "", before, after) ? "   (lowered)" : "";
  if (before === undefined) return [`+ ${path}: ${textOf(after)}`];
  if (after === undefined) return [`- ${path}: ${textOf(before)}${lowered}`];
  return [`~ ${path}: ${textOf(before)} -> ${textOf(after)}${lowered}`];
}

/** Members with a name are compared by it, all others as they are. */
function compareLists(path: string, before: readonly unknown[], after: readonly unknown[]): readonly string[] {
  const [old, now] = [byIdentity(before), byIdentity(after)];
  const gone = [...old].filter(([id]) => !now.has(id)).map(([, item]) => `- ${path}: ${textOf(item)}`);
  const rest = [...now].flatMap(([id, item]) =>
    old.has(id) ? compare(`${path}[${nameOf(item)}]`, old.get(id), item) : [`+ ${path}: ${textOf(item)}`],
  );
  const order = gone.length === 0 && rest.length === 0 ? [`~ ${path}: in another order`] : [];
  return [...gone, ...rest, ...order];
}

function byIdentity(items: readonly unknown[]): Map<string, unknown> {
  return new Map(items.map((item) => [isMembers(item) && "name" in item ? String(item["name"]) : textOf(item), item]));
}

function nameOf(item: unknown): string {
  return isMembers(item) ? String(item["name"]) : "";
}

function isLowered(field: string, before: unknown, after: unknown): boolean {
  if (field === "approvals") return after === undefined;
  if (!GUARDS.has(field)) return false;
  return Number(after ?? 0) < Number(before ?? 0);
}

/** An absent list is an empty one. */
function isList(value: unknown): value is readonly unknown[] | undefined {
  return value === undefined || Array.isArray(value);
}

function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys by their kid, which people compare; everything else as it stands. */
function textOf(value: unknown): string {
  if (typeof value === "string") return kidOf(value) ?? value;
  if (Array.isArray(value)) return value.map(textOf).join(", ") || "none";
  if (!isMembers(value)) return String(value);
  return Object.entries(value)
    .map(([field, part]) =>
      Array.isArray(part) || isMembers(part) ? `${field} (${textOf(part)})` : `${field} ${textOf(part)}`,
    )
    .join(" ");
}

function kidOf(text: string): string | undefined {
  return (parseVerifyKey(text) ?? parseEncryptionKey(text))?.kid;
}
