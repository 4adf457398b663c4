// Generated values when a bundle is opened: which of those in status are good, and the entry keys that open them.
// The rules are crds/bundle/generated.ts'; making values is generate.ts'.
import type { AcceptedGenerated } from "../../crds/bundle/case.js";
import { placeOf } from "../../crds/bundle/case.js";
import {
  type GeneratedCase,
  type GeneratedValue,
  type HeldValue,
  judgeGenerated,
  ruleHash,
} from "../../crds/bundle/generated.js";
import { decodeBase64 } from "../../crds/crypto/encoding.js";
import { type EntryContext, entryKey, openEntry } from "../../crds/crypto/entry.js";
import { ZoppError } from "../../crds/errors.js";
import { refuseOutdated, ruleFor } from "../../crds/policy/environment.js";
import { refuseExpired } from "../../crds/policy/workspace.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { OpenOptions } from "./open.types.js";
import type { ServedEnvironment } from "./policy.types.js";

/** Good values by the key of their rule. */
export type HeldValues = ReadonlyMap<string, HeldValue>;

/** Of a bundle without rules. */
export const NOTHING_GENERATED: HeldValues = new Map();

type Deciding = Pick<OpenOptions, "ledger" | "cluster" | "now">;

/** What the generated values of a bundle are judged against now. */
export function generatedCase(
  secret: ZoppSecret,
  { environment }: Pick<ServedEnvironment, "environment">,
  { ledger, cluster, now }: Deciding,
): GeneratedCase {
  const newest = environment.newest.key.kid;
  const issuerOf: GeneratedCase["issuerOf"] = ({ name, key }) => {
    const place = ledger.place(`${secret.metadata.namespace}/${name}`);
    return place?.environment === environment.path ? place.generated?.get(key)?.hash : undefined;
  };
  return { secret, ledger: ledger.place(placeOf(secret)), cluster, newest, issuerOf, now: now() };
}

/**
 * A new value is new content: what a policy that has expired, or an unknown log, does not take. Throws LedgerLost,
 * PolicyExpired, EnvironmentOutdated.
 */
export function refuseNews(served: ServedEnvironment, { book, now }: Pick<OpenOptions, "book" | "now">): void {
  const { workspace, environment } = served;
  if (!book.acceptsNew(served))
    throw new ZoppError("LedgerLost", `environment ${environment.path}: policy names another log for this keyring`);
  refuseExpired(workspace, now());
  refuseOutdated(environment, ruleFor(workspace, environment.scope));
}

/**
 * The values of a bundle that was verified. With `all` each rule must have one, as whoever writes the Secret needs it. Throws as
 * judgeGenerated, and as refuseNews where one of them would be accepted.
 */
export function heldValues(
  secret: ZoppSecret,
  served: ServedEnvironment,
  all: boolean,
  options: Deciding & Pick<OpenOptions, "book">,
): HeldValues {
  const { generate } = secret.spec;
  if (generate === undefined) return NOTHING_GENERATED;
  const given = generatedCase(secret, served, options);
  const held = new Map<string, HeldValue>();
  for (const [key, rule] of Object.entries(generate)) {
    if (!all && secret.status?.generated?.[key] === undefined) continue;
    const { held: value, restore } = judgeGenerated(given, key, rule);
    if (value !== undefined) held.set(key, value);
    else if (all && restore !== undefined)
      // transient: the operator asks, and gets the accepted one back
      throw new ZoppError(
        "ApiConflict",
        `bundle ${placeOf(secret)}: status.generated.${key} displaced the accepted one`,
      );
    else if (all && secret.status?.generated?.[key]?.rule === ruleHash(rule))
      // transient: the operator asks for another one
      throw new ZoppError(
        "ApiConflict",
        `bundle ${placeOf(secret)}: status.generated.${key} was not used in its time, or is of an older key or CA`,
      );
    else if (all)
      throw new ZoppError(
        "GeneratedLost",
        `bundle ${placeOf(secret)}: status.generated.${key} has no value of this rule`,
      );
  }
  // what a person reads is accepted by nobody
  if (all && acceptedValues(held) !== undefined) refuseNews(served, options);
  return held;
}

/** The entry keys of values, and of those before them under the key that the rule names. */
export function generatedKeys(
  secret: ZoppSecret,
  values: HeldValues,
  served: ServedEnvironment,
  only: ReadonlySet<string> | undefined,
): ReadonlyMap<string, Uint8Array> {
  const keys = new Map<string, Uint8Array>();
  for (const [key, { value, previous }] of values) {
    const other = secret.spec.generate?.[key]?.previous;
    if (only?.has(key) !== false) keys.set(key, keyOf(secret, key, value, served));
    if (previous !== undefined && other !== undefined && only?.has(other) !== false)
      keys.set(other, keyOf(secret, key, previous, served));
  }
  return keys;
}

function keyOf(secret: ZoppSecret, key: string, value: GeneratedValue, served: ServedEnvironment): Uint8Array {
  const { to, version, sealed } = value;
  const epoch = served.environment.epochs.get(to);
  const opens = served.keys.get(to);
  const bytes = decodeBase64(sealed);
  if (epoch === undefined || opens === undefined || bytes === null) {
    const what = `bundle ${placeOf(secret)}: status.generated.${key}.to: that environment key is not wrapped to this cluster`;
    throw new ZoppError("CannotOpen", what);
  }
  return entryKey(opens, contextOf(secret, key, version, epoch.facts.epoch, served), bytes, "generated");
}

/** Opens a good value, for the keyring itself to go on with; whoever asks overwrites it. Throws CannotOpen. */
export function openHeld(
  secret: ZoppSecret,
  key: string,
  value: GeneratedValue,
  served: ServedEnvironment,
): Uint8Array {
  const opens = keyOf(secret, key, value, served);
  try {
    const { kem } = served.environment.epochs.get(value.to)?.key ?? {};
    const bytes = decodeBase64(value.sealed);
    if (kem === undefined || bytes === null) throw new TypeError("a value that has a key can be opened");
    return openEntry(opens, kem, bytes);
  } finally {
    opens.fill(0);
  }
}

/** Where a generated value is sealed for: its own bundle, also where the environment's entries open in any. */
export function contextOf(
  { metadata: { namespace, name } }: ZoppSecret,
  key: string,
  version: number,
  epoch: number,
  { environment: accepted }: Pick<ServedEnvironment, "environment">,
): EntryContext {
  const { workspace, project, environment } = accepted.object.spec;
  return { workspace, project, environment, epoch, namespace, name, key, version };
}

/** What of the values is new to the ledger. */
export function acceptedValues(values: HeldValues): Readonly<Record<string, AcceptedGenerated>> | undefined {
  const news = [...values].flatMap(([key, { accepted }]) => (accepted === undefined ? [] : [[key, accepted] as const]));
  return news.length === 0 ? undefined : Object.fromEntries(news);
}
