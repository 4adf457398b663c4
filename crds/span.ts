// Reads a length of time as people type it: 14d, 12h. What it is for, and what is said of a wrong one, is the caller's.

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds of a number and one of s, m, h, d and w; undefined for anything else. */
export function spanMs(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,5})([smhdw])$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (UNITS_MS[unit] ?? 0);
}
