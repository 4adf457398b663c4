// Reads what people type into flags: times, kinds of key, yes or no. Throws Usage with the accepted forms.
// Which command has which flags stands in table.ts.
import type { Kem } from "../../crds/crypto/keys.js";
import { ZoppError } from "../../crds/errors.js";
import { spanMs } from "../../crds/span.js";

/** A kind of environment key; hybrid and quantum-safe unless said otherwise. */
export function kemOf(text: string | undefined): Kem {
  if (text === undefined || text === "xwing") return "xwing";
  if (text === "x25519") return "x25519";
  throw new ZoppError("Usage", "--kem is xwing (hybrid, quantum-safe) or x25519 (compact)");
}

/** An end, from `90d`, `12h`, `2w`, `2027-02-18` or a full UTC time, as YYYY-MM-DDTHH:MM:SSZ. Throws Usage, also for the past. */
export function expiryOf(text: string | undefined, now: Date, flag = "--expires"): string | undefined {
  if (text === undefined) return undefined;
  const span = spanOf(text);
  const day = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}Z)?$/.test(text);
  const time = span === undefined ? (day ? Date.parse(text) : Number.NaN) : now.getTime() + span;
  if (Number.isNaN(time)) throw new ZoppError("Usage", `${flag} is 90d, 12h, 2w, 2027-02-18 or 2027-02-18T00:00:00Z`);
  if (time <= now.getTime()) throw new ZoppError("Usage", `${flag} lies in the past`);
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

/** Milliseconds of 12h, 90d or 2w; undefined for anything else. Not of 6m: whoever means months gets no six minutes. */
export function spanOf(text: string): number | undefined {
  return /[hdw]$/.test(text) ? spanMs(text) : undefined;
}

/** `NAME=VALUE` pairs of labels and annotations. Throws Usage. */
export function pairsOf(
  flag: string,
  texts: readonly string[] | undefined,
): Readonly<Record<string, string>> | undefined {
  if (texts === undefined || texts.length === 0) return undefined;
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new ZoppError("Usage", `${flag} reads NAME=VALUE`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** One of a few words. Throws Usage naming them. */
export function oneOf<T extends string>(flag: string, text: string | undefined, words: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = words.find((word) => word === text);
  if (found === undefined) throw new ZoppError("Usage", `${flag} is one of ${words.join(", ")}`);
  return found;
}
