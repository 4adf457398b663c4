// One line of the load suite's table: figures, the ratio that its limit speaks of, and whether the limit is kept.
// Measuring is the scenarios'.
import { rounded } from "../figures.js";
import { aligned, percent } from "../report.js";

/** One limit, and whether it is kept. */
export interface Limit {
  readonly text: string;
  readonly kept: boolean;
}

/** What one scenario, or a part of it, came to. */
export interface Row {
  readonly what: string;
  /** By their units, as they are printed. */
  readonly figures: Readonly<Record<string, number>>;
  /** To the raw API server of the same run, unless the limit names something else. */
  readonly ratio?: number;
  readonly limits: readonly Limit[];
}

/** Rows, and everything that was wrong apart from speed: that is an error on any machine. */
export interface Measured {
  readonly rows: readonly Row[];
  readonly wrong: readonly string[];
}

/** The ratio is so large, or larger. */
export function atLeast(ratio: number, limit: number, of = "raw"): Limit {
  return { text: `>= ${percent(limit)} of ${of}`, kept: ratio >= limit };
}

/** The ratio is so small, or smaller. */
export function atMost(ratio: number, limit: number, of: string): Limit {
  return { text: `<= ${percent(limit)} of ${of}`, kept: ratio <= limit };
}

/** The figure is so small, or smaller. */
export function below(figure: number, limit: number, unit: string): Limit {
  return { text: `<= ${limit} ${unit}`, kept: figure <= limit };
}

/** Nothing of it happened. */
export function none(figure: number, what: string): Limit {
  return { text: `0 ${what}`, kept: figure === 0 };
}

/** True when the row keeps all its limits. */
export function isKept({ limits }: Row): boolean {
  return limits.every(({ kept }) => kept);
}

/** The table as text. */
export function loadTable(rows: readonly Row[]): string {
  return aligned([
    ["what", "ratio", "figures", "limit", ""],
    ...rows.map((row) => [
      row.what,
      row.ratio === undefined ? "" : percent(row.ratio),
      Object.entries(row.figures)
        .map(([unit, figure]) => `${unit} ${rounded(figure, figure < 10 ? 2 : 0)}`)
        .join(", "),
      row.limits.map(({ text }) => text).join(", "),
      isKept(row) ? "ok" : "over",
    ]),
  ]);
}
