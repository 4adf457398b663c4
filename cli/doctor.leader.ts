// Which of several operators leads, and which of several keyrings serves, by the Lease that they are told: what is wrong with it, in words. Pure.
// Looking at it is commands/doctor.ts' business.
import { holderOf, LEASE_TIMES, type Lease } from "../operator/kube/lease.plan.js";
import { keyOf, placeOfKey } from "../operator/kube/resources.js";
import { leaseOfShard } from "../operator/kube/shards.plan.js";
import type { Finding } from "./doctor.plan.js";
import { toldIn, type ZoppPod } from "./pods.js";

const LEASE = "--leader-elect=";
const SHARDS = "--shards=";
const about = "leader";

/** A Lease, `namespace/name`, and whose it is. */
export interface Elected {
  readonly name: string;
  readonly part: "operator" | "keyring";
}

const DOES = { operator: "leads", keyring: "serves" } as const;

/** The Leases by which these pods' operators and keyrings elect; none where there is one of each alone. */
export function electionsOf(pods: readonly ZoppPod[]): readonly Elected[] {
  const all = pods.flatMap(toldIn).flatMap(({ name: container, args = [] }): Elected[] => {
    const part = container === "keyring" ? container : "operator";
    const said = (flag: string) => args.find((arg) => arg.startsWith(flag))?.slice(flag.length);
    const place = said(LEASE);
    if (place === undefined) return [];
    const shards = Number(said(SHARDS) ?? 1);
    return Array.from({ length: shards }, (_, shard) => ({
      name: keyOf({ metadata: leaseOfShard(placeOfKey(place), shard) }),
      part,
    }));
  });
  return [...new Map(all.map((each) => [each.name, each])).values()];
}

/** The pod of the process that holds a Lease; empty: nobody does. */
export function podOf(lease: Lease | undefined): string {
  const holder = holderOf(lease);
  return holder.slice(0, Math.max(0, holder.lastIndexOf("_")));
}

/** How long ago a Lease ran out, in seconds by this machine's clock; undefined: it binds, or nobody holds it. */
export function expiredFor(lease: Lease | undefined, now: Date): number | undefined {
  const { renewTime = "", leaseDurationSeconds = LEASE_TIMES.durationMs / 1000 } = lease?.spec ?? {};
  if (holderOf(lease) === "") return undefined;
  const seconds = (now.getTime() - Date.parse(renewTime)) / 1000 - leaseDurationSeconds;
  return seconds > 0 ? Math.round(seconds) : undefined;
}

/**
 * What a Lease says. `renewed`: it changed while it was looked at, so that its holder is alive, whatever the clocks say.
 */
export function leaderFindings(
  { name, part }: Elected,
  seen: { readonly lease: Lease | undefined; readonly renewed: boolean },
  pods: readonly ZoppPod[],
  now: Date,
): readonly Finding[] {
  const [namespace] = name.split("/");
  const runs = pods.find((pod) => toldIn(pod).some((container) => container.name === part));
  const component = runs?.metadata.labels?.["app.kubernetes.io/component"] ?? part;
  const logs = `kubectl logs --namespace ${namespace} --selector app.kubernetes.io/component=${component} --container ${part} --tail -1 says why none takes it`;
  const problem = (message: string): readonly Finding[] => [{ state: "problem", about, message, next: logs }];
  const nobody = `no ${part} ${DOES[part]}, so changes wait`;
  const { lease } = seen;
  if (lease === undefined) return problem(`${nobody}: the lease ${name} is not there`);
  if (holderOf(lease) === "") return problem(`${nobody}: nobody holds the lease ${name}`);
  const pod = podOf(lease);
  const isGone = !pods.some(({ metadata }) => metadata.name === pod);
  const gone = isGone ? ", a pod that is gone" : "";
  const expired = seen.renewed ? undefined : expiredFor(lease, now);
  if (expired !== undefined)
    return problem(`${nobody}: the lease ${name}, last held by ${pod}${gone}, ran out ${expired} s ago`);
  if (isGone) {
    const message = `the lease ${name} is held by ${pod}${gone}: until it runs out changes wait`;
    return [
      {
        state: "warning",
        about,
        message,
        next: `wait half a minute: another ${part} takes it; if none does, ask again`,
      },
    ];
  }
  return [{ state: "ok", about, message: `the ${part} in pod ${pod} ${DOES[part]}` }];
}
