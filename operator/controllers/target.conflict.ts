// What is said of a Secret that may not be written, being deleted or somebody else's: whose it is, who writes its keys, and what taking it over would change.
// Names of keys and field managers only: the operator never reads the values. Whether it is a conflict is the plan's.
import { placeOf } from "../../crds/bundle/case.js";
import { targetKeys, targetName } from "../../crds/bundle/target.js";
import { ZoppError } from "../../crds/errors.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import { BUNDLE_ANNOTATION } from "./target.js";
import type { SeenSecret } from "./target.seen.js";

/** The Secret belongs to a controller that would write it again: zopp does not take it, whatever it says. */
export function ownedConflict(bundle: ZoppSecret, owner: { readonly kind: string; readonly name: string }): ZoppError {
  return conflict(bundle, `is there and belongs to ${owner.kind} ${owner.name}`);
}

/** The Secret is another bundle's, or not zopp's at all: it may be taken over, and this is what would become of it. */
export function foreignConflict(bundle: ZoppSecret, target: SeenSecret): ZoppError {
  const other = target.metadata.annotations?.[BUNDLE_ANNOTATION];
  const whose = other === undefined ? "is not made by zopp" : `is made from the bundle ${other}`;
  return conflict(bundle, `is there and ${whose}${writtenBy(target.writers.managers)}${preview(bundle, target)}`);
}

/** Others hold these keys of a Secret that asks for the bundle's keys beside its own. */
export function contestedConflict(bundle: ZoppSecret, keys: readonly string[], managers: readonly string[]): ZoppError {
  return conflict(bundle, `has ${list(keys)} from another writer already${writtenBy(managers)}`);
}

/** The Secret was deleted and is still there: the API server takes it away when its finalizers are gone. */
export function terminating(bundle: ZoppSecret, { metadata: { finalizers = [] } }: SeenSecret): ZoppError {
  const heldBy = finalizers.length === 0 ? "" : `, held by ${list(finalizers)}`;
  return new ZoppError("TargetTerminating", `${named(bundle)} is being deleted${heldBy}`);
}

function conflict(bundle: ZoppSecret, problem: string): ZoppError {
  return new ZoppError("TargetConflict", `${named(bundle)} ${problem}`);
}

function named(bundle: ZoppSecret): string {
  return `bundle ${placeOf(bundle)}: the Secret ${targetName(bundle)}`;
}

function writtenBy(managers: readonly string[]): string {
  return managers.length === 0 ? "" : ` (its keys are written by ${list(managers)})`;
}

/** Told from who writes which key, so that a Secret whose writers the API server does not know shows no keys. */
function preview(bundle: ZoppSecret, { writers }: SeenSecret): string {
  const wanted = targetKeys(bundle);
  const there = [...writers.ours, ...writers.others].sort();
  const changes = [
    ["written anew", wanted.filter((key) => there.includes(key))],
    ["added", wanted.filter((key) => !there.includes(key))],
    ["removed", there.filter((key) => !wanted.includes(key))],
  ] as const;
  const said = changes.flatMap(([change, keys]) => (keys.length === 0 ? [] : [`${change}: ${list(keys)}`]));
  return said.length === 0 ? "" : `; taken over, its keys would be ${said.join("; ")}`;
}

/** As many names as anybody reads. */
const SHOWN = 10;

function list(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return `${names.slice(0, SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
