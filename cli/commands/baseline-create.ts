// `zopp baseline create`: signs what a new keyring would refuse of an environment, so that it may have it all the same.

import { type Listing, storeBaseline } from "../baseline.js";
import type { Result } from "../output.js";
import { acceptPolicy } from "../policy.js";
import type { Session } from "../session.js";
import { environmentPath } from "../settings.js";

/** Runs `zopp baseline create [PATH]`. */
export async function run(session: Session, [text]: readonly string[], options: Listing): Promise<Result> {
  const policy = await acceptPolicy(session, environmentPath(text, session.settings));
  const { bundles, authors, where, notes } = await storeBaseline(session, policy, options);
  const { path } = policy.environment;
  return {
    data: { environment: path, bundles, authors, where },
    names: where.length === 0 ? [] : [`zoppbaseline/${policy.environment.object.metadata.name}`],
    human:
      bundles.length === 0
        ? [`a new keyring would accept all of ${path} as it is`]
        : [
            ...bundles.map(({ namespace, name }) => `listed ${namespace}/${name}`),
            ...authors.map(({ name }) => `checked by a key of ${name}, whom the policy does not name any more`),
            where.length === 0 ? "the baseline says so already" : `written: ${where.join(", ")}`,
          ],
    notes,
  };
}
