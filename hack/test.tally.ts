// Owns reading tap's output: a line of progress per file, the whole story of those that failed, and the totals.
// Does not own running tap.

/** What the tally needs to know beforehand. */
export interface TallyOptions {
  /** The files that tap was given, as it names them. */
  readonly files: readonly string[];
  /** The name under which a file is shown. */
  readonly sourceOf: (file: string) => string;
  readonly write: (line: string) => void;
}

/** How the run ended. */
export interface Ending {
  readonly exitCode: number;
  /** Failures that tap was not asked about. */
  readonly failedBefore: number;
}

/** Totals of a run. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Reads TAP line by line. */
export interface Tally {
  read(line: string): void;
  /** How many passed, failed and were skipped: `failed` is never 0 unless tap ended well and ran every file. */
  total(ending: Ending): Counts;
}

const FILE_RESULT = /^(not )?ok \d+ - (\S+) # (?:time=([\d.]+)ms)?/;
const TOTALS = /^# \{ total: \d+,?(.*)\}$/;

/** Starts a tally of one run of tap (`--reporter=tap`). */
export function newTally({ files, sourceOf, write }: TallyOptions): Tally {
  const waiting = new Set(files);
  let block: string[] = [];
  let detail: "hold" | "show" | "drop" = "hold";
  let counts: Counts | undefined;

  function endOfFile(failed: boolean, file: string, timeMs: number): void {
    waiting.delete(file);
    write(`${failed ? "FAIL" : "ok  "} ${sourceOf(file)} (${(timeMs / 1000).toFixed(1)} s)`);
    if (failed) for (const line of block) write(line);
    block = [];
    detail = failed ? "show" : "drop";
  }

  return {
    read(line) {
      const result = FILE_RESULT.exec(line);
      const totals = TOTALS.exec(line);
      if (totals !== null) counts = readCounts(totals[1] ?? "");
      else if (result !== null) endOfFile(result[1] !== undefined, result[2] ?? "", Number(result[3] ?? 0));
      else if (line.startsWith("# Subtest: ")) detail = "hold";
      else if (isFraming(line)) return;
      else if (line.startsWith(" ") && detail === "hold") block.push(line);
      else if (!line.startsWith(" ") || detail === "show") {
        write(line);
        detail = "show";
      }
    },
    total({ exitCode, failedBefore }) {
      for (const line of block) write(line);
      for (const file of waiting) write(`FAIL ${sourceOf(file)} (did not run to its end)`);
      const { passed, failed, skipped } = counts ?? { passed: 0, failed: 0, skipped: 0 };
      const known = failed + waiting.size + failedBefore;
      const all = known === 0 && (exitCode !== 0 || counts === undefined) ? 1 : known;
      return { passed, failed: all, skipped };
    },
  };
}

/** The last line to print, for the runs together. */
export function lineOf(runs: readonly Counts[]): string {
  const sum = (pick: (counts: Counts) => number): number => runs.reduce((total, counts) => total + pick(counts), 0);
  const skipped = sum((counts) => counts.skipped);
  const line = `${sum(({ passed }) => passed)} passed, ${sum(({ failed }) => failed)} failed`;
  return skipped > 0 ? `${line}, ${skipped} skipped` : line;
}

function readCounts(text: string): Counts {
  const of = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(text)?.[1] ?? 0);
  return { passed: of("pass"), failed: of("fail"), skipped: of("skip") + of("todo") };
}

function isFraming(line: string): boolean {
  return line === "" || /^(TAP version \d+|1\.\.\d+|# time=.*)$/.test(line);
}
