// Which of several operators leads, by the Lease that they are told: what is wrong with it, in words. Pure.
// Looking at it is commands/doctor.ts' business.
import { holderOf, LEASE_TIMES, type Lease } from "../operator/kube/lease.plan.js";
import type { Finding } from "./doctor.plan.js";
import type { ZoppPod } from "./pods.js";

const FLAG = "--leader-elect=";
const about = "leader";

/** The Leases (`namespace/name`) by which these pods' operators elect; none where there is one operator alone. */
export function electionsOf(pods: readonly ZoppPod[]): readonly string[] {
  const args = pods.flatMap(({ spec }) => spec?.containers?.flatMap(({ args = [] }) => args) ?? []);
  return [...new Set(args.filter((arg) => arg.startsWith(FLAG)).map((arg) => arg.slice(FLAG.length)))];
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
  name: string,
  seen: { readonly lease: Lease | undefined; readonly renewed: boolean },
  pods: readonly ZoppPod[],
  now: Date,
): readonly Finding[] {
  const [namespace] = name.split("/");
  const logs = `kubectl logs --namespace ${namespace} --selector app.kubernetes.io/component=operator says why none takes it`;
  const problem = (message: string): readonly Finding[] => [{ state: "problem", about, message, next: logs }];
  const nobody = "no operator leads, so no change is applied";
  const { lease } = seen;
  if (lease === undefined) return problem(`${nobody}: the lease ${name} is not there`);
  const holder = holderOf(lease);
  if (holder === "") return problem(`${nobody}: nobody holds the lease ${name}`);
  const pod = holder.slice(0, holder.lastIndexOf("_"));
  const isGone = !pods.some(({ metadata }) => metadata.name === pod);
  const gone = isGone ? ", a pod that is gone" : "";
  const expired = seen.renewed ? undefined : expiredFor(lease, now);
  if (expired !== undefined)
    return problem(`${nobody}: the lease ${name}, last held by ${pod}${gone}, ran out ${expired} s ago`);
  if (isGone) {
    const message = `the lease ${name} is held by ${pod}${gone}: until it runs out no change is applied`;
    return [
      {
        state: "warning",
        about,
        message,
        next: "wait half a minute: another operator takes it; if none does, ask again",
      },
    ];
  }
  return [{ state: "ok", about, message: `the operator in pod ${pod} leads` }];
}
