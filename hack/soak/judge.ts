// What is made of the looks at a run and of its changes: whether memory, handles and the queue stayed as they were, and
// whether every change arrived. Pure; running and looking is soak.ts'.
import type { Kept } from "../faults/footprint.js";
import type { Verdict } from "../faults/verdict.js";
import type { Outcome } from "../load.js";
import { growth, isFlat, type Sample } from "./flat.js";

/** How often is looked at most. */
export const MINUTE_MS = 60_000;

const ALLOWED = {
  heapMiB: { share: 0.1, noise: 4 },
  residentMiB: { share: 0.1, noise: 12 },
  handles: { share: 0.1, noise: 3 },
} as const;
/** No bundle waits longer on any machine: one that applies four in a second is through with all two hundred by then. */
const STUCK_S = 60;
/** A run that does less of what was asked for says nothing of what was asked for. */
const REACHED = 0.9;

/** What was seen at one moment of a run. */
export interface Look {
  readonly atMs: number;
  readonly processes: Readonly<Record<"operator" | "keyring", Kept>>;
  /** Bundles that wait. */
  readonly depth: number;
  /** How long the oldest of them has waited. */
  readonly oldestS: number;
  /** What the operator says about itself: which change, if any, is stuck. */
  readonly live: string;
  readonly changes: number;
  readonly applied: number;
}

/** Whether each process keeps no more than it did. */
export function judgeLooks(looks: readonly Look[]): readonly Verdict[] {
  return (["operator", "keyring"] as const).map((name) => {
    const wrong: string[] = [];
    const said = (Object.keys(ALLOWED) as (keyof typeof ALLOWED)[]).map((what) => {
      const samples: Sample[] = looks.map(({ atMs, processes }) => ({ atMs, value: processes[name][what] }));
      const { grew, mean } = growth(samples);
      const text = `${what} ${mean.toFixed(1)}, grown by ${grew.toFixed(1)}`;
      if (!isFlat(samples, ALLOWED[what])) wrong.push(text);
      return text;
    });
    return { title: `memory and handles of the ${name} are flat after the warm-up`, wrong, said: said.join("; ") };
  });
}

/** Whether what waited moved on; `left` speaks against an empty queue at the end. */
export function judgeQueue(looks: readonly Look[], left: string): Verdict {
  const told = [...looks.map(({ live }) => live), left].filter((problem) => problem !== "");
  const stuck = looks
    .filter(({ oldestS }) => oldestS > STUCK_S)
    .map(({ atMs, oldestS }) => `the oldest had waited for ${oldestS.toFixed(1)} s after ${minutesOf(atMs)}`);
  const [depths, longest] = [looks.map(({ depth }) => depth), looks.map(({ oldestS }) => oldestS)];
  const said = `at most ${Math.max(...depths)} waited, the oldest for ${Math.max(...longest).toFixed(1)} s`;
  const title = "no bundle waited for too long, and every queue is empty at the end";
  return { title, wrong: [...told, ...stuck], said };
}

/** Whether values changed as often as was asked for. A slow machine changes fewer, and that is no failure. */
export function judgeRate({ changes }: Pick<Outcome, "changes">, seconds: number, rate: number): Verdict {
  const reached = changes / seconds;
  const less = `less than ${REACHED * 100} % of what was asked for: nothing is said of ${rate} a second`;
  const over = reached >= REACHED * rate ? [] : [less];
  const said = `${reached.toFixed(1)} changes a second, ${rate} asked for`;
  return { title: "values changed as often as was asked for", wrong: [], over, said };
}

/** Whether every change arrived, once and in order; `failed` speaks against values having changed, and been seen, all the time. */
export function judgeChanges(outcome: Outcome, failed: readonly string[]): Verdict {
  const { changes, applied, repeated, wrong, lost, longestMs } = outcome;
  const of = (what: string, all: readonly string[]): readonly string[] => all.map((each) => `${what}: ${each}`);
  return {
    title: "no change was lost, applied twice or applied in the wrong order",
    wrong: [...failed, ...wrong, ...of("lost", lost), ...of("written twice", repeated)],
    said: `${changes} changes, ${applied} seen one by one, the longest wait ${longestMs} ms`,
  };
}

/** How far along a run, for people. */
export function minutesOf(atMs: number): string {
  return `${(atMs / MINUTE_MS).toFixed(1)} min`;
}
