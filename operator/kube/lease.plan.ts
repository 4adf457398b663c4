// Decides what a process does about a Lease: take it, renew it or wait. Pure.
// Times are milliseconds of the process's own clock, which only grows: what the Lease says of time is for people to read,
// so clocks that differ do no harm.
import { type KubeObject, NEVER_STORED, type Place } from "./resources.js";

/** A Lease of coordination.k8s.io/v1, as far as elections use it. */
export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** How long things last, in milliseconds. */
export interface LeaseTimes {
  /** Others wait for so long after the last renewal that they saw. A whole number of seconds. */
  readonly durationMs: number;
  /** The holder stops when its last renewal was sent so long ago: before others begin. */
  readonly deadlineMs: number;
  /** Time between renewals, and between looks. */
  readonly retryMs: number;
}

/** Those of client-go and of every operator made with controller-runtime. */
export const LEASE_TIMES: LeaseTimes = { durationMs: 15_000, deadlineMs: 10_000, retryMs: 2_000 };

/** On the Lease of the first shard: by how many shards the work is divided. Absent: one. "0": it changes, and nobody works. */
export const SHARDS_ANNOTATION = "zopp.dev/shards";

/** What was seen of a Lease (undefined: there is none), and until when it binds whoever does not hold it. */
export interface Sighting {
  readonly lease: Lease | undefined;
  readonly boundUntilMs: number;
}

/** What to do now. */
export type LeaseStep = { readonly do: "take" } | { readonly do: "renew" } | { readonly do: "wait" };

/**
 * Takes note of a Lease as it was read just now. The same version again is no news: its time runs on. So it does when a
 * held Lease is deleted, since its holder may not know it yet. One that is not there binds for `absentMs` at least, also who
 * never saw it: that there never was one cannot be told from that it was deleted.
 */
export function sight(
  lease: Lease | undefined,
  before: Sighting | undefined,
  nowMs: number,
  absentMs: number,
): Sighting {
  if (lease === undefined) {
    if (before !== undefined && before.lease === undefined) return before;
    return { lease, boundUntilMs: Math.max(before?.boundUntilMs ?? nowMs, nowMs + absentMs) };
  }
  const { uid, resourceVersion } = lease.metadata;
  const old = before?.lease?.metadata;
  if (before !== undefined && old?.uid === uid && old?.resourceVersion === resourceVersion) return before;
  const { leaseDurationSeconds = LEASE_TIMES.durationMs / 1000 } = lease.spec ?? {};
  return { lease, boundUntilMs: holderOf(lease) === "" ? nowMs : nowMs + leaseDurationSeconds * 1000 };
}

/** Who holds a Lease; empty: nobody. */
export function holderOf(lease: Lease | undefined): string {
  return lease?.spec?.holderIdentity ?? "";
}

/** By how many shards the work is divided; 0: by a number that nobody has, so that nobody works. */
export function shardsOf(lease: Lease | undefined): number {
  const said = lease?.metadata.annotations?.[SHARDS_ANNOTATION];
  if (said === undefined) return 1;
  return /^\d{1,4}$/.test(said) ? Number(said) : 0;
}

/** The one decision about a Lease, by `me`, an identity that no other process ever has. */
export function leaseStep({ lease, boundUntilMs }: Sighting, me: string, nowMs: number): LeaseStep {
  if (holderOf(lease) === me) return { do: "renew" };
  return { do: nowMs >= boundUntilMs ? "take" : "wait" };
}

/** Who writes a Lease, and what it says. */
export interface Holding {
  readonly me: string;
  readonly times: LeaseTimes;
  readonly shards: number;
}

/** The Lease that `me` writes to take or renew it: only over the version that was seen, or only if there is still none. */
export function heldLease({ lease }: Sighting, at: Place, { me, times, shards }: Holding, now: Date): Lease {
  const { acquireTime, leaseTransitions = 0 } = lease?.spec ?? {};
  const isMine = holderOf(lease) === me;
  const time = microTime(now);
  return {
    metadata: { ...at, resourceVersion: lease?.metadata.resourceVersion ?? NEVER_STORED, ...saying(shards) },
    spec: {
      holderIdentity: me,
      leaseDurationSeconds: times.durationMs / 1000,
      acquireTime: isMine && acquireTime !== undefined ? acquireTime : time,
      renewTime: time,
      leaseTransitions: lease === undefined || isMine ? leaseTransitions : leaseTransitions + 1,
    },
  };
}

/** The Lease that its holder leaves behind, as client-go does: anybody may take it at once. The number of shards stays. */
export function releasedLease(held: Lease, at: Place, now: Date): Lease {
  const time = microTime(now);
  const { leaseTransitions = 0 } = held.spec ?? {};
  const free = { holderIdentity: "", leaseDurationSeconds: 1, acquireTime: time, renewTime: time, leaseTransitions };
  return { metadata: { ...at, resourceVersion: held.metadata.resourceVersion, ...saying(shardsOf(held)) }, spec: free };
}

function saying(shards: number): Pick<Lease["metadata"], "annotations"> {
  return shards === 1 ? {} : { annotations: { [SHARDS_ANNOTATION]: String(shards) } };
}

/** A time as the API server keeps it in Leases (MicroTime). */
function microTime(now: Date): string {
  return now.toISOString().replace("Z", "000Z");
}
