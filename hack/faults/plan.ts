// What goes wrong, when, and for how long: drawn by chance from a seed, so that a run can be had again.
// Pure. Doing it is run.ts', what there is to choose from is in kinds.*.ts.
import { Random } from "../model/random.js";

/** What is drawn of one kind of fault. */
export interface Kind {
  readonly title: string;
  /** How often it is drawn, beside the others. */
  readonly weight: number;
  /** What it happens to: two of one lane are never at once. */
  readonly lane: string;
  /** Shortest and longest time that it lasts; [0, 0] = a moment. */
  readonly lastsMs: readonly [shortest: number, longest: number];
}

/** One fault of a run. */
export interface Planned<K extends Kind = Kind> {
  readonly kind: K;
  /** From the beginning of the run. */
  readonly atMs: number;
  readonly forMs: number;
  /** A seed for whatever the fault chooses itself: a bundle, how slow. */
  readonly dice: number;
}

/** Between the beginnings of two faults; most last longer, so that they overlap. */
const GAP_MS = [500, 5_500] as const;
/** One lane is left alone for so long before the next fault of it. */
const REST_MS = 1_000;
const DICE = 2 ** 31;

/**
 * So many faults, in the order in which they begin. The same seed gives the same ones. Each kind comes once, in an order that is drawn
 * too, before any comes again: whoever has to wait for its lane lets the next one go first. From then on they are drawn by weight.
 */
export function plan<K extends Kind>(kinds: readonly K[], seed: number, faults: number): readonly Planned<K>[] {
  const random = new Random(seed);
  const between = ([least, most]: readonly [number, number]) => least + random.below(most - least + 1);
  const freeAt = new Map<string, number>();
  const planned: Planned<K>[] = [];
  let left = shuffled(kinds, random);
  let now = 0;
  while (planned.length < faults) {
    now += between(GAP_MS);
    const free = (left.length > 0 ? left : kinds).filter(({ lane }) => (freeAt.get(lane) ?? 0) <= now);
    const [first] = free;
    if (first === undefined) continue;
    const kind = left.length > 0 ? first : random.weighted(free.map((each) => [each.weight, each] as const));
    left = left.filter((each) => each !== kind);
    const forMs = between(kind.lastsMs);
    freeAt.set(kind.lane, now + forMs + REST_MS);
    planned.push({ kind, atMs: now, forMs, dice: random.below(DICE) });
  }
  return planned;
}

function shuffled<T>(list: readonly T[], random: Random): readonly T[] {
  const left = [...list];
  return list.flatMap(() => left.splice(random.below(left.length), 1));
}

/** A line of the printed schedule. */
export function lineOf({ kind, atMs, forMs, dice }: Planned): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const span = forMs === 0 ? "" : `for ${seconds(forMs)}`;
  return `${seconds(atMs).padStart(9)} ${span.padEnd(11)} ${kind.title} (${dice})`;
}
