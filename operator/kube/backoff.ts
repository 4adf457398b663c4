// How long to wait before trying again: doubling, capped, with jitter, so that many who fail do not return as one.
// Holds no timers.

/** Bounds of a backoff in milliseconds. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly capMs: number;
}

/** The delay before attempt `failures` + 1 (failures >= 1): first * 2^(failures-1), capped, +-20 %. */
export function backoffMs(failures: number, limits: BackoffLimits, random: () => number = Math.random): number {
  const doubled = limits.firstMs * 2 ** Math.min(failures - 1, 30);
  return Math.min(doubled, limits.capMs) * (0.8 + 0.4 * random());
}

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", done);
  });
}
