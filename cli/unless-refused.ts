// Tries what may be refused, for whom the reason does not matter.
import { ZoppError } from "../crds/errors.js";

/** What is made, or undefined where that throws a ZoppError. Throws all else. */
export function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof ZoppError) return undefined;
    throw error;
  }
}
