// Versions: integers that read as UTC times and only count up (docs/format.md, "Versions").
// Which version was accepted before is the ledger's knowledge, not this file's.
import { ZoppError } from "../errors.js";

const DAY_MS = 24 * 60 * 60 * 1000;

/** The version number of a moment: UTC yyyymmddhhmmss as an integer. */
export function versionAt(now: Date): number {
  const day = (now.getUTCFullYear() * 100 + now.getUTCMonth() + 1) * 100 + now.getUTCDate();
  return ((day * 100 + now.getUTCHours()) * 100 + now.getUTCMinutes()) * 100 + now.getUTCSeconds();
}

/** The next version after `previous` (absent = the first): max(previous + 1, the time as a number). */
export function nextVersion(previous: number | undefined, now: Date): number {
  return Math.max((previous ?? 0) + 1, versionAt(now));
}

/** Refuses a version above the number for now + 24 hours; `what` names object and field. Throws VersionTooFar. */
export function refuseFarVersion(version: number, now: Date, what: string): void {
  const limit = versionAt(new Date(now.getTime() + DAY_MS));
  if (version > limit) {
    throw new ZoppError("VersionTooFar", `${what}: version ${version} is more than a day ahead of ${versionAt(now)}`);
  }
}

/** True when `expires` (RFC 3339, seconds, Z) is over: an end counts from its very second on. */
export function hasEnded(expires: string | undefined, now: Date): boolean {
  return expires !== undefined && now.getTime() >= Date.parse(expires);
}
