// Whether whoever was shown a certificate that had expired turned away.
import type { FaultingProxy } from "../faulting-proxy.js";
import type { Found } from "./judge.secrets.js";
import type { Storms } from "./world.js";

/** Of each that asks: how many connections came while it had expired, and what it asked or sent over them all the same. */
export type Shown = Readonly<Record<keyof Storms, Pick<FaultingProxy, "expired">>>;

/** Nothing may be asked, and so nothing be sent, over a connection whose server's certificate has expired. */
export function refusedExpired(shown: Shown): Found {
  const each = Object.entries(shown);
  return {
    wrong: each.flatMap(([who, { expired }]) =>
      expired.asked === 0 ? [] : [`${who} asked ${expired.asked} times whoever showed an expired certificate`],
    ),
    said: each.map(([who, { expired }]) => `${who}: ${expired.came} connections`).join(", "),
  };
}
