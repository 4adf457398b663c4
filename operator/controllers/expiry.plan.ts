// What is said of values that end, and when: the condition Expiring, Events at each stage, and the moment of the next one.
// Pure. Nothing is ever taken away: a value that has ended stays in its Secret until somebody writes a new one.
import { type Ending, EXPIRY_REASONS, type ExpiryReason } from "../../crds/bundle/endings.js";
import type { SecretStatus } from "../../crds/types.gen.js";
import { condition, type Wanted } from "../kube/conditions.js";
import type { Happening } from "../kube/events.js";

/** A value of which something is said, as the status keeps it. */
export type Expiring = NonNullable<SecretStatus["expiring"]>[number];

/** How long before its end a value is spoken of for the last time; where the first time is no earlier, it is that one. */
const LAST_CALL_MS = 24 * 3600_000;

/** When what is said of an end begins to be said, in milliseconds before it. */
function stages(warningMs: number): readonly (readonly [beforeMs: number, reason: ExpiryReason])[] {
  const [soon, lastCall, ended] = EXPIRY_REASONS;
  return [
    [warningMs, soon],
    [Math.min(warningMs, LAST_CALL_MS), lastCall],
    [0, ended],
  ];
}

/** What is to be said now of values that end; those of which there is nothing to say yet are left out. */
export function expiringOf(endings: readonly Ending[], now: Date, warningMs: number): Expiring[] {
  return endings.flatMap(({ key, expires }) => {
    const leftMs = Date.parse(expires) - now.getTime();
    const [, reason] = stages(warningMs).findLast(([beforeMs]) => leftMs <= beforeMs) ?? [];
    return reason === undefined ? [] : [{ key, expires, reason }];
  });
}

/** When something else is to be said, in milliseconds from now; undefined = never. */
export function nextStageMs(endings: readonly Ending[], now: Date, warningMs: number): number | undefined {
  const moments = endings.flatMap(({ expires }) =>
    stages(warningMs).map(([beforeMs]) => Date.parse(expires) - beforeMs),
  );
  const coming = moments.map((moment) => moment - now.getTime()).filter((ms) => ms > 0);
  return coming.length === 0 ? undefined : Math.min(...coming);
}

/** The condition Expiring, with the reason of the value that ends first; only while there is something to say. */
export function expiryCondition(expiring: readonly Expiring[]): Wanted[] {
  const [first] = expiring;
  if (first === undefined) return [];
  const text = expiring.map(({ key, expires }) => `${key} (${expires})`).join(", ");
  return [condition("Expiring", true, first.reason, `${NEXT}: ${text}`)];
}

/**
 * An Event for each end that reached a later stage than the status says; values with one end share it. A clock that
 * went back is no news, and the Event of a stage has one name whenever it is posted.
 */
export function expiryHappenings(previous: readonly Expiring[] = [], next: readonly Expiring[] = []): Happening[] {
  const rankOf = ({ reason }: Expiring) => EXPIRY_REASONS.indexOf(reason as ExpiryReason);
  const said = new Map(previous.map((each) => [`${each.key} ${each.expires}`, rankOf(each)]));
  const news = next.filter((each) => rankOf(each) > (said.get(`${each.key} ${each.expires}`) ?? -1));
  const byEnd = Map.groupBy(news, ({ expires, reason }) => `${expires} ${reason}`);
  return [...byEnd.values()].map((together) => happening(together));
}

const NEXT = "write new values with `zopp set`, or another end with `zopp expire`";

function happening(together: readonly Expiring[]): Happening {
  const [{ expires, reason } = { expires: "", reason: "" }] = together;
  const keys = together.map(({ key }) => key).join(", ");
  const verb = reason === "Expired" ? "ended" : together.length === 1 ? "ends" : "end";
  return { type: "Warning", reason, message: `${keys} ${verb} at ${expires}: ${NEXT}`, digest: `${expires} ${keys}` };
}
