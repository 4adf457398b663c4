// Owns waiting in tests: asking again until something is so.
// Does not own what is asked, nor any fixed sleep.
import { setTimeout as delay } from "node:timers/promises";

/** How long to ask, and what to say when it never became so. */
export interface EventuallyOptions {
  /** Total time, in milliseconds; 60 000 by default: a test that passes waits no longer for that. */
  readonly timeoutMs?: number;
  /** What was waited for, as it reads after "timed out waiting until". */
  readonly message?: string;
}

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 200;

/**
 * Asks `check` again and again until it gives something truthy, and gives that.
 *
 * @param check answers a truthy value when it is so; a falsy one, or an exception, means "not yet".
 * @returns the first truthy value.
 * @throws the last exception of `check` once the time is over; an Error saying so when it only gave falsy values.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false | null | undefined | 0 | "">> {
  const { timeoutMs = 60_000, message = "it is so" } = options;
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const answer = await ask(check);
    if ("value" in answer && answer.value) return answer.value as Exclude<T, false | null | undefined | 0 | "">;
    if (performance.now() >= deadline)
      throw lastError(answer, `timed out after ${timeoutMs} ms waiting until ${message}`);
    await delay(pauseMs);
  }
}

type Answer<T> = { readonly value: T } | { readonly thrown: unknown };

async function ask<T>(check: () => T | Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await check() };
  } catch (thrown) {
    return { thrown };
  }
}

function lastError<T>(answer: Answer<T>, text: string): unknown {
  if ("value" in answer) return new Error(text);
  if (answer.thrown instanceof Error) answer.thrown.message += ` (${text})`;
  return answer.thrown;
}
