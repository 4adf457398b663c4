// Calls that are made one at a time, in the order in which they were asked for.
import { ZoppError } from "../../crds/errors.js";

/** A queue of calls: each waits for the one before, whatever became of that one. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Calls when it is this one's turn; throws KeyringUnavailable when nobody waits for it by then. */
  next<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#last.then(() => {
      if (signal?.aborted === true) throw new ZoppError("KeyringUnavailable", "the call was aborted before its turn");
      return call();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
