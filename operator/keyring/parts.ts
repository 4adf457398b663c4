// ZoppLedger objects: shards of accepted places, and accepted policy objects whole; packed, signed, checked.
// When they are written is store.ts' and policy.ts' business.
import { gunzipSync, gzipSync } from "node:zlib";
import { decodeBase64, encodeBase64 } from "../../crds/crypto/encoding.js";
import type { SigningKey } from "../../crds/crypto/identity.js";
import type { VerifyKey } from "../../crds/crypto/keys.js";
import { sha256, sha256Hex, utf8 } from "../../crds/crypto/primitives.js";
import { ZoppError } from "../../crds/errors.js";
import { ledgerStatement, signStatement, verifyStatement } from "../../crds/statement.js";
import type { ZoppLedger } from "../../crds/types.gen.js";
import type { StoredPlace, StoredPolicies } from "./ledger.js";

/** How large a shard of places gets, in bytes of JSON before compression. */
export const MAX_SHARD_BYTES = 256 * 1024;
const MAX_CONTENT_BYTES = 4 * 1024 * 1024;

/** Where a part belongs. */
export interface PartPlace {
  readonly namespace: string;
  readonly log: string;
  /** Records below this index are in. */
  readonly through: number;
}

function makePart(
  place: PartPlace,
  kind: ZoppLedger["spec"]["kind"],
  name: string,
  content: unknown,
  key: SigningKey,
): ZoppLedger {
  const text = JSON.stringify(content);
  const facts = { log: place.log, kind, name, through: place.through };
  const statement = ledgerStatement({ ...facts, hash: sha256Hex(utf8(text)) });
  const prefix = kind === "Places" ? `${place.log}-places` : place.log;
  return {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppLedger",
    metadata: { name: `${prefix}-${name}`, namespace: place.namespace },
    spec: { ...facts, content: encodeBase64(gzipSync(text)), signature: signStatement(key, statement) },
  };
}

/** The content of a part. Throws LogBroken unless it is this keyring's own, unchanged. */
export function contentOf({ metadata, spec }: ZoppLedger, key: VerifyKey): unknown {
  const packed = decodeBase64(spec.content);
  if (packed === null) throw broken(metadata.name);
  const text = unpacked(metadata.name, packed);
  const { log, kind, name, through, signature } = spec;
  const statement = ledgerStatement({ log, kind, name, through, hash: sha256Hex(utf8(text)) });
  if (!verifyStatement(key, statement, signature)) throw broken(metadata.name);
  return JSON.parse(text);
}

/** A whole accepted workspace or environment, named by its digest. */
export function policyPart(place: PartPlace, digest: string, object: object, key: SigningKey): ZoppLedger {
  return makePart(place, "Policy", digest, object, key);
}

/**
 * The accepted object that a part holds. Throws LogBroken unless it is this keyring's own and says itself that it is this digest's:
 * the name of an object in the API is given by whoever writes it.
 */
export function policyIn(part: ZoppLedger, log: string, digest: string, key: VerifyKey): unknown {
  const { spec } = part;
  if (spec.kind !== "Policy" || spec.log !== log || spec.name !== digest) throw broken(part.metadata.name);
  return contentOf(part, key);
}

/** What is known of the log when its first records are no longer in the cluster: where it begins there, and what is in force. */
export interface Head extends StoredPolicies {
  /** Records below this index are not needed any more. */
  readonly size: number;
  /** The hash of the segment before. */
  readonly previous: string;
  /** What of the Merkle tree stands for them, in base64, as MerkleTree starts. */
  readonly hashes: readonly string[];
}

/** A head as it is stored. */
export function headPart(place: PartPlace, head: Head, key: SigningKey): ZoppLedger {
  return makePart(place, "Head", "head", head, key);
}

/**
 * Shards that hold all places: as many as keep each below its limit, a place in the shard that its hash says. Shards say how
 * many they are, so that a set which is not whole is never taken for one.
 */
export function placeParts(
  place: PartPlace,
  places: Iterable<readonly [string, StoredPlace]>,
  key: SigningKey,
  atLeast = 1,
): readonly ZoppLedger[] {
  const all = [...places];
  const bytes = all.reduce((sum, [name, stored]) => sum + name.length + JSON.stringify(stored).length + 4, 0);
  // half full on average, since hashes spread unevenly
  const count = Math.max(atLeast, 2 ** Math.ceil(Math.log2((2 * bytes) / MAX_SHARD_BYTES)));
  const shards = Array.from({ length: count }, (): Record<string, StoredPlace> => Object.create(null));
  for (const [name, stored] of all) {
    const shard = shards[shardOf(name, count)];
    if (shard !== undefined) shard[name] = stored;
  }
  return shards.map((shard, at) => makePart(place, "Places", `${at}of${count}`, shard, key));
}

function shardOf(place: string, count: number): number {
  return new DataView(sha256(utf8(place)).slice().buffer).getUint32(0) % count;
}

function unpacked(name: string, packed: Uint8Array): string {
  try {
    return gunzipSync(packed, { maxOutputLength: MAX_CONTENT_BYTES }).toString("utf8");
  } catch (cause) {
    throw new ZoppError("LogBroken", `ledger part ${name} does not unpack`, { cause });
  }
}

function broken(name: string): ZoppError {
  return new ZoppError("LogBroken", `ledger part ${name} is not what this keyring wrote`);
}
