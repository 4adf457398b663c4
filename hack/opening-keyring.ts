// For tests only: the opening part of a keyring in which a fixture policy is in force, without sockets or an API server.
// The log is a list; verification, keys and records are the real ones.
import { decodeBase64 } from "../crds/crypto/encoding.js";
import { openEntry } from "../crds/crypto/entry.js";
import type { ZoppEnvironment, ZoppSecret, ZoppWorkspace } from "../crds/types.gen.js";
import { openBundles } from "../operator/keyring/open.js";
import type { Caller, Opened, SentBundle } from "../operator/keyring/open.types.js";
import { KeyringWorld, LATER, pinned, review } from "./keyring-world.js";

/** The operator, as the keyring sees it. */
export const OPERATOR: Caller = { actor: "system:serviceaccount:zopp-system:zopp", request: "r1" };

/** A keyring in which this policy is in force. */
export async function openingKeyring(workspace: ZoppWorkspace, environment: ZoppEnvironment) {
  const world = new KeyringWorld();
  const book = world.start(pinned(workspace));
  await review(book, workspace, environment);
  const before = world.facts.length;
  const options = world.opening(book);
  const openAs = (caller: Caller, bundles: readonly SentBundle[], now = LATER) =>
    openBundles(bundles, caller, { ...options, now: () => now });
  const open = (...bundles: SentBundle[]) => openAs(OPERATOR, bundles);
  return { world, book, open, openAs, recorded: () => world.facts.slice(before) };
}

/** What a caller makes of the keys that were released. */
export function valuesOf(secret: ZoppSecret, opened: Opened | undefined): Record<string, string> {
  if (opened?.ok !== true) throw opened?.error ?? new TypeError("no result");
  const values: Record<string, string> = {};
  for (const [key, entryKey] of opened.keys) {
    const sealed = decodeBase64(secret.spec.data?.[key]?.sealed ?? "") ?? new Uint8Array();
    values[key] = Buffer.from(openEntry(entryKey, "xwing", sealed)).toString();
  }
  return values;
}
