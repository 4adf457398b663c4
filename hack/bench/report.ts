// The table that the benchmark prints: figures beside the limits that the project sets itself.
// Nothing fails here: a slow machine is no error.

/** What build/bench.json holds. */
export interface Figures {
  readonly raw: { readonly bundlesPerSecond: number };
  readonly firstSync: Readonly<Record<"x25519" | "xwing", SyncFigures>>;
  readonly restart: { readonly writes: number; readonly opens: number; readonly readyMs: number };
  readonly change: Readonly<Record<"idle" | "backlog", { readonly p50Ms: number; readonly p99Ms: number }>>;
  readonly memory: { readonly operatorMiB: number; readonly keyringMiB: number; readonly withForeignMiB: number };
  readonly keyring: { readonly entriesPerCpuSecond: number };
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly bundles: number;
}

/** A first sync, median of the rounds. */
export interface SyncFigures {
  readonly ratioToRaw: number;
  readonly bundlesPerSecond: number;
  readonly cpuMsPerBundle: number;
  readonly operatorMsPerBundle: number;
  readonly keyringMsPerBundle: number;
}

/** The table as text: what, figure, limit. */
export function table({ raw, firstSync, restart, change, memory, keyring }: Figures): string {
  const sync = ({
    ratioToRaw,
    bundlesPerSecond,
    cpuMsPerBundle,
    operatorMsPerBundle,
    keyringMsPerBundle,
  }: SyncFigures) =>
    [
      percent(ratioToRaw),
      `${bundlesPerSecond}/s; CPU ${cpuMsPerBundle} ms a bundle (operator ${operatorMsPerBundle}, keyring ${keyringMsPerBundle})`,
    ] as const;
  const [x25519, xwing] = [sync(firstSync.x25519), sync(firstSync.xwing)];
  const total = memory.operatorMiB + memory.keyringMiB;
  const rows: readonly (readonly [string, string, string, string])[] = [
    ["what", "ratio", "figure", "limit"],
    ["raw limit: the same two writes, bare client", "100 %", `${raw.bundlesPerSecond}/s`, ""],
    ["first sync, X25519", x25519[0], x25519[1], ">= 50 % of raw, <= 7 ms"],
    ["first sync, X-Wing", xwing[0], xwing[1], ">= 45 % of raw, <= 8 ms"],
    [
      "restart, nothing changed",
      "",
      `${restart.writes} writes, ${restart.opens} opens, ready in ${restart.readyMs} ms`,
      "0 writes, 0 opens",
    ],
    [
      "changed value, idle",
      "",
      `p50 ${change.idle.p50Ms.toFixed(0)} ms, p99 ${change.idle.p99Ms.toFixed(0)} ms`,
      "p99 < 250 ms",
    ],
    [
      "changed value, backlog",
      "",
      `p50 ${change.backlog.p50Ms.toFixed(0)} ms, p99 ${change.backlog.p99Ms.toFixed(0)} ms`,
      "p99 < 1000 ms",
    ],
    [
      "memory, operator + keyring",
      "",
      `${memory.operatorMiB} + ${memory.keyringMiB} = ${total.toFixed(0)} MiB`,
      "< 300 MB (286 MiB)",
    ],
    ["memory with foreign Secrets", percent(memory.withForeignMiB / total), `${memory.withForeignMiB} MiB`, "<= 110 %"],
    ["keyring, X-Wing entries per CPU second", "", String(keyring.entriesPerCpuSecond), ">= 3000"],
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(0)} %`;
}
