// Pins: what a keyring or a client was told out of band about a workspace, and their text form.
// Where pins are kept is the caller's business; whether a policy chains from one is workspace.ts'.
import { ZoppError } from "../errors.js";

/** A pin: the workspace, the owners' digest (hex, 64 digits; a token carries the first 32) and the lowest version. */
export interface Pin {
  readonly workspace: string;
  readonly owners: string;
  readonly minVersion: number;
}

const PIN = /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)@(\d{1,15}):([0-9a-f]{64})$/;
const DIGEST_DIGITS = 64;
const TOKEN_DIGITS = 32;

/** Reads `acme@7:<64 hex digits>`. Throws Usage for anything else. */
export function parsePin(text: string): Pin {
  const match = PIN.exec(text.trim());
  if (match?.[1] === undefined || match[2] === undefined || match[3] === undefined) {
    throw new ZoppError("Usage", "a pin reads WORKSPACE@VERSION:DIGEST, with the 64 hex digits of the owners' digest");
  }
  return { workspace: match[1], minVersion: Number(match[2]), owners: match[3] };
}

/** The text form of a pin, as `parsePin` reads it. */
export function formatPin(pin: Pin): string {
  return `${pin.workspace}@${pin.minVersion}:${pin.owners}`;
}

/** True when an owners' digest is the one that the pin names; a token's pin names its first 16 bytes only. */
export function pinNames(pin: Pin, ownersDigest: string): boolean {
  if (pin.owners.length === DIGEST_DIGITS) return pin.owners === ownersDigest;
  return pin.owners.length === TOKEN_DIGITS && ownersDigest.startsWith(pin.owners);
}
