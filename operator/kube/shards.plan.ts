// Which of several operators a namespace belongs to, and by which Leases they divide the work. Pure.
import { createHash } from "node:crypto";
import type { Place } from "./resources.js";

/** More operators than this never work at once. */
export const MAX_SHARDS = 16;

/** The shard of what is in no namespace: workspaces, environments, baselines. */
const FIRST = 0;

/**
 * The shard of a namespace (undefined: of what is in none), from 0 on: the first four bytes of SHA-256 of its name, as a number,
 * modulo their count.
 */
export function shardOf(namespace: string | undefined, shards: number): number {
  if (namespace === undefined || shards === 1) return FIRST;
  return createHash("sha256").update(namespace).digest().readUInt32BE(0) % shards;
}

/** The Lease of a shard: that of the first has the name alone, whatever their number, so that no two numbers are in force at once. */
export function leaseOfShard({ namespace, name }: Place, shard: number): Place {
  return { namespace, name: shard === FIRST ? name : `${name}-${shard}` };
}

const NAMESPACED = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/namespaces\/([^/?]+)\/([^/?]+)/;

/** True when a shard may write to this path. Events about what is in no namespace are in `default`, and of the first shard. */
export function isOfShard(path: string, shard: number, shards: number): boolean {
  const [, namespace, resource] = NAMESPACED.exec(path) ?? [];
  if (shardOf(namespace, shards) === shard) return true;
  return shard === FIRST && namespace === "default" && resource === "events";
}
