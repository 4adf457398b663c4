// What the Secret holds while new values wait for their Job: what it held before. Pure.
import { templateProblems } from "../../crds/bundle/render.js";
import { keysMissing, keysOfRule } from "../../crds/bundle/target.js";
import type { SecretStatus, ZoppSecret } from "../../crds/types.gen.js";
import type { GeneratedValues } from "../keyring/client.types.js";
import { isIntact, type Situation } from "./secret.plan.js";

/** True when every value is in the Secret: the last Job has done its work. */
export function isPublished(status: SecretStatus | undefined): boolean {
  const { published, generated = {} } = status ?? {};
  return published !== undefined && Object.entries(generated).every(([key, { version }]) => published[key] === version);
}

/** How the Secret is written while new values wait. */
export interface Kept {
  /** Without the rules that the Secret has no value of yet. */
  readonly bundle: ZoppSecret;
  /** The rules whose value before it holds in the place of the present one. */
  readonly held: ReadonlySet<string>;
}

/** What the Secret holds until the new values are published; undefined where that cannot be made of what is there. */
export function keptOf({ bundle, status, target }: Looked, values: GeneratedValues | undefined): Kept | undefined {
  if (status?.published === undefined) return undefined;
  const kept = asPublished(bundle, status);
  const held = new Set<string>();
  for (const [key, rule] of Object.entries(kept.spec.generate ?? {})) {
    const published = status.published[key];
    const value = values?.[key];
    if (published === value?.version) continue;
    if (value === undefined || published !== value.previous?.version) return undefined;
    // what stands under other keys beside a value is taken from it by the present rule
    const isWhole = (rule.certificate ?? rule.public) === undefined;
    if (!isWhole && value.previous?.rule !== value.rule) return undefined;
    held.add(key);
  }
  // a key that was a sealed one before, or that a template needs, is only in the Secret of before
  const has = typeof target === "string" ? [] : target.writers.ours;
  if (unpublishedKeys(bundle, status).some((key) => has.includes(key))) return undefined;
  return templateProblems(kept).length + keysMissing(kept).length > 0 ? undefined : { bundle: kept, held };
}

type Looked = Pick<Situation, "bundle" | "status" | "target">;

/** The bundle without the rules of which nothing was published, where anything was. */
function asPublished(bundle: ZoppSecret, status: Pick<SecretStatus, "published"> | undefined): ZoppSecret {
  const { published } = status ?? {};
  const { generate } = bundle.spec;
  if (published === undefined || generate === undefined) return bundle;
  const rules = Object.entries(generate).filter(([key]) => published[key] !== undefined);
  return { ...bundle, spec: { ...bundle.spec, generate: Object.fromEntries(rules) } };
}

function unpublishedKeys({ spec }: ZoppSecret, { published = {} }: Pick<SecretStatus, "published">): string[] {
  const rules = Object.entries(spec.generate ?? {}).filter(([key]) => published[key] === undefined);
  return rules.flatMap(([key, rule]) => keysOfRule(key, rule));
}

/** True when the Secret is there, with all of the bundle but its new values. */
export function isServing({ bundle, digest, status, target }: Situation): boolean {
  if (typeof target === "string" || status?.digest !== digest) return false;
  return status.target?.uid === target.metadata.uid && isIntact(asPublished(bundle, status), target);
}
