// One line of the load suite's table: figures, the ratio that its limit speaks of, and whether its limits are kept.
// Measuring is the scenarios'.
import { rounded } from "../figures.js";
import { aligned, percent } from "../report.js";

/** One limit, and whether it is kept. */
export interface Limit {
  readonly text: string;
  readonly kept: boolean;
  /** Any machine can keep it, however slow or shared: what breaks it is wrong. */
  readonly exact: boolean;
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
  return { text: `>= ${percent(limit)} of ${of}`, kept: ratio >= limit, exact: false };
}

/** The ratio is so small, or smaller. */
export function atMost(ratio: number, limit: number, of: string): Limit {
  return { text: `<= ${percent(limit)} of ${of}`, kept: ratio <= limit, exact: false };
}

/** The figure is so small, or smaller. */
export function below(figure: number, limit: number, unit: string): Limit {
  return { text: `<= ${limit} ${unit}`, kept: figure <= limit, exact: false };
}

/** Nothing of it happened: to do what is not needed is no matter of speed. */
export function none(figure: number, what: string): Limit {
  return { text: `0 ${what}`, kept: figure === 0, exact: true };
}

/** How a row did: `wrong` where it breaks a limit that any machine can keep, `over` where it breaks another one. */
export function verdictOf({ limits }: Row): "ok" | "over" | "wrong" {
  const broken = limits.filter(({ kept }) => !kept);
  if (broken.some(({ exact }) => exact)) return "wrong";
  return broken.length === 0 ? "ok" : "over";
}

/** The limits that a row breaks and any machine can keep, with its figures. */
export function wrongIn(row: Row): readonly string[] {
  const broken = row.limits.filter(({ kept, exact }) => exact && !kept);
  return broken.map(({ text }) => `${row.what}: not ${text}: ${figuresOf(row)}`);
}

/** The table as text. */
export function loadTable(rows: readonly Row[]): string {
  return aligned([
    ["what", "ratio", "figures", "limit", ""],
    ...rows.map((row) => [
      row.what,
      row.ratio === undefined ? "" : percent(row.ratio),
      figuresOf(row),
      row.limits.map(({ text }) => text).join(", "),
      verdictOf(row),
    ]),
  ]);
}

function figuresOf({ figures }: Row): string {
  return Object.entries(figures)
    .map(([unit, figure]) => `${unit} ${rounded(figure, figure < 10 ? 2 : 0)}`)
    .join(", ");
}
