// Whether a number stayed as it was while it was sampled. Pure.
// What is sampled is soak.ts'.

/** How far along a run, and what was seen there. */
export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** What may be added over the rest of a run: a share of the mean, and a number of its own unit that counts as noise. */
export interface Allowed {
  readonly share: number;
  readonly noise: number;
}

/** Code gets compiled and caches get filled in the first part of a run, which is not judged. */
const WARM_UP = 1 / 3;

/** How much a number grew from the end of the warm-up on, by the straight line closest to all samples (least squares). */
export function growth(samples: readonly Sample[]): { readonly grew: number; readonly mean: number } {
  const judged = samples.slice(Math.floor(samples.length * WARM_UP));
  if (judged.length < 3) throw new TypeError("too few samples to say anything");
  const meanOf = (pick: (sample: Sample) => number): number =>
    judged.reduce((sum, sample) => sum + pick(sample), 0) / judged.length;
  const [mean, middle] = [meanOf(({ value }) => value), meanOf(({ atMs }) => atMs)];
  const spread = meanOf(({ atMs }) => (atMs - middle) ** 2);
  const slope = meanOf(({ atMs, value }) => (atMs - middle) * (value - mean)) / spread;
  return { grew: slope * ((judged.at(-1)?.atMs ?? 0) - (judged[0]?.atMs ?? 0)), mean };
}

/** True when it did not grow by more than is allowed. */
export function isFlat(samples: readonly Sample[], { share, noise }: Allowed): boolean {
  const { grew, mean } = growth(samples);
  return grew <= Math.max(mean * share, noise);
}
