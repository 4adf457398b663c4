// A log as a command finds it, from wherever, and the key that must have signed it.
// Reading it is source.ts', judging it verify.ts'.
import { leafHash, type TreeStart } from "../../crds/audit/merkle.js";
import { parseVerifyKey, type VerifyKey } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import type { KeyringOptions } from "../keyring-call.js";
import { acceptNamedWorkspace } from "../policy.js";
import type { Session } from "../session.js";

/** The flags of all commands that read a log. */
export interface SourceOptions extends KeyringOptions {
  /** keyring (default), cluster, or a file, a folder or `-`. */
  readonly from?: string;
  /** The keyring's public key, where no policy says it. */
  readonly keyringKey?: string;
  /** Which log, where there are several. */
  readonly log?: string;
}

/** A log as it was found. */
export interface FoundLog {
  /** Where, for people. */
  readonly title: string;
  readonly log: string;
  /** What stands for the records before the first one. */
  readonly start: TreeStart;
  /** In order from `start.size` on: lines, or the hash of one that its reader may not see. */
  readonly records: readonly FoundRecord[];
  /** Checkpoints that were found with it. */
  readonly checkpoints: readonly string[];
}

/** One record, or its hash. */
export type FoundRecord =
  | { readonly line: string; readonly stated?: Uint8Array | undefined }
  | { readonly hash: Uint8Array };

/** The leaf that a record is. */
export function leafOf(record: FoundRecord): Uint8Array {
  return "line" in record ? leafHash(record.line) : record.hash;
}

/**
 * The key that must have signed a log: the one that is given, or the one that policy, pinned as always, names for it. Throws
 * NotFound for a log that policy does not name, and as accepting the policy does.
 */
export async function keyOfLog(session: Session, log: string, given: string | undefined): Promise<VerifyKey> {
  const text = given ?? (await keyByPolicy(session, log));
  const key = parseVerifyKey(text);
  if (key === null) throw new ZoppError("Malformed", "--keyring-key: give the keyring's public key, ed25519:…");
  return key;
}

async function keyByPolicy(session: Session, log: string): Promise<string> {
  const workspace = await acceptNamedWorkspace(session);
  const cluster = workspace.object.spec.clusters?.find((each) => each.log === log);
  if (cluster !== undefined) return cluster.signingKey;
  throw new ZoppError(
    "NotFound",
    `no cluster of workspace ${workspace.name} has the log ${log}; name its key by --keyring-key`,
  );
}
