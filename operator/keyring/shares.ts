// The bundles of one call, opened in shares: what was opened stays here until all of them are, or is zeroed.
// Opening a share is open.ts', deciding it again is the keyring's.
import { forgetKeys } from "./open.js";
import type { Opened, SentBundle } from "./open.types.js";

/**
 * Opens bundles, as many of the rest as each `open` takes, and gives the answer that is made of all of them. Throws what
 * either throws: then no key of an earlier share is left.
 */
export async function openInShares<Answer>(
  bundles: readonly SentBundle[],
  open: (rest: readonly SentBundle[]) => Promise<readonly Opened[]>,
  answer: (opened: readonly Opened[]) => Answer,
): Promise<Answer> {
  const opened: Opened[] = [];
  try {
    while (opened.length < bundles.length) opened.push(...(await open(bundles.slice(opened.length))));
    return answer(opened);
  } catch (error) {
    forgetKeys(opened);
    throw error;
  }
}
