// `zopp trust`: shows, adds and forgets the pins of this machine. A pin comes from an owner, never from a store.
// What a pin decides is crds/policy's.
import { ZoppError } from "../../crds/errors.js";
import { formatPin, parsePin } from "../../crds/policy/pin.js";
import type { Result } from "../output.js";
import { readKnown, writeKnown } from "../pins.js";
import type { Session } from "../session.js";

/** The flags of `zopp trust`. */
export interface TrustOptions {
  readonly replace?: boolean;
  readonly remove?: boolean;
}

/** Runs `zopp trust [PIN]` and `zopp trust WORKSPACE`, which prints that one pin. */
export async function run({ context }: Session, [text]: readonly string[], options: TrustOptions): Promise<Result> {
  const known = readKnown(context);
  if (text === undefined) {
    if (options.remove === true) throw new ZoppError("Usage", "--remove needs the workspace whose pin shall go");
    if (options.replace === true) throw new ZoppError("Usage", "--replace needs the pin to put in place");
    const pins = Object.entries(known).map(([workspace, { owners, minVersion }]) =>
      formatPin({ workspace, owners, minVersion }),
    );
    const human = pins.length === 0 ? ["no workspace is pinned; an owner's `zopp trust` shows the pin to add"] : pins;
    return { data: { pins }, names: Object.keys(known), human };
  }
  if (options.remove === true) {
    if (known[text] === undefined) throw new ZoppError("NotFound", "no workspace of that name is pinned");
    writeKnown(context, text, undefined);
    return { data: { removed: text }, names: [text], human: [`forgot ${text}`] };
  }
  // a pin has both
  if (!/[@:]/.test(text)) return pinOf(text, known, options);
  const pin = parsePin(text);
  const before = known[pin.workspace];
  const { owners, minVersion } = pin;
  if (before !== undefined && options.replace !== true) {
    if (before.owners !== owners) {
      const other = formatPin({ workspace: pin.workspace, ...before });
      throw new ZoppError(
        "PinMismatch",
        `${pin.workspace} is pinned to other owners: ${other}; --replace puts the new pin in its place`,
      );
    }
    writeKnown(context, pin.workspace, { ...before, minVersion: Math.max(before.minVersion, minVersion) });
  } else {
    writeKnown(context, pin.workspace, { owners, minVersion });
  }
  return { data: { pin: formatPin(pin) }, names: [pin.workspace], human: [`pinned ${formatPin(pin)}`] };
}

function pinOf(workspace: string, known: ReturnType<typeof readKnown>, { replace }: TrustOptions): Result {
  if (replace === true) throw new ZoppError("Usage", "--replace needs the pin to put in place");
  const facts = known[workspace];
  if (facts === undefined)
    throw new ZoppError("NotFound", `no workspace ${workspace} is pinned; a pin to add reads WORKSPACE@VERSION:DIGEST`);
  const pin = formatPin({ workspace, ...facts });
  return { data: { pins: [pin] }, names: [workspace], human: [pin] };
}
