// Invite codes: what an owner hands to somebody who shall join: the invite's seed, and a pin of the workspace.
// Nobody stores a code; policy holds the invite's public key until it is used, revoked or over.
import { crcDigits, decodeBase62, encodeBase62, encodeHex } from "../crypto/encoding.js";
import { concat } from "../crypto/labeled.js";
import { ZoppError } from "../errors.js";
import { type Pin, parsePin } from "./pin.js";

/** What a code says. */
export interface InviteCode {
  /** The invite's name in policy, which is that of the new principal. */
  readonly invite: string;
  /** The 32 bytes of the invite's identity. */
  readonly seed: Uint8Array;
  readonly pin: Pin;
}

const PREFIX = "zoppjoin_";
const [SEED_BYTES, DIGEST_BYTES, VERSION_BYTES] = [32, 32, 8];
const BYTES = SEED_BYTES + DIGEST_BYTES + VERSION_BYTES;
const CODE = /^(zoppjoin_([-a-z0-9]{1,63})\.([-a-z0-9]{1,63})\.([0-9A-Za-z]{97}))([0-9A-Za-z]{6})$/;
const DIGITS = 97;

/** Writes a code. The pin must hold the whole owners' digest. */
export function formatInvite({ invite, seed, pin }: InviteCode): string {
  const owners = Uint8Array.from({ length: DIGEST_BYTES }, (_, at) =>
    Number.parseInt(pin.owners.slice(2 * at, 2 * at + 2), 16),
  );
  const version = Uint8Array.from({ length: VERSION_BYTES }, (_, at) =>
    Number((BigInt(pin.minVersion) >> BigInt(8 * (VERSION_BYTES - 1 - at))) & 255n),
  );
  const body = `${PREFIX}${pin.workspace}.${invite}.${encodeBase62(concat(seed, owners, version), DIGITS)}`;
  return body + crcDigits(body);
}

/** Reads a code. Throws InviteInvalid, without saying which part is wrong. */
export function parseInvite(text: string): InviteCode {
  const [, body = "", workspace = "", invite = "", digits = "", crc] = CODE.exec(text.trim()) ?? [];
  const bytes = crc !== undefined && crcDigits(body) === crc ? decodeBase62(digits, BYTES) : null;
  if (bytes === null)
    throw new ZoppError("InviteInvalid", "the invite code is not whole: length, characters or checksum do not fit");
  const owners = encodeHex(bytes.subarray(SEED_BYTES, SEED_BYTES + DIGEST_BYTES));
  const version = Number(BigInt(`0x${encodeHex(bytes.subarray(SEED_BYTES + DIGEST_BYTES))}`));
  return { invite, seed: bytes.slice(0, SEED_BYTES), pin: parsePin(`${workspace}@${version}:${owners}`) };
}
