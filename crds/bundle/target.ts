// The Secret that a bundle becomes, as far as the bundle says it without being opened: name, type and keys.
// Which types are allowed at all is policy/target.ts; whether values fit the type, only who opens them can tell.
import { type FieldProblem, ZoppError } from "../errors.js";
import type { GenerateRule, ZoppSecret } from "../types.gen.js";
import { placeOf } from "./case.js";

/** The name of the Secret: the target's, by default the bundle's own. */
export function targetName(bundle: ZoppSecret): string {
  return bundle.spec.target?.name ?? bundle.metadata.name;
}

/** `namespace/name` of the Secret. */
export function targetPlace(bundle: ZoppSecret): string {
  return `${bundle.metadata.namespace}/${targetName(bundle)}`;
}

/** The type of the Secret; Opaque by default, as in Kubernetes. */
export function targetType(bundle: ZoppSecret): string {
  return bundle.spec.target?.type ?? "Opaque";
}

/** The keys that the Secret gets: entries that are not retired, what the keyring makes, and templates; sorted. */
export function targetKeys(bundle: ZoppSecret): string[] {
  return [...valueKeys(bundle), ...Object.keys(bundle.spec.render ?? {})].sort();
}

/**
 * The keys of the Secret that have values of their own, which templates may name: entries that are neither retired nor for the
 * rotation's job alone, and what the keyring makes.
 */
export function valueKeys(bundle: Pick<ZoppSecret, "spec">): string[] {
  return jobKeys(bundle).filter((key) => !isOnlyForJob(bundle, key));
}

/** True for a key that only the rotation's job gets. */
export function isOnlyForJob({ spec }: Pick<ZoppSecret, "spec">, key: string): boolean {
  return spec.rotation?.keys?.includes(key) === true;
}

/** The keys whose values a rotation's job gets: entries that are not retired, and what the keyring makes. */
export function jobKeys({ spec }: Pick<ZoppSecret, "spec">): string[] {
  const entries = Object.entries(spec.data ?? {});
  const live = entries.filter(([, entry]) => entry.retired !== true).map(([key]) => key);
  return [...live, ...Object.entries(spec.generate ?? {}).flatMap(([key, rule]) => keysOfRule(key, rule))];
}

/** The keys that a rule of `generate` fills. */
export function keysOfRule(key: string, rule: GenerateRule): string[] {
  return [key, rule.public, rule.certificate?.key, rule.certificate?.authority, rule.previous].filter(
    (each) => each !== undefined,
  );
}

/** The most that the data of a Secret may hold, in bytes (Kubernetes' own limit). */
export const MAX_SECRET_BYTES = 1024 * 1024;

/** What each built-in type demands: one key of each list. Other types demand nothing. */
const NEEDED: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "kubernetes.io/tls": [["tls.crt"], ["tls.key"]],
  "kubernetes.io/ssh-auth": [["ssh-privatekey"]],
  "kubernetes.io/dockerconfigjson": [[".dockerconfigjson"]],
  "kubernetes.io/dockercfg": [[".dockercfg"]],
  "kubernetes.io/basic-auth": [["username", "password"]],
};

/** TargetShape where the Secret would not get a key that its type demands, naming every such key; else nothing. */
export function keysMissing(bundle: ZoppSecret): readonly ZoppError[] {
  const type = targetType(bundle);
  const keys = new Set(targetKeys(bundle));
  const needed = Object.hasOwn(NEEDED, type) ? (NEEDED[type] ?? []) : [];
  const missing = needed.filter((choice) => !choice.some((key) => keys.has(key)));
  if (missing.length === 0) return [];
  const fields = missing.map(([first = "", ...others]): FieldProblem => {
    const instead = others.map((key) => ` and so is spec.data.${key}; one of them is needed`).join("");
    return { path: `spec.data.${first}`, problem: `is missing${instead}` };
  });
  const wanted = missing.map((choice) => choice.join(" or ")).join(" and ");
  const text = `bundle ${placeOf(bundle)}: spec.target.type ${type} needs the key ${wanted}`;
  return [new ZoppError("TargetShape", text, { fields })];
}
