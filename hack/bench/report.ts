// The table that the benchmark prints: figures beside the limits that the project sets itself.
// Nothing fails here: a slow machine is no error.
import type { Latency } from "./change.js";
import type { Flooded } from "./flooded.js";
import type { Rekeyed } from "./rekey.js";
import type { Size } from "./sizing.js";
import type { Kept } from "./sync.js";

/** What build/bench.json holds. */
export interface Figures {
  readonly raw: { readonly bundlesPerSecond: number };
  readonly firstSync: Readonly<Record<"x25519" | "xwing", SyncFigures>>;
  readonly kept: Kept;
  readonly restart: { readonly writes: number; readonly opens: number; readonly readyMs: number };
  readonly change: Readonly<Record<"idle" | "backlog", Latency>> & { readonly flooded: Flooded };
  readonly memory: { readonly operatorMiB: number; readonly keyringMiB: number; readonly withForeignMiB: number };
  readonly keyring: KeyringFigures;
  readonly rekey: Rekeyed;
  readonly sizing: readonly Size[];
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly bundles: number;
}

/**
 * X-Wing entries that a keyring opens which does nothing else, by the clock and by its own CPU time. It verifies, accepts
 * and records those that it never saw; the `known` ones are in its ledger already.
 */
export interface KeyringFigures {
  readonly entriesPerSecond: number;
  readonly entriesPerCpuSecond: number;
  readonly knownEntriesPerSecond: number;
  readonly knownEntriesPerCpuSecond: number;
  /** The limit of the unseen ones: nothing but their primitives, in a process of their own. */
  readonly primitivesPerCpuSecond: number;
}

/** A first sync, median of the rounds. */
export interface SyncFigures {
  readonly ratioToRaw: number;
  readonly bundlesPerSecond: number;
  readonly cpuMsPerBundle: number;
  readonly operatorMsPerBundle: number;
  readonly keyringMsPerBundle: number;
}

type Row = readonly [what: string, ratio: string, figure: string, limit: string];

/** The tables as text: what, figure, limit; and what a size needs. */
export function table(figures: Figures): string {
  const rows: readonly Row[] = [["what", "ratio", "figure", "limit"], ...speedRows(figures), ...costRows(figures)];
  return `${aligned(rows)}\n\n${aligned(sizingRows(figures.sizing))}`;
}

/** Rows with their columns under each other. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function speedRows({ raw, firstSync, kept, restart, change }: Figures): readonly Row[] {
  const { writes, opens, readyMs } = restart;
  return [
    ["raw limit: the same two writes, bare client", "100 %", `${raw.bundlesPerSecond}/s`, ""],
    ["first sync, X25519", ...syncCells(firstSync.x25519), ">= 75 % of raw, <= 4 ms"],
    ["first sync, X-Wing", ...syncCells(firstSync.xwing), ">= 70 % of raw, <= 4 ms"],
    ["their states kept afterwards", "", `${kept.statesPerSecond}/s; CPU ${kept.operatorMs} ms a state`, ""],
    ["restart, nothing changed", "", `${writes} writes, ${opens} opens, ready in ${readyMs} ms`, "0 writes, 0 opens"],
    ["changed value, idle", "", latency(change.idle), "p99 < 250 ms"],
    [
      "changed value, one caller floods",
      percent(change.flooded.p99Ms / change.idle.p99Ms),
      `${latency(change.flooded)}; ${change.flooded.answered} of ${change.flooded.calls} calls answered`,
      "p99 <= 200 % of idle",
    ],
    ["changed value, backlog", "", latency(change.backlog), "p99 < 1000 ms"],
  ];
}

function costRows({ memory, keyring, rekey }: Figures): readonly Row[] {
  const { operatorMiB, keyringMiB, withForeignMiB } = memory;
  const total = operatorMiB + keyringMiB;
  const sum = `${operatorMiB} + ${keyringMiB} = ${total.toFixed(0)} MiB`;
  const opening = (perCpuSecond: number, perSecond: number) => `${perCpuSecond} per CPU second, ${perSecond}/s`;
  const unseen = opening(keyring.entriesPerCpuSecond, keyring.entriesPerSecond);
  const known = opening(keyring.knownEntriesPerCpuSecond, keyring.knownEntriesPerSecond);
  return [
    ["memory, operator + keyring", "", sum, "< 300 MB (286 MiB)"],
    ["memory with foreign Secrets", percent(withForeignMiB / total), `${withForeignMiB} MiB`, "<= 110 %"],
    ["an X-Wing entry's primitives, by themselves", "100 %", `${keyring.primitivesPerCpuSecond} per CPU second`, ""],
    [
      "keyring alone, X-Wing entries it never saw",
      percent(keyring.entriesPerCpuSecond / keyring.primitivesPerCpuSecond),
      unseen,
      ">= 3000 per CPU second",
    ],
    ["keyring alone, X-Wing entries it knows", "", known, ""],
    ["rekey in a directory", "", `${rekey.msPerBundle} ms a bundle; ${rekey.changed.join(", ")} differ`, "< 20 ms"],
  ];
}

function sizingRows(sizing: readonly Size[]): readonly (readonly string[])[] {
  const need = ({ peakMiB, cpuSeconds }: Size["operator"]) => `${peakMiB} MiB, ${cpuSeconds} s`;
  return [
    [
      "bundles",
      "first sync",
      "operator (peak, CPU)",
      "keyring (peak, CPU)",
      "etcd",
      "API requests",
      "audit: writes",
      "time at most",
    ],
    ["", "", "", "", "", "", "< 5 %", "< 10 %"],
    ...sizing.map(({ bundles, seconds, operator, keyring, etcdMiB, apiRequests, auditOfWrites, auditOfTime }) => [
      String(bundles),
      `${seconds} s`,
      need(operator),
      need(keyring),
      `${etcdMiB} MiB`,
      String(apiRequests),
      percent(auditOfWrites, 1),
      percent(auditOfTime, 1),
    ]),
  ];
}

function syncCells(figures: SyncFigures): readonly [ratio: string, figure: string] {
  const { ratioToRaw, bundlesPerSecond, cpuMsPerBundle, operatorMsPerBundle, keyringMsPerBundle } = figures;
  const cpu = `CPU ${cpuMsPerBundle} ms a bundle (operator ${operatorMsPerBundle}, keyring ${keyringMsPerBundle})`;
  return [percent(ratioToRaw), `${bundlesPerSecond}/s; ${cpu}`];
}

function latency({ p50Ms, p99Ms }: Figures["change"]["idle"]): string {
  return `p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`;
}

/** A ratio as people read it. */
export function percent(ratio: number, decimals = 0): string {
  return `${(ratio * 100).toFixed(decimals)} %`;
}
