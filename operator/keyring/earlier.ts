// Earlier values, read in order to go back: who may, and what is not asked of them.
// Everything else is open.ts' as for what is there now. Nothing of this is ever accepted: only the operator's openings are.
import { type BundleCase, placeOf } from "../../crds/bundle/case.js";
import type { Examined } from "../../crds/bundle/verify.js";
import { ZoppError } from "../../crds/errors.js";
import { rightsIn } from "../../crds/policy/environment.js";
import { may } from "../../crds/policy/rights.js";
import type { ZoppSecret } from "../../crds/types.gen.js";
import type { ServedEnvironment } from "./policy.types.js";
import type { Reader } from "./readers.js";

/**
 * Who may put a value back may read it first; whoever only reads is no reader of the past. Throws NotAuthorised. That
 * a reader may read is checked before.
 */
export function refuseEarlier(
  secret: ZoppSecret,
  { workspace, environment }: ServedEnvironment,
  reader: Reader | undefined,
  now: Date,
): void {
  const refuse = (what: string) => {
    throw new ZoppError("NotAuthorised", `bundle ${placeOf(secret)}: ${what}`);
  };
  if (reader?.isPerson !== true) return refuse("earlier values are read by people only, who put them back");
  const rights = rightsIn(workspace, environment, now);
  const { principal } = reader;
  for (const key of Object.keys(secret.spec.data ?? {})) {
    if (may(rights, principal, "read", key) && may(rights, principal, "write", key)) continue;
    refuse(`${principal} may not read and write ${key}, so not its earlier values either`);
  }
}

/**
 * Entries are judged as if they were new, by the policy of now: signed by somebody who may write them. Only their order
 * and epoch are not asked for. The header is the one that is there, and bound to its environment as ever.
 */
export function earlierCase(given: BundleCase): BundleCase {
  const { ledger } = given;
  return { ...given, anyEpoch: true, ledger: ledger && { ...ledger, entries: new Map() }, baseline: undefined };
}

/**
 * What was applied was approved: whoever puts a value back signs it, and its author could then approve it himself. A header
 * that waits holds nobody up. Throws PendingApproval.
 */
export function refuseWaiting({ spec }: ZoppSecret, { acceptedEntries, problems }: Examined): void {
  if (Object.keys(spec.data ?? {}).every((key) => acceptedEntries.has(key))) return;
  throw problems.at(-1); // that of the header comes before those of entries
}
