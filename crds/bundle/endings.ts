// When the values of a bundle end at their sources, as their authors signed it. Nothing is taken away by then.
// What is said of it, and when, is the operator's expiry.plan.ts and `zopp status`.
import type { ZoppSecret } from "../types.gen.js";

/** A value with an end, which is written `YYYY-MM-DDTHH:MM:SSZ`: as text it sorts as a time does. */
export interface Ending {
  readonly key: string;
  readonly expires: string;
}

/** What is said of an end, in the order in which it comes: reasons of the condition `Expiring`, of Events and of metrics. */
export const EXPIRY_REASONS = ["ExpiresSoon", "ExpiresWithinADay", "Expired"] as const;

/** One of {@link EXPIRY_REASONS}. */
export type ExpiryReason = (typeof EXPIRY_REASONS)[number];

/** The ends of the bundle's values, soonest first. */
export function endingsOf({ spec }: Pick<ZoppSecret, "spec">): Ending[] {
  const ends = Object.entries(spec.data ?? {}).flatMap(([key, { expires, retired }]) =>
    expires === undefined || retired === true ? [] : [{ key, expires }],
  );
  return ends.sort((a, b) => (`${a.expires} ${a.key}` < `${b.expires} ${b.key}` ? -1 : 1));
}
