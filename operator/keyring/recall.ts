// Accepted policy, read again from what was stored of it.
// Which version of each was accepted last is the ledger's to say.
import { ZoppError } from "../../crds/errors.js";
import { readBaseline } from "../../crds/policy/baseline.js";
import { readEnvironment } from "../../crds/policy/environment.js";
import { readWorkspace } from "../../crds/policy/workspace.js";
import { parseBaseline, parseEnvironment, parseWorkspace } from "../../crds/validate.js";

/** Give an object in the version of a digest: as it is known already, or as it was stored. Throw LogBroken when it was not. */
export const recall = {
  workspace: recalling((object) => readWorkspace(parseWorkspace(object))),
  environment: recalling((object) => readEnvironment(parseEnvironment(object))),
  baseline: recalling((object) => readBaseline(parseBaseline(object))),
} as const;

function recalling<T extends { readonly digest: string }>(read: (object: unknown) => T) {
  return (remembered: ReadonlyMap<string, unknown>, name: string, digest: string, known: T | undefined): T => {
    if (known?.digest === digest) return known;
    const object = remembered.get(digest);
    if (object === undefined)
      throw new ZoppError("LogBroken", `the accepted object ${name} (${digest}) is missing from the ledger`);
    const found = read(object);
    if (found.digest === digest) return found;
    throw new ZoppError(
      "LogBroken",
      `the ledger holds ${found.digest} in the place of the accepted ${name} (${digest})`,
    );
  };
}
