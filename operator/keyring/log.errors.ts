// What callers of the log hear when a record is not stored. When that is so, log.ts decides.
import { ZoppError } from "../../crds/errors.js";

/** What was decided without knowing another replica's records is void. */
export function overtaken(): ZoppError {
  return unavailable("another replica of this keyring has written to the log first: ask again");
}

/** Nothing can be recorded now. */
export function unavailable(why: string, cause?: unknown): ZoppError {
  return new ZoppError("AuditUnavailable", `${why}; nothing is released`, { cause });
}
